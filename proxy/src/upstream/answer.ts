import { deny, type Denial } from '../pipeline/reason.js';

/**
 * Fields of a backend's answer that stay here: hop-by-hop (RFC 9110 7.6.1), its cookies and its name, and
 * challenges, which speak of a credential that the client does not have.
 */
const KEPT_BACK = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'server',
  'x-powered-by',
  'www-authenticate',
  'dpop-nonce',
  'x-request-id',
  'alt-svc',
]);

export interface AnswerHeaders {
  /** name, value … as the client gets them. */
  readonly headers: string[];
  readonly length: string | undefined;
}

/**
 * Reads the raw lines once: Node's own object is made at its first use and costs more than all of this. A
 * Secret's answer carries its type and length alone, and is never cached.
 *
 * @param extra what the gateway adds: name, value …
 * @param nameSession makes the id of a session its caller's
 */
export function answerHeaders(
  raw: readonly string[],
  confidential: boolean,
  extra: readonly string[],
  nameSession: ((id: string) => string) | undefined,
): AnswerHeaders {
  const ours = ownFields(extra);
  const headers: string[] = [];
  let length: string | undefined;
  let listed: string[] | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    const value = raw[i + 1]!;
    if (name === 'content-length') length = value;
    if (name === 'connection') listed = [...(listed ?? []), ...connectionOptions(value)];
    if (KEPT_BACK.has(name) || isReplaced(name, ours) || isForeignLocation(name, value)) continue;
    headers.push(
      raw[i]!,
      name === 'mcp-session-id' && nameSession !== undefined ? nameSession(value) : value,
    );
  }
  if (confidential) return { headers: confidentialHeaders(extra, length), length };
  headers.push(...extra);
  if (ours.nonce) headers.push('Cache-Control', 'no-store');
  return { headers: withoutListed(headers, listed), length };
}

/** Which of the fields that the gateway adds take the place of the backend's. */
interface OwnFields {
  /** A DPoP-Nonce, with which an answer must not be cached (RFC 9449 8.2). */
  readonly nonce: boolean;
  readonly rateLimit: boolean;
  readonly cors: boolean;
}

const ownFields = (extra: readonly string[]): OwnFields => ({
  nonce: extra.includes('DPoP-Nonce'),
  rateLimit: extra.includes('RateLimit'),
  cors: extra.includes('Access-Control-Allow-Origin'),
});

const isReplaced = (name: string, { nonce, rateLimit, cors }: OwnFields): boolean =>
  (nonce && name === 'cache-control') ||
  (rateLimit && name.startsWith('ratelimit')) ||
  (cors && name.startsWith('access-control-'));

/** A location with a name that only the backend's network knows. */
const isForeignLocation = (name: string, value: string): boolean =>
  (name === 'location' || name === 'content-location') && !/^\/(?!\/)/.test(value);

/** RFC 9110 7.6.1: names of fields, among others, in any case. */
const connectionOptions = (value: string): string[] =>
  value
    .toLowerCase()
    .split(',')
    .map((option) => option.trim());

function confidentialHeaders(extra: readonly string[], length: string | undefined): string[] {
  const headers = [...extra, 'Content-Type', 'application/json', 'Cache-Control', 'no-store'];
  if (length !== undefined) headers.push('Content-Length', length);
  return headers;
}

/** Without the fields that Connection names, but for those that are never one hop's own. */
function withoutListed(headers: string[], listed: readonly string[] | undefined): string[] {
  if (listed === undefined) return headers;
  const dropped = listed.filter((option) => !NOT_DROPPED.has(option));
  return dropped.length === 0 ? headers : without(headers, dropped);
}

const NOT_DROPPED = new Set(['keep-alive', 'close', 'content-length']);

function without(headers: readonly string[], names: readonly string[]): string[] {
  return headers.filter((_, i) => !names.includes(headers[i - (i % 2)]!.toLowerCase()));
}

/** What the Kubernetes API said, mapped: its own text could name objects that the caller may not know of. */
export function confidentialAnswer(status: number): Denial | undefined {
  if (status === 200) return undefined;
  if (status === 404) return deny('secret_absent');
  if (status === 401 || status === 403) return deny('upstream_refused', `status ${status}`);
  return deny('upstream_failed', `status ${status}`);
}
