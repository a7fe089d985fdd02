import { ownedSession, sessionOwnedBy } from '../checks/session-tag.js';
import type { Route } from '../config/index.js';
import type { SessionKeys } from '../keys/key-source.js';
import type { Permitted } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/**
 * An MCP session is the caller's that began it: its id carries a tag that only this gateway makes, and for
 * nobody else. A backend that is called with the gateway's credential, or with none, would serve a session to
 * whoever names it. Before the proof is claimed, so that who is told to begin anew has not spent one.
 */
export function bindSession(keys: SessionKeys): Stage<Permitted, Permitted> {
  return (x) => {
    if (!isBound(x.route)) return x;
    const owner = ownerOf(x);
    const name = (id: string) => ownedSession(keys.current(), owner, id);
    const asked = x.headers.get('mcp-session-id');
    if (asked === undefined) return grow(x, { session: { id: undefined, name } });
    const id = sessionOwnedBy(keys.accepted(), owner, asked);
    return id === undefined
      ? deny('mcp_session_gone', 'no session of this caller has this id')
      : grow(x, { session: { id, name } });
  };
}

/** Not where the backend gets a token of the caller's own, and decides by it; nor where nobody is refused at all. */
const isBound = (route: Route): boolean =>
  route.kind === 'mcp' && route.backend.credential.kind !== 'exchange' && route.auth.mode !== 'permissive';

const ownerOf = ({ route, caller, facts }: Permitted): string =>
  JSON.stringify(
    caller.kind === 'known'
      ? [route.name, caller.by, caller.identity, facts.issuer, facts.subject]
      : [route.name, caller.kind],
  );
