import type { McpRoute, SecretsRoute } from '../config/index.js';
import type { Exchanged, Exchanger } from '../keys/key-source.js';
import type { Admitted, Outbound } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/** The authorization server did not answer: nobody knows for how long. */
const RETRY_AFTER_SECONDS = 1;

/** What reads a mounted credential as it is now; `undefined` while the file is missing or unusable. */
export type CredentialOf = (file: string) => string | undefined;

/**
 * Request fields of a client that an MCP server may see; everything else stays here: credentials, cookies,
 * Forwarded, Impersonate-*, hop-by-hop.
 */
const FORWARDED = new Set([
  'accept',
  'accept-language',
  'content-type',
  'content-encoding',
  'user-agent',
  'last-event-id',
  'traceparent',
  'tracestate',
]);
/**
 * Not with an underscore: backends that turn fields into variables (CGI, WSGI) would take `mcp-session_id` for
 * `mcp-session-id`. Mirrored parameters may have one: what follows the prefix is the parameter's own name, and
 * stands for no field that is checked here.
 */
const forwarded = (name: string) =>
  FORWARDED.has(name) || (name.startsWith('mcp-') && (!name.includes('_') || name.startsWith('mcp-param-')));

/** Builds the backend's request from an allow-list: what no rule lets through does not pass. */
export function rewrite(
  credentialOf: CredentialOf,
  exchangerOf: (route: McpRoute) => Exchanger | undefined,
): Stage<Admitted, Outbound> {
  return (x) => {
    if (x.route.kind === 'secrets') return rewriteSecret(x, x.route, credentialOf);
    const { route } = x;
    const exchanger = exchangerOf(route);
    if (exchanger === undefined) return rewriteMcp(x, route, credentialOf, undefined);
    // A strict route: parseConfig saw to it.
    if (x.caller.kind !== 'known')
      return deny('internal_error', 'an anonymous caller has no token to exchange');
    const settle = (exchanged: Exchanged): Outbound | Denial => {
      if (exchanged.kind === 'refused') return deny('exchange_refused');
      if (exchanged.kind === 'busy')
        return deny('exchange_unavailable', 'too many requests of this network wait for an exchange', {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
          addressIsToBlame: true,
        });
      if (exchanged.kind === 'unavailable')
        return deny('exchange_unavailable', exchanged.why, { retryAfterSeconds: RETRY_AFTER_SECONDS });
      return rewriteMcp(x, route, credentialOf, exchanged.token);
    };
    const exchanged = exchanger.exchange(x.caller.accessToken, x.caller.validity.expiresAt, x.network);
    return exchanged instanceof Promise ? exchanged.then(settle) : settle(exchanged);
  };
}

function rewriteMcp(
  x: Admitted,
  route: McpRoute,
  credentialOf: CredentialOf,
  exchanged: string | undefined,
): Outbound | Denial {
  const { credential } = route.backend;
  const headers = ['X-Request-Id', x.id];
  forwardHeaders(x, credential, headers);
  if (x.body !== undefined) headers.push('Content-Type', 'application/json');
  if (credential.kind === 'file') {
    const value = credentialOf(credential.file);
    if (value === undefined) return deny('credential_unavailable', credential.file);
    headers.push(credential.header, credential.prefix + value);
  } else if (credential.kind === 'verifiedToken' && x.caller.kind === 'known') {
    headers.push('Authorization', `Bearer ${x.caller.accessToken}`);
  }
  if (exchanged !== undefined) headers.push('Authorization', `Bearer ${exchanged}`);
  const path = backendPath(x.path, route);
  const framing = x.body !== undefined ? String(x.body.bytes.length) : x.framing;
  return grow(x, {
    upstream: {
      method: x.method,
      path: path + x.query,
      headers,
      framing,
      content: x.body,
      nameSession: x.session?.name,
      confidential: false,
    },
  });
}

const PATHS = new WeakMap<McpRoute, string>();

/**
 * The path of the backend's URL in place of the prefix, if the URL has one. Its "/" at the end stays where nothing
 * follows: to some servers `/mcp/` is another resource than `/mcp`.
 */
function backendPath(path: string, route: McpRoute): string {
  let base = PATHS.get(route);
  if (base === undefined) PATHS.set(route, (base = new URL(route.backend.url).pathname));
  if (base === '/') return path;
  const rest = route.pathPrefix === '/' ? path : path.slice(route.pathPrefix.length);
  return base.endsWith('/') && rest.startsWith('/') ? base + rest.slice(1) : base + rest;
}

/** Adds to `headers` those of the client that a backend may see. */
function forwardHeaders(x: Admitted, credential: McpRoute['backend']['credential'], headers: string[]): void {
  const { raw } = x.headers;
  const oneHop = listedInConnection(x);
  // The credential's own header is ours even where a client's would pass.
  const injected = credential.kind === 'file' ? credential.header : undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    // A body that was checked goes on as what it was checked as.
    if (x.body !== undefined && describesContent(name)) continue;
    if (!forwarded(name) || name === injected || oneHop?.includes(name) === true) continue;
    headers.push(raw[i]!, name === 'mcp-session-id' ? (x.session?.id ?? raw[i + 1]!) : raw[i + 1]!);
  }
}

const describesContent = (name: string): boolean => name === 'content-type' || name === 'content-encoding';

/** RFC 9110 7.6.1: what `Connection` names is for the gateway alone. */
function listedInConnection({ headers: { get, raw } }: Admitted): string[] | undefined {
  const value = get('connection');
  if (value === undefined || value === 'keep-alive') return undefined;
  return raw.flatMap((name, i) =>
    i % 2 === 0 && name.toLowerCase() === 'connection'
      ? raw[i + 1]!.toLowerCase()
          .split(',')
          .map((token) => token.trim())
      : [],
  );
}

/**
 * GET <prefix>/<name> of a listed Secret, or <prefix>/<name>/<key> where its keys are listed too. The API path
 * is built from the list, never from the request; the query is dropped (`watch`, `fieldSelector`).
 */
function rewriteSecret(x: Admitted, route: SecretsRoute, credentialOf: CredentialOf): Outbound | Denial {
  const { namespace, secretNames, secretKeys, tokenFile } = route.backend;
  const asked = x.path.slice(route.pathPrefix.length + 1);
  const [name, secretKey] = findListed(asked, secretNames, secretKeys) ?? [];
  if (name === undefined) return deny('secret_not_listed');
  const token = credentialOf(tokenFile);
  if (token === undefined) return deny('credential_unavailable', tokenFile);
  return grow(x, {
    upstream: {
      method: secretKey === undefined ? x.method : 'GET',
      path: `/api/v1/namespaces/${namespace}/secrets/${name}`,
      // kube-apiserver keeps a caller's Audit-ID: its log and ours join on it.
      headers: ['Accept', 'application/json', 'Audit-ID', x.id, 'Authorization', `Bearer ${token}`],
      framing: undefined,
      content: undefined,
      confidential: true,
      secretKey,
    },
  });
}

function findListed(
  asked: string,
  names: readonly string[],
  keysOf: SecretsRoute['backend']['secretKeys'],
): readonly [name: string, key: string | undefined] | undefined {
  for (const name of names) {
    if (!Object.hasOwn(keysOf, name)) {
      if (asked === name) return [name, undefined];
      continue;
    }
    const key = keysOf[name]!.find((k) => asked === `${name}/${k}`);
    if (key !== undefined) return [name, key];
  }
  return undefined;
}
