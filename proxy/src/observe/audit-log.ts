import type { Received } from '../pipeline/evidence.js';
import type { Config } from '../config/index.js';
import { openLineSink, STDOUT, type LineSink } from './line-sink.js';
import { traceIdOf } from './trace.js';

export interface AuditLog {
  write(record: Readonly<Record<string, unknown>>): void;
  /** Resolves when everything written so far is where it belongs. */
  close(): Promise<void>;
}

const MAX_VALUE = 200;
/** How long records wait for company: made text and written together, each costs half of what it would alone. */
const GATHER_MS = 10;

export interface AuditSinkEvents {
  readonly auditLost: (lines: number) => void;
  readonly warn: (problem: string) => void;
}

/** The file that the config names, or standard output. */
export function openAuditSink({ file }: Config['audit'], { auditLost, warn }: AuditSinkEvents): LineSink {
  return openLineSink({
    to: file ?? STDOUT,
    onLost: (lines, why) => {
      auditLost(lines);
      warn(`audit: ${lines} line(s) lost: ${why}`);
    },
    onProblem: (problem) => warn(`audit: ${problem}`),
  });
}

/**
 * One JSON object a line. Records are gathered for some milliseconds and handed on together. JSON.stringify
 * escapes the controls below U+0020, so no value can start a line of its own (log injection); the others, and
 * what turns the direction of a line of text, are escaped here.
 */
export function createAuditLog(sink: LineSink): AuditLog {
  let gathered: Readonly<Record<string, unknown>>[] = [];
  const hand = () => {
    const records = gathered;
    gathered = [];
    if (records.length > 0) sink.write(records.map(lineOf).join(''));
  };
  return {
    write(record) {
      if (gathered.push(record) === 1) setTimeout(hand, GATHER_MS);
    },
    close() {
      hand();
      return sink.close();
    },
  };
}

const lineOf = (record: unknown): string => `${JSON.stringify(record).replace(UNSEEN, escaped)}\n`;
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
/** C1 controls, which terminals obey, line separators, and directional formatting (Unicode TR 9, 2). */
const UNSEEN = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export interface RequestResult {
  readonly status: number;
  readonly reason: string;
  readonly detail?: string | undefined;
  readonly upstream?: string | undefined;
  readonly bytes: number;
  /** Why the answer ended early; absent: it is whole. */
  readonly ended?: string | undefined;
  /** From the end of the request to the backend's header block. */
  readonly waitedMs?: number | undefined;
  readonly durationSeconds: number;
}

/** Every field that a line can have, in its order, and what it says: the allow-list, and docs/reference/audit.md. */
export const AUDIT_FIELDS = {
  time: 'when the request came, RFC 3339 with milliseconds, UTC',
  'request.id':
    "ours, never a client's: `X-Request-Id` of the answer and of the backend's request, `Audit-ID` of the " +
    'Kubernetes API',
  'trace.id':
    "of the client's `traceparent`, or where that has none of the trace that `tracing` began; it goes on to " +
    'the backend',
  'client.address': 'of the connection, or what a trusted peer says in `X-Forwarded-For`',
  'http.version': '`1.1`, `2` …: what the client spoke',
  'request.method': 'as sent',
  'request.path': 'as sent, without the query, where clients put secrets',
  'route.name': 'the route that matched',
  'response.status': 'what the client got; 499: it left before there was an answer',
  reason: '`ok`, or why the gateway refused: [errors.md](errors.md)',
  detail: 'of a refusal, for operators',
  would_deny: 'on a permissive route: why a strict one would have refused',
  'jwt.iss': 'of the token; from `jwt.iss` to `dpop.jti` also of a token or proof that was refused later',
  'jwt.sub': 'subject of the access token',
  'jwt.aud': 'the audience that fitted',
  'jwt.jti': 'id of the access token, or of the self-signed one',
  'jwt.kid': 'key of a self-signed token',
  'dpop.htm': 'method that the proof is for',
  'dpop.htu': 'URI that the proof is for',
  'dpop.jti': 'id of the proof',
  'dpop.jkt': 'RFC 7638 thumbprint of the key that signed the proof: verified',
  'mtls.x5t#S256': 'RFC 8705 thumbprint of the certificate that was shown',
  'mcp.method': 'JSON-RPC method, where the route has rules',
  'mcp.name': 'tool, prompt or resource, where the route has rules',
  upstream: 'host and port of the backend that answered',
  'upstream.wait_ms': "from the end of the request to the backend's header block",
  'response.bytes': 'of the body, as they went to the client',
  complete: 'false: the answer ended early',
  ended:
    'why it did: `token_expired`, `token_withdrawn`, `config_changed`, `too_long`, `idle`, ' +
    '`client_stalled`, `made_room`, `shutdown`, `client_gone`, `unreadable` (for the lists that the rules ' +
    'cut), `backend_cut`',
  duration_ms: "from the request's header block to the end of the answer",
} as const;

