import {
  decodeMcpHeader,
  readCalls,
  requiresName,
  STATELESS_SINCE,
  WITHOUT_VERSION,
  type McpCall,
} from '../checks/mcp.js';
import { cutLists, hidesSome } from '../checks/mcp-lists.js';
import { decideCall, hiddenReference, type RuleRefusal } from '../checks/mcp-rules.js';
import type { Config, McpRoute, McpRule } from '../config/index.js';
import { callerName, type Authenticated, type Permitted, type WholeBody } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, then, type Stage } from '../pipeline/stage.js';

/**
 * The own rules of MCP, the Model Context Protocol, at the edge: the revision is one that is served, 2026-07-28 is POST
 * with Mcp-Method (and Mcp-Name), and where the route has an allow-list every message of the body fits a rule
 * and the headers say what the body says. After authentication, which comes first for everybody; before the
 * proof is claimed, so that a refused message does not spend it.
 * @param beforeBody what a request must pass before its body is read for that
 */
export function applyMcpPolicy(
  { limits, routes }: Pick<Config, 'limits' | 'routes'>,
  beforeBody: Stage<Authenticated, Authenticated>,
): Stage<Authenticated, Permitted> {
  const hiding = new Set(routes.filter((route) => route.kind === 'mcp' && hidesSome(route.allow)));
  const permit = (x: Authenticated, body: WholeBody | undefined): Permitted => {
    const { allow } = x.route as McpRoute;
    return hiding.has(x.route)
      ? grow(x, { body, cutLists: (text: string) => cutLists(text, allow!, x.caller) })
      : grow(x, { body });
  };
  return (x) => {
    const { route } = x;
    if (route.kind !== 'mcp') return grow(x, { body: undefined });
    const named = namedInHeaders(x);
    if (named instanceof Denial) return named;
    const mismatch = headerMismatch(x, route, named);
    const { allow } = route;
    if (x.method !== 'POST') return mismatch?.denial ?? permit(x, undefined);
    if (allow === undefined && mismatch === undefined) return permit(x, undefined);
    const odd = unreadable(x);
    if (odd !== undefined) return mismatch?.denial ?? deny('mcp_body_malformed', odd);
    const checkBody = async (): Promise<Permitted | Denial> => {
      const body = await x.readBody(limits, callerName(x.caller));
      if (body instanceof Denial) return body;
      const calls = readCalls(body.bytes);
      if (calls === undefined) return mismatch?.denial ?? deny('mcp_body_malformed');
      x.rpcId = answerableId(calls);
      if (mismatch !== undefined && !calls.every(mismatch.excusedBy)) return mismatch.denial;
      const refused =
        disagrees(named, calls) ??
        revisionDisagrees(x, calls) ??
        (allow === undefined ? undefined : checkCalls(x, calls, allow, route));
      return refused ?? permit(x, body);
    };
    return then(beforeBody, checkBody)(x);
  };
}

/** What the header fields lack. The body is read before it is refused: its message may need none, or has an id. */
interface HeaderMismatch {
  readonly denial: Denial;
  /** Where every message of the body is such a one, nothing is lacking. */
  readonly excusedBy: (call: McpCall) => boolean;
}

const nothing = (): boolean => false;

function headerMismatch(
  { headers, method }: Authenticated,
  route: McpRoute,
  named: Named,
): HeaderMismatch | undefined {
  const stated = headers.get('mcp-protocol-version');
  const version = stated ?? WITHOUT_VERSION;
  if (!serves(route, version)) {
    const denial = versionDenial(version, route);
    if (stated !== undefined) return { denial, excusedBy: nothing };
    // Who begins a session says in the body what it speaks, and nothing in the header.
    return { denial, excusedBy: ({ revision }) => revision !== undefined && serves(route, revision) };
  }
  if (version < STATELESS_SINCE) return undefined;
  if (method !== 'POST')
    return { denial: deny('method_not_allowed', `${STATELESS_SINCE} is POST only`), excusedBy: nothing };
  if (named.method === undefined)
    return { denial: deny('mcp_header_missing'), excusedBy: ({ notification }) => notification };
  const unnamed = requiresName(named.method) && named.name === undefined;
  return unnamed ? { denial: deny('mcp_header_missing'), excusedBy: nothing } : undefined;
}

/** Longer than any revision's name: what a client sends is not given back at length. */
const MAX_ECHO = 128;

const versionDenial = (version: string, { revisions }: McpRoute): Denial =>
  deny('mcp_version_refused', `served: ${revisions.join(', ')}`, {
    data: { supported: revisions, requested: version.slice(0, MAX_ECHO) },
  });

