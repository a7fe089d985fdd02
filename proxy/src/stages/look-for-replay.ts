import type { Authenticated } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { replayKey } from '../replay/replay-key.js';
import type { ReplayStore } from '../replay/replay-store.js';

/**
 * Refuses a proof that is known to be used, before more is done for it than to look. Claims nothing: of two copies at
 * once both get past here, and `reject-replay` decides.
 */
export function lookForReplay(store: Pick<ReplayStore, 'peek'>): Stage<Authenticated, Authenticated> {
  return (x) => {
    const { caller } = x;
    // A permissive route lets it go on, as an anonymous caller: reject-replay says so.
    if (caller.kind === 'anonymous' || caller.once === undefined || x.route.auth.mode === 'permissive')
      return x;
    const { by, once } = caller;
    const settle = (used: boolean) => (used ? deny(by === 'dpop' ? 'dpop_replayed' : 'token_replayed') : x);
    const used = store.peek(replayKey(by, once.owner, once.jti));
    return used instanceof Promise ? used.then(settle) : settle(used);
  };
}
