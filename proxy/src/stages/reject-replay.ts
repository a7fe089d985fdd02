import type { Clock } from '../clock.js';
import type { ReplayConfig } from '../config/index.js';
import type { ProofUse, Permitted, Unseen } from '../pipeline/evidence.js';
import { type Denial, type DenialOptions, deny, type Reason } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';
import { replayKey } from '../replay/replay-key.js';
import type { ProofTime, ReplayStore, ClaimResult } from '../replay/replay-store.js';

export interface RejectReplayContext {
  readonly clock: Clock;
  readonly replay: ReplayConfig;
}

/** No store answered within this: then the request waits for nobody. */
const RETRY_AFTER_SECONDS = 1;
/** The clocks of replicas differ by less. */
const CLOCK_MARGIN_SECONDS = 5;
/** A credential that was checked longer ago than this is asked for again. */
const LATE_SECONDS = 1;

/**
 * RFC 9449 11.1: a proof is good once. Claimed after every check of token, proof and message, and atomically, so that
 * neither a forged nor a misdirected proof can burn a jti, and of two copies at once one passes. What took time on the
 * way here, a body or another server's answer, must not have outlasted the credentials.
 * A proof that may be older than what the store remembers is refused, and its client is given a nonce with which the
 * next one passes at once (RFC 9449 8, 9); one without a nonce passes after `Retry-After`, which no refusal of a bad
 * proof has. Fails closed: no answer is a refusal.
 */
export function rejectReplay(
  store: ReplayStore,
  { clock, replay }: RejectReplayContext,
): Stage<Permitted, Unseen> {
  const margins = marginsOf(replay);
  return (x) => {
    const { caller } = x;
    if (caller.kind === 'anonymous') return x as Unseen;
    const refuse = (reason: Reason, options?: DenialOptions): Unseen | Denial => {
      if (x.route.auth.mode !== 'permissive') return deny(reason, undefined, options);
      x.facts.wouldDeny = reason;
      return grow(x, { caller: { kind: 'anonymous' } as const }) as Permitted as Unseen;
    };
    const now = clock();
    if (now > caller.validity.expiresAt + x.route.auth.clockSkewSeconds) return refuse('token_expired');
    if (now > x.receivedAt + LATE_SECONDS && !caller.validity.isActive()) return refuse('token_inactive');
    const { proofUse } = caller;
    if (proofUse === undefined) return x as Unseen;
    if (now > proofUse.acceptableUntil)
      return refuse(caller.by === 'dpop' ? 'dpop_expired' : 'token_too_old');
    const proof: ProofTime = {
      madeAt: proofUse.madeAt,
      notBefore: notBeforeBy(proofUse, margins),
      nonce: proofUse.nonce?.text,
    };
    const settle = (result: ClaimResult): Unseen | Denial => {
      switch (result) {
        case 'first':
          return grow(x, { unspend: () => store.release(key) }) as Permitted as Unseen;
        case 'full':
          return deny('replay_store_full', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
        case 'down':
          return deny('replay_store_down', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
        case 'seen':
          return refuse(caller.by === 'dpop' ? 'dpop_replayed' : 'token_replayed');
        case 'forgotten': {
          const retryAfterSeconds = Math.ceil(margins.byItself(proofUse)) + 1;
          if (caller.by !== 'dpop') return refuse('token_predates_store', { retryAfterSeconds });
          x.reply.dpopNonce = proofUse.nonce?.required?.fresh ?? store.nonce();
          const error = x.reply.dpopNonce === undefined ? ('invalid_dpop_proof' as const) : undefined;
          return refuse('dpop_predates_store', { retryAfterSeconds, error });
        }
      }
    };
    const key = replayKey(caller.by, proofUse.owner, proofUse.jti);
    const result = store.claim(key, proof);
    return result instanceof Promise ? result.then(settle) : settle(result);
  };
}

/** By how many seconds the time that a proof shows may be ahead of the store's. */
interface Margins {
  /** By its client's clock. */
  readonly byItself: (proofUse: ProofUse) => number;
  /** By the clock of the replica that made its nonce. */
  readonly byNonce: number;
}

function marginsOf({ store, epochMarginSeconds }: ReplayConfig): Margins {
  const replicasSeconds = store === 'memory' ? 0 : CLOCK_MARGIN_SECONDS;
  return {
    byItself: ({ aheadSeconds }) => epochMarginSeconds ?? aheadSeconds + replicasSeconds,
    byNonce: epochMarginSeconds ?? CLOCK_MARGIN_SECONDS,
  };
}

/**
 * The moment before which a proof cannot have been made, whatever the clock of its client says: the later of what its
 * own time and its nonce's show.
 */
function notBeforeBy(proofUse: ProofUse, { byItself, byNonce }: Margins): number {
  const bySelf = proofUse.madeAt - byItself(proofUse);
  const required = proofUse.nonce?.required;
  return required === undefined ? bySelf : Math.max(bySelf, required.madeAt - byNonce);
}
