import type { Clock } from '../clock.js';
import type { Permitted, Unseen } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';
import { replayKey } from '../replay/replay-key.js';
import type { ReplayStore, Turn } from '../replay/replay-store.js';

/** No store answered within this: then the request waits for nobody. */
const RETRY_AFTER_SECONDS = 1;

/**
 * RFC 9449 11.1: a proof is good once. Claimed last of all checks and atomically, so that neither a forged nor a misdirected proof can burn a
 * jti, and of two copies at once one passes. Fails closed: no answer is a refusal.
 */
export function rejectReplay(store: ReplayStore, clock: Clock): Stage<Permitted, Unseen> {
  return (x) => {
    const { caller } = x;
    if (caller.kind === 'anonymous' || caller.once === undefined) return x as Unseen;
    const { owner, jti, acceptableUntil, madeAt } = caller.once;
    const settle = (turn: Turn): Unseen | Denial => {
      switch (turn) {
        case 'first': return x as Unseen;
        case 'full': return deny('replay_store_full', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
        case 'down': return deny('replay_store_down', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
        default: {
          const reason = caller.by === 'dpop' ? (turn === 'seen' ? 'dpop_replayed' : 'dpop_predates_store') : turn === 'seen' ? 'token_replayed' : 'token_predates_store';
          if (x.route.auth.mode !== 'permissive') return deny(reason);
          x.facts.wouldDeny = reason;
          return grow(x, { caller: { kind: 'anonymous' } as const }) as Permitted as Unseen;
        }
      }
    };
    const ttl = Math.max(1, acceptableUntil - clock());
    const turn = store.claim(replayKey(caller.by, owner, jti), ttl, madeAt);
    return turn instanceof Promise ? turn.then(settle) : settle(turn);
  };
}