type Field = keyof typeof AUDIT_FIELDS;

/** What a line shows of a value. */
const cut = (value: string | undefined) =>
  value !== undefined && value.length > MAX_VALUE ? `${copyOf(value.slice(0, MAX_VALUE))}…` : value;
/** A slice would hold the whole value, maybe of a body of megabytes, until its line is written. */
const copyOf = (text: string): string => Buffer.from(text, 'utf16le').toString('utf16le');
const withoutQuery = (target: string): string => {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
};
const micros = (ms: number) => Math.round(ms * 1e3) / 1e3;

/** The date and the time of a second, which many lines share: `2026-01-31T23:59:59.`. */
const second = { at: NaN, text: '' };

/** RFC 3339, UTC, with milliseconds. Date writes a second once only: that is a hundredth of a request (measured). */
function timestamp(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  const at = Math.floor(ms / 1000);
  if (at !== second.at) Object.assign(second, { at, text: new Date(at * 1000).toISOString().slice(0, -4) });
  return `${second.text}${String(ms - at * 1000).padStart(3, '0')}Z`;
}

/** What a line says of a request; of bytes that are none only where they came from. */
export type Audited = Pick<Received, 'id' | 'receivedAt' | 'address' | 'headers' | 'facts' | 'trace'> &
  Partial<Pick<Received, 'version' | 'method' | 'target'>>;

/** No header, token, proof or body has a way in. `undefined` fields do not appear. */
export function auditRecord(received: Audited, c: RequestResult): Readonly<Record<Field, unknown>> {
  const { facts } = received;
  return {
    time: timestamp(received.receivedAt),
    'request.id': received.id,
    'trace.id': received.trace?.id ?? traceIdOf(received.headers.get('traceparent')),
    'client.address': received.address,
    'http.version': cut(received.version),
    'request.method': cut(received.method),
    'request.path': cut(received.target && withoutQuery(received.target)),
    'route.name': facts.route,
    'response.status': c.status,
    reason: c.reason,
    detail: cut(c.detail),
    would_deny: facts.wouldDeny,
    'jwt.iss': cut(facts.issuer),
    'jwt.sub': cut(facts.subject),
    'jwt.aud': cut(facts.audience),
    'jwt.jti': cut(facts.tokenId),
    'jwt.kid': cut(facts.keyId),
    'dpop.htm': cut(facts.htm),
    'dpop.htu': cut(facts.htu),
    'dpop.jti': cut(facts.proofId),
    'dpop.jkt': facts.jkt,
    'mtls.x5t#S256': facts.certificate,
    'mcp.method': cut(facts.mcpMethod),
    'mcp.name': cut(facts.mcpName),
    upstream: c.upstream,
    'upstream.wait_ms': c.waitedMs === undefined ? undefined : micros(c.waitedMs),
    'response.bytes': c.bytes,
    complete: c.ended === undefined,
    ended: c.ended,
    duration_ms: micros(c.durationSeconds * 1e3),
  };
}
