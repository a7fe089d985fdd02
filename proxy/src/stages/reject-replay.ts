import type { Clock } from '../clock.js';
import type { Authenticated, Unseen } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { replayKey } from '../replay/replay-key.js';
import type { ReplayStore, Turn } from '../replay/replay-store.js';

/** No store answered within this: then the request waits for nobody. */
const RETRY_AFTER_SECONDS = 1;

/**
 * RFC 9449 11.1: a proof is good once. Claimed last of all checks and atomically, so that neither a forged nor a misdirected proof can burn a
 * jti, and of two copies at once one passes. Fails closed: no answer is a refusal.
 */
export function rejectReplay(store: ReplayStore, clock: Clock): Stage<Authenticated, Unseen> {
  return (x) => {
    const { caller } = x;
    if (caller.kind === 'anonymous') return x as Unseen;
    const settle = (turn: Turn): Unseen | Denial => {
      if (turn === 'first') return x as Unseen;
      if (turn === 'seen') {
        const reason = caller.profile === 'dpop' ? 'dpop_replayed' : 'token_replayed';
        if (x.route.auth.mode !== 'permissive') return deny(reason);
        x.facts.wouldDeny = reason;
        return { ...x, caller: { kind: 'anonymous' } } as Authenticated as Unseen;
      }
      return deny(turn === 'full' ? 'replay_store_full' : 'replay_store_down', undefined, RETRY_AFTER_SECONDS);
    };
    const ttl = Math.max(1, caller.acceptableUntil - clock());
    const turn = store.claim(replayKey(caller.profile, caller.owner, caller.jti), ttl);
    return turn instanceof Promise ? turn.then(settle) : settle(turn);
  };
}
