import {
  decodeMcpHeader,
  methodFits,
  readCalls,
  requiresName,
  STATELESS_SINCE,
  WITHOUT_VERSION,
  type McpCall,
} from '../checks/mcp.js';
import type { Config, McpRoute, McpRule } from '../config/index.js';
import type { Authenticated, Permitted } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/**
 * The Model Context Protocol's own rules at the edge: the revision is one that is served, 2026-07-28 is POST with Mcp-Method (and Mcp-Name), and where the route
 * has an allow-list every message of the body fits a rule and the headers say what the body says. After authentication, which comes first for everybody; before the
 * proof is claimed, so that a refused message does not spend it.
 */
export function applyMcpPolicy({ limits }: Pick<Config, 'limits'>): Stage<Authenticated, Permitted> {
  return (x) => {
    const { route } = x;
    if (route.kind !== 'mcp') return grow(x, { body: undefined });
    const version = x.headers.get('mcp-protocol-version') ?? WITHOUT_VERSION;
    if (!(route.revisions as readonly string[]).includes(version))
      return deny('mcp_version_refused', `served: ${route.revisions.join(', ')}`);
    const stateless = version >= STATELESS_SINCE;
    if (stateless && x.method !== 'POST')
      return deny('method_not_allowed', `${STATELESS_SINCE} is POST only`);
    const named = namedInHeaders(x, stateless);
    if (named instanceof Denial) return named;
    const { allow } = route;
    if (allow === undefined || x.method !== 'POST') return grow(x, { body: undefined });
    const odd = unreadable(x);
    if (odd !== undefined) return deny('mcp_body_malformed', odd);
    return x.readBody(limits).then((body) => {
      if (body instanceof Denial) return body;
      const calls = readCalls(body);
      if (calls === undefined) return deny('mcp_body_malformed');
      const refused = disagrees(named, calls) ?? judgeCalls(x, calls, allow, route);
      return refused ?? grow(x, { body });
    });
  };
}

/** Rules are for what the backend reads: UTF-8 as it is, whatever the client would like it to be. */
function unreadable({ headers }: Authenticated): string | undefined {
  if (headers.get('content-encoding') !== undefined) return 'Content-Encoding';
  const charsets = [...(headers.get('content-type') ?? '').matchAll(/charset\s*=\s*"?([^\s";,]*)/gi)].map(
    ([, charset]) => charset!.toLowerCase(),
  );
  return charsets.every((charset) => charset === 'utf-8') ? undefined : 'charset';
}

/** What Mcp-Method and Mcp-Name say; required in 2026-07-28, read in any revision: a later hop may decide on them. */
function namedInHeaders({ headers, facts }: Authenticated, required: boolean): McpCall | Denial {
  const [method, name] = ['mcp-method', 'mcp-name'].map((field) => {
    const value = headers.get(field);
    return value === undefined ? undefined : (decodeMcpHeader(value) ?? null);
  });
  if (method === null || name === null) return deny('mcp_header_mismatch', 'not canonical base64');
  if (method !== undefined) facts.mcpMethod = method;
  if (name !== undefined) facts.mcpName = name;
  if (required && (method === undefined || (requiresName(method) && name === undefined)))
    return deny('mcp_header_missing');
  return { method, name };
}

function disagrees(named: McpCall, calls: readonly McpCall[]): Denial | undefined {
  if (named.method === undefined && named.name === undefined) return undefined;
  const [call] = calls;
  const same =
    calls.length === 1 &&
    (named.method === undefined || named.method === call!.method) &&
    (named.name === undefined || named.name === call!.name);
  return same ? undefined : deny('mcp_header_mismatch', 'the headers name another call than the body');
}

/** Every message must fit a rule whose scopes the caller has; answers to the server's own requests name no method and pass. */
function judgeCalls(
  { caller, facts }: Authenticated,
  calls: readonly McpCall[],
  allow: readonly McpRule[],
  route: McpRoute,
): Denial | undefined {
  const scopes = caller.kind === 'known' ? caller.scopes : [];
  for (const { method, name } of calls) {
    if (method === undefined) continue;
    facts.mcpMethod = method;
    if (name !== undefined) facts.mcpName = name;
    const fitting = allow.filter(
      (rule) =>
        methodFits(rule.method, method) &&
        (rule.names === undefined || (name !== undefined && rule.names.includes(name))),
    );
    if (fitting.length === 0)
      return deny('mcp_not_allowed', name === undefined ? method : `${method} ${name}`);
    if (fitting.some((rule) => rule.requiredScopes.every((scope) => scopes.includes(scope)))) continue;
    const required = [
      ...new Set([
        ...(route.auth.profile === 'selfSigned' ? [] : route.auth.requiredScopes),
        ...fitting[0]!.requiredScopes,
      ]),
    ];
    return deny('scope_insufficient', `${method} needs ${required.join(' ')}`, { scopes: required });
  }
  return undefined;
}
