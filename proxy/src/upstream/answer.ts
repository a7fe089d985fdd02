import { publicLocation, type PublicPlace } from '../checks/location.js';
import { deny, type Denial } from '../pipeline/reason.js';

/**
 * Fields of a backend's answer that stay here: hop-by-hop (RFC 9110 7.6.1), its cookies and its name, challenges,
 * which speak of a credential that the client does not have, and `Refresh`, which is a redirect to browsers.
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
  'refresh',
]);

export interface AnswerHeaders {
  /** name, value … as the client gets them. */
  readonly headers: string[];
  readonly length: string | undefined;
}

export interface AnswerContext {
  /** A Secret's answer carries its type and length alone, and is never cached. */
  readonly confidential: boolean;
  /** What the gateway adds: name, value … */
  readonly extra: readonly string[];
  /** Makes the id of a session its caller's. */
  readonly nameSession: ((id: string) => string) | undefined;
  /** That was asked of the backend: its relative locations begin there. */
  readonly requestPath: string;
  /** Where clients find what the backend speaks of. */
  readonly place: PublicPlace | undefined;
  /** Of the backend, as the client can use it. */
  readonly challenge: string | undefined;
  /** Field that is for the gateway alone. */
  readonly answerMark: string | undefined;
  readonly isEventStream: boolean;
}

/** Reads the raw lines once: Node's own object is made at its first use and costs more than all of this. */
export function answerHeaders(raw: readonly string[], context: AnswerContext): AnswerHeaders {
  const { confidential, extra, challenge, isEventStream } = context;
  const ours = ownFields(context);
  const headers: string[] = [];
  let length: string | undefined;
  let listed: string[] | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (name === 'content-length') length = raw[i + 1]!;
    if (name === 'connection') listed = [...(listed ?? []), ...connectionOptions(raw[i + 1]!)];
    if (KEPT_BACK.has(name) || isReplaced(name, ours)) continue;
    const value = shownValue(name, raw[i + 1]!, context);
    if (value !== undefined) headers.push(raw[i]!, value);
  }
  if (confidential) return { headers: confidentialHeaders(extra, length), length };
  const shown = withoutListed(headers, listed);
  shown.push(...extra);
  if (ours.nonce) shown.push('Cache-Control', 'no-store');
  if (challenge !== undefined) shown.push('WWW-Authenticate', challenge);
  // nginx, and what speaks its language, would hold events until a buffer is full.
  if (isEventStream) shown.push('X-Accel-Buffering', 'no');
  return { headers: shown, length };
}

/** A field as the client gets it; `undefined`: it doesn't. */
function shownValue(
  name: string,
  value: string,
  { nameSession, requestPath, place, isEventStream }: AnswerContext,
): string | undefined {
  switch (name) {
    case 'location':
    case 'content-location':
      // Else it would name what only the backend's network knows, or send a browser elsewhere in our name.
      return place && publicLocation(value, requestPath, place);
    case 'mcp-session-id':
      return nameSession === undefined ? value : nameSession(value);
    case 'x-accel-buffering':
      return isEventStream ? undefined : value;
    default:
      return value;
  }
}

/** Which of the fields that the gateway adds take the place of the backend's. */
interface OwnFields {
  /** A DPoP-Nonce, with which an answer must not be cached (RFC 9449 8.2). */
  readonly nonce: boolean;
  readonly rateLimit: boolean;
  readonly cors: boolean;
  /** Nothing takes its place. */
  readonly answerMark: string | undefined;
}

const ownFields = ({ extra, answerMark }: AnswerContext): OwnFields => ({
  answerMark,
  nonce: extra.includes('DPoP-Nonce'),
  rateLimit: extra.includes('RateLimit'),
  cors: extra.includes('Access-Control-Allow-Origin'),
});

const isReplaced = (name: string, { nonce, rateLimit, cors, answerMark }: OwnFields): boolean =>
  name === answerMark ||
  (nonce && name === 'cache-control') ||
  (rateLimit && name.startsWith('ratelimit')) ||
  (cors && name.startsWith('access-control-'));

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
function confidentialAnswer(status: number): Denial | undefined {
  if (status === 200) return undefined;
  if (status === 404) return deny('secret_absent');
  if (status === 401 || status === 403) return deny('upstream_refused', `status ${status}`);
  return deny('upstream_failed', `status ${status}`);
}

/** What the client is told instead of the backend's answer; absent: it gets that. */
export function refusedAnswer(status: number, confidential: boolean): Denial | undefined {
  if (confidential) return confidentialAnswer(status);
  // The backend's quarrel is with our credential, not with the client's proof: a 401 would send the client for
  // a new token.
  if (status === 401 || status === 407) return deny('upstream_refused', `status ${status}`);
  // RFC 9110 15: no such status is valid.
  if (status < 200 || status > 599) return deny('upstream_failed', `status ${status}`);
  return undefined;
}
