import type { Authenticated } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';
import { replayKey } from '../replay/replay-key.js';
import type { ReplayStore } from '../replay/replay-store.js';

/**
 * Refuses a proof that is known to be used, before more is done for it than to look. Claims nothing: of two copies at
 * once both get past here, and `reject-replay` decides. A permissive route takes its caller for anonymous from here on:
 * a copy of a proof costs its owner nothing.
 */
export function lookForReplay(store: Pick<ReplayStore, 'peek'>): Stage<Authenticated, Authenticated> {
  return (x) => {
    const { caller } = x;
    if (caller.kind === 'anonymous' || caller.proofUse === undefined) return x;
    const { by, proofUse } = caller;
    const settle = (used: boolean) => {
      if (!used) return x;
      const reason = by === 'dpop' ? 'dpop_replayed' : 'token_replayed';
      if (x.route.auth.mode !== 'permissive') return deny(reason);
      x.facts.wouldDeny = reason;
      return grow(x, { caller: { kind: 'anonymous' } as const });
    };
    const used = store.peek(replayKey(by, proofUse.owner, proofUse.jti));
    return used instanceof Promise ? used.then(settle) : settle(used);
  };
}