/** Of a single request: where an error goes. A batch has several, and gets one that names none. */
function answerableId(calls: readonly McpCall[]): string | number | undefined {
  const id = calls.length === 1 ? calls[0]!.id : undefined;
  if (typeof id === 'string') return id.length <= MAX_ECHO ? id : undefined;
  // What JavaScript cannot hold exactly would go back as another number.
  return Number.isInteger(id) && !Number.isSafeInteger(id) ? undefined : id;
}

const serves = ({ revisions }: McpRoute, version: string): boolean =>
  (revisions as readonly string[]).includes(version);

/** Rules are for what the backend reads: UTF-8 as it is, whatever the client would like it to be. */
function unreadable({ headers }: Authenticated): string | undefined {
  if (headers.get('content-encoding') !== undefined) return 'Content-Encoding';
  const charsets = [...(headers.get('content-type') ?? '').matchAll(/charset\s*=\s*"?([^\s";,]*)/gi)].map(
    ([, charset]) => charset!.toLowerCase(),
  );
  return charsets.every((charset) => charset === 'utf-8') ? undefined : 'charset';
}

type Named = Pick<McpCall, 'method' | 'name'>;

/** What Mcp-Method and Mcp-Name say, in any revision: a later hop may decide on them. */
function namedInHeaders({ headers, facts }: Authenticated): Named | Denial {
  const [method, name] = ['mcp-method', 'mcp-name'].map((field) => {
    const value = headers.get(field);
    return value === undefined ? undefined : (decodeMcpHeader(value) ?? null);
  });
  if (method === null || name === null) return deny('mcp_header_mismatch', 'not canonical base64');
  if (method !== undefined) facts.mcpMethod = method;
  if (name !== undefined) facts.mcpName = name;
  return { method, name };
}

function disagrees(named: Named, calls: readonly McpCall[]): Denial | undefined {
  if (named.method === undefined && named.name === undefined) return undefined;
  const [call] = calls;
  const same =
    calls.length === 1 &&
    (named.method === undefined || named.method === call!.method) &&
    (named.name === undefined || named.name === call!.name);
  return same ? undefined : deny('mcp_header_mismatch', 'the headers name another call than the body');
}

/**
 * A server may go by `_meta` where we went by the field (MCP 2026-07-28, transports). A message that names a revision
 * there has the field, too, and the same in it.
 */
function revisionDisagrees({ headers }: Authenticated, calls: readonly McpCall[]): Denial | undefined {
  const stated = headers.get('mcp-protocol-version');
  const other = calls.find(({ metaRevision }) => metaRevision !== undefined && metaRevision !== stated);
  return other && deny('mcp_header_mismatch', `MCP-Protocol-Version ${stated}, _meta ${other.metaRevision}`);
}

/**
 * Every message must fit a rule that is for the caller, and so must what it points at; answers to the server's own
 * requests name no method and pass.
 */
function checkCalls(
  { caller, facts }: Authenticated,
  calls: readonly McpCall[],
  allow: readonly McpRule[],
  route: McpRoute,
): Denial | undefined {
  for (const { method, name, refersTo } of calls) {
    if (method === undefined) continue;
    facts.mcpMethod = method;
    if (name !== undefined) facts.mcpName = name;
    const decision = decideCall(allow, caller, method, name);
    if (decision.kind !== 'allowed') return denialOf(decision, method, name, route);
    const hidden = refersTo && hiddenReference(allow, caller, refersTo);
    if (hidden !== undefined) return denialOf(hidden.refusal, refersTo!.usedBy, hidden.name, route);
  }
  return undefined;
}

function denialOf(
  refusal: RuleRefusal,
  method: string,
  name: string | undefined,
  { auth }: McpRoute,
): Denial {
  if (refusal.kind === 'not_allowed') return notAllowed(method, name);
  const ofRoute = auth.profile === 'selfSigned' ? [] : auth.requiredScopes;
  const required = [...new Set([...ofRoute, ...refusal.scopes])];
  return deny('scope_insufficient', `${method} needs ${required.join(' ')}`, { scopes: required });
}

/** Says which rule the route would need, as its config would have it. */
function notAllowed(method: string, name: string | undefined): Denial {
  const rule =
    name === undefined
      ? { method: method.slice(0, MAX_ECHO) }
      : { method: method.slice(0, MAX_ECHO), names: [name.slice(0, MAX_ECHO)] };
  const detail = name === undefined ? method : `${method} ${name}`;
  return deny('mcp_not_allowed', detail, { data: { missingRule: rule } });
}
