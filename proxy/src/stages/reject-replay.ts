import type { Clock } from '../clock.js';
import type { Permitted, Unseen } from '../pipeline/evidence.js';
import { type Denial, deny, type Reason } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';
import { replayKey } from '../replay/replay-key.js';
import type { ReplayStore, Turn } from '../replay/replay-store.js';

/** No store answered within this: then the request waits for nobody. */
const RETRY_AFTER_SECONDS = 1;
/** A proof is remembered for so much longer than it is acceptable: the clocks of replicas differ. */
const CLOCK_MARGIN_SECONDS = 5;
/** A credential that was judged longer ago than this is asked for again. */
const LATE_SECONDS = 1;

/**
 * RFC 9449 11.1: a proof is good once. Claimed after every check of token, proof and message, and atomically, so that neither a forged nor a misdirected proof can burn a
 * jti, and of two copies at once one passes. What took time on the way here, a body or another server's answer, must not have outlasted the credentials: a claim would have been
 * forgotten with them. Fails closed: no answer is a refusal.
 */
export function rejectReplay(store: ReplayStore, clock: Clock): Stage<Permitted, Unseen> {
  return (x) => {
    const { caller } = x;
    if (caller.kind === 'anonymous') return x as Unseen;
    const refuse = (reason: Reason): Unseen | Denial => {
      if (x.route.auth.mode !== 'permissive') return deny(reason);
      x.facts.wouldDeny = reason;
      return grow(x, { caller: { kind: 'anonymous' } as const }) as Permitted as Unseen;
    };
    const now = clock();
    if (now > caller.standing.until + x.route.auth.clockSkewSeconds) return refuse('token_expired');
    if (now > x.receivedAt + LATE_SECONDS && !caller.standing.holds()) return refuse('token_inactive');
    if (caller.once === undefined) return x as Unseen;
    const { owner, jti, acceptableUntil, madeAt } = caller.once;
    if (now > acceptableUntil) return refuse(caller.by === 'dpop' ? 'dpop_expired' : 'token_too_old');
    const settle = (turn: Turn): Unseen | Denial => {
      switch (turn) {
        case 'first':
          return x as Unseen;
        case 'full':
          return deny('replay_store_full', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
        case 'down':
          return deny('replay_store_down', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
        default:
          return refuse(
            caller.by === 'dpop'
              ? turn === 'seen'
                ? 'dpop_replayed'
                : 'dpop_predates_store'
              : turn === 'seen'
                ? 'token_replayed'
                : 'token_predates_store',
          );
      }
    };
    const turn = store.claim(
      replayKey(caller.by, owner, jti),
      acceptableUntil + CLOCK_MARGIN_SECONDS - now,
      madeAt,
    );
    return turn instanceof Promise ? turn.then(settle) : settle(turn);
  };
}
