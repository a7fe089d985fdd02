import { ServerResponse, type IncomingMessage } from 'node:http';
import {
  constants,
  type Http2ServerRequest,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** A client's request, of either protocol. */
export type ClientMessage = Readable &
  Pick<
    IncomingMessage,
    'method' | 'url' | 'httpVersion' | 'headers' | 'rawHeaders' | 'complete' | 'socket'
  > & {
    /** Absent: it is of HTTP/1.1. */
    readonly http2?: Http2Facts;
  };
/** What node:http2 does not say of a request. */
export interface Http2Facts {
  readonly connection: TLSSocket;
  /** Its parser dropped some as malformed (RFC 9113 8.2.1). */
  readonly lacksFields: boolean;
}
/**
 * Its answer. Of HTTP/2 the stream itself: node's own imitation of a ServerResponse says `finish` of answers
 * that were cut, and nothing of a HEAD that was.
 */
export type ClientAnswer = Writable & { readonly headersSent: boolean };

const { NGHTTP2_NO_ERROR } = constants;
/** RFC 9113 8.2.2: they speak of a connection, and are malformed here. */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'http2-settings',
]);
/** An answer of our own, a few hundred bytes, that its client's window does not let out by then is given up. */
const TAKE_MS = 5_000;

/** The stream of a request of HTTP/2. */
export const streamOf = (message: ClientMessage): ServerHttp2Stream | undefined =>
  (message as Partial<Http2ServerRequest>).stream;

/** @param headers name, value …, a name maybe more than once */
export function beginAnswer(response: ClientAnswer, status: number, headers: readonly string[]): void {
  if (response instanceof ServerResponse) return void response.writeHead(status, headers as string[]);
  const stream = response as ServerHttp2Stream;
  if (!stream.destroyed && !stream.closed) stream.respond(http2Fields(status, headers));
}

/**
 * Challenges stand apart as they were given, since many readers split a list of them wrongly; other fields that
 * stand more than once become one list, which is the same (RFC 9110 5.3): node:http2 throws at a second line of
 * what it holds to be single.
 */
function http2Fields(status: number, headers: readonly string[]): OutgoingHttpHeaders {
  const fields = Object.assign(Object.create(null) as OutgoingHttpHeaders, { ':status': status });
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    const value = headers[i + 1]!;
    const before = fields[name];
    if (CONNECTION_SPECIFIC.has(name)) continue;
    if (before === undefined) fields[name] = value;
    else
      fields[name] =
        name === 'www-authenticate' ? [before, value].flat().map(String) : `${String(before)}, ${value}`;
  }
  return fields;
}

/** The header block at once, without waiting for the body; HTTP/2 never waits. */
export function flushHead(response: ClientAnswer): void {
  if (response instanceof ServerResponse) response.flushHeaders();
}

/**
 * An answer that is there as a whole. What is unread of the request ends with it: on HTTP/1.1 with the
 * connection, if `headers` say so, on HTTP/2 with the stream (RFC 9113 8.1).
 */
export function answerWhole(
  message: ClientMessage,
  response: ClientAnswer,
  status: number,
  headers: readonly string[],
  body: string | Buffer,
): void {
  const unread = hasUnreadBody(message);
  beginAnswer(
    response,
    status,
    status === 204 ? headers : [...headers, 'Content-Length', String(Buffer.byteLength(body))],
  );
  const stream = streamOf(message);
  if (stream !== undefined) {
    const timer = setTimeout(() => cutOff(response), TAKE_MS);
    stream.once('close', () => clearTimeout(timer));
    if (unread) whenFinished(response, () => stream.close(NGHTTP2_NO_ERROR));
  }
  response.end(message.method === 'HEAD' || status === 204 ? undefined : body);
}

/**
 * When the client's side has taken all of an answer that was ended. node:http2 ends answers without a body
 * itself, that to HEAD before there is one; and it may close a stream whose last byte went out before it says
 * `finish`.
 */
export function whenFinished(response: ClientAnswer, then: () => void): void {
  if (response.writableFinished) return then();
  response.once('finish', then);
  if (response instanceof ServerResponse) return;
  const stream = response as ServerHttp2Stream;
  stream.prependOnceListener('close', () => {
    if (!stream.aborted && stream.rstCode === NGHTTP2_NO_ERROR) then();
  });
}

/**
 * Ends an answer so that its client sees that it is not whole. Of a stream only this resets it with
 * INTERNAL_ERROR: `destroy()` does with NO_ERROR, and `close(code)` sends a clean END_STREAM first.
 */
export function cutOff(response: ClientAnswer): void {
  response.destroy(response instanceof ServerResponse ? undefined : new Error('cut off'));
}

/** HTTP/1.1: no further request on this connection. HTTP/2 says it once, of the session. */
export function announceClose(response: ClientAnswer): void {
  if (response instanceof ServerResponse) response.setHeader('Connection', 'close');
}

/**
 * Whether a body announced by the header block may still be on its way. An answer that does not wait for it
 * ends what carries it: nobody keeps the pace of what nobody reads. `message.complete` alone says no of every
 * request while its header block is handled.
 */
export function hasUnreadBody(message: ClientMessage): boolean {
  const { complete, headers } = message;
  if (complete) return false;
  return (
    streamOf(message)?.endAfterHeaders === false ||
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) !== 0
  );
}

/** At `end`: whether the body is. HTTP/2 says `end` of one that was reset half-way, too. */
export function cameWhole(message: ClientMessage): boolean {
  const stream = streamOf(message);
  return stream === undefined || (!stream.aborted && stream.rstCode === NGHTTP2_NO_ERROR);
}

/** Gives up the rest of a request that was answered: with its connection, or only its stream. */
export function giveUp(message: ClientMessage): void {
  const stream = streamOf(message);
  if (stream === undefined) message.socket.destroy();
  else stream.close(NGHTTP2_NO_ERROR);
}

/**
 * When the client left, also after its answer: of the message node:http says nothing any more then. Returns
 * what stops listening.
 */
export function onceGone(message: ClientMessage, gone: () => void): () => void {
  const carrier: Readable = streamOf(message) ?? message.socket;
  carrier.once('close', gone);
  return () => {
    carrier.off('close', gone);
  };
}
