/**
 * Every attribute that a span can have, and what it says: the allow-list, and docs/reference/traces.md. Names
 * without "agentgateway" are those of the OpenTelemetry semantic conventions for HTTP, stable.
 */
import type { Received, RequestEnd, UpstreamRequest } from '../pipeline/evidence.js';

export const SERVER_ATTRIBUTES = {
  'http.request.method': 'as sent; `_OTHER` for one that HTTP does not define',
  'http.route': 'path prefix of the route that matched',
  'http.response.status_code': 'what the client got; 499: it left before there was an answer',
  'url.scheme': 'of the first of `publicOrigins`, as clients see it',
  'url.path': 'as sent, without the query, where clients put secrets',
  'server.address': 'of the first of `publicOrigins`; never taken from Host',
  'server.port': 'likewise',
  'client.address': 'of the connection, or what a trusted peer says in `X-Forwarded-For`',
  'network.protocol.version': 'of HTTP',
  'error.type': 'the reason of a refusal, or the status of an answer from 500 up',
  'agentgateway.request_id': '`request.id` of the audit line',
  'agentgateway.route': 'name of the route that matched',
  'agentgateway.reason': '`ok`, or why the gateway refused: [errors.md](errors.md)',
  'agentgateway.would_deny': 'on a permissive route: why a strict one would have refused',
  'agentgateway.ended': 'why the answer ended early: `ended` in [audit.md](audit.md)',
} as const;

export const CLIENT_ATTRIBUTES = {
  'http.request.method': 'as the backend gets it',
  'http.response.status_code': 'what the backend answered, where it did',
  'url.full': 'without the query',
  'server.address': 'host of the backend',
  'server.port': 'its port',
  'error.type': 'its status from 400 up, or why it came to nothing',
} as const;

type Attributes<Table> = { readonly [Name in keyof Table]: string | number | undefined };

/** What semantic conventions know as methods (RFC 9110 9, RFC 5789): any other would be a name of the client's. */
const METHODS = ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'];
export const methodOf = (method: string): string => (METHODS.includes(method) ? method : '_OTHER');

const withoutQuery = (target: string) => target.split(/[?#]/, 1)[0]!;

/** No header, token, proof, body or claim has a way in. */
export function serverAttributes(
  { id, facts, method, target, address, version }: Received,
  origin: URL,
  { status, reason, route, cutShort }: RequestEnd,
): Attributes<typeof SERVER_ATTRIBUTES> {
  return {
    'http.request.method': methodOf(method),
    'http.route': route,
    'http.response.status_code': status,
    'url.scheme': origin.protocol.slice(0, -1),
    // The absolute form (RFC 9112 3.2.2) can carry a user's name and password.
    'url.path': target.startsWith('/') ? withoutQuery(target) : undefined,
    ...serverOf(origin),
    'client.address': address,
    'network.protocol.version': version,
    'error.type': reason === 'ok' ? statusFrom(500, status) : reason,
    'agentgateway.request_id': id,
    'agentgateway.route': facts.route,
    'agentgateway.reason': reason,
    'agentgateway.would_deny': facts.wouldDeny,
    'agentgateway.ended': cutShort,
  };
}

export function clientAttributes(
  { method, path }: UpstreamRequest,
  origin: URL,
  status: number | undefined,
  problem: string | undefined,
): Attributes<typeof CLIENT_ATTRIBUTES> {
  return {
    'http.request.method': methodOf(method),
    'http.response.status_code': status,
    'url.full': origin.origin + withoutQuery(path),
    ...serverOf(origin),
    'error.type': problem ?? statusFrom(400, status),
  };
}

const statusFrom = (least: number, status: number | undefined): string | undefined =>
  status !== undefined && status >= least ? String(status) : undefined;

function serverOf({ protocol, hostname, port }: URL): {
  readonly 'server.address': string;
  readonly 'server.port': number;
} {
  const defaultPort = protocol === 'https:' ? 443 : 80;
  return { 'server.address': hostname, 'server.port': port === '' ? defaultPort : Number(port) };
}
