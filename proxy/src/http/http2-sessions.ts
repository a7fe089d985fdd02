import http2, {
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../config/index.js';
import type { Reason } from '../pipeline/reason.js';
import type { Http2Facts } from './exchange.js';
import { gatherFrames } from './gather-pieces.js';
import { HeaderBlocks } from './header-blocks.js';
import type { Handle } from './intake.js';
import { WatchedSocket } from './watched-socket.js';

/** Connections that chose HTTP/2 (RFC 9113 3.2: over TLS, by ALPN). */
export interface Http2Sessions {
  take(socket: TLSSocket): void;
  /** GOAWAY: what is open goes on, nothing begins. */
  close(): void;
  /** What is left goes, now. */
  destroy(): void;
}

const MAX_STREAMS = 100;
/**
 * Streams that a client gives up: all of them twice over is its right, going on like that is not (rapid reset,
 * CVE-2023-44487).
 */
const RESET_BURST = 2 * MAX_STREAMS;
const RESETS_PER_SECOND = 33;
/** Of a body that its backend does not take; what a connection may have on its way is four of them. */
const STREAM_WINDOW_BYTES = 1 << 18;
/**
 * Without a stream, as long as HTTP/1.1 keeps a connection alive; before the first one `headersTimeoutSeconds`.
 * Bytes that begin no stream do not count: neither pings nor half a header block hold a session.
 */
const IDLE_MS = 65_000;
/** How long a client may take to see that its session is over. */
const LEAVE_MS = 2_000;
const SWEEP_MS = 250;
/** Header blocks up to these reach accept, which answers 431; of larger ones the stream or the session is ended. */
const SHOWN_HEADER_BYTES = 1 << 16;
const SHOWN_FIELDS = 2_048;
/**
 * Requests whose streams are open, or that the parser has yet to show: it lets in MAX_STREAMS, and resets the
 * others.
 */
const MAX_REQUESTS = 4 * MAX_STREAMS;

const { NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } = http2.constants;

interface Member {
  readonly session: ServerHttp2Session;
  readonly socket: TLSSocket;
  readonly blocks: HeaderBlocks;
  streams: number;
  /** Of `performance.now()`: without a stream, until when; over, until when the connection may stay. */
  until: number;
  over: boolean;
  /** Resets that it may still cause, as of `resetAt`. */
  resets: number;
  resetAt: number;
}

/** @param onDropped a request was dropped that never showed as one */
// eslint-disable-next-line max-lines-per-function -- one closure; to be cut into named steps
export function createHttp2Sessions(
  limits: Config['limits'],
  handle: Handle,
  onDropped: (reason: Reason, socket: TLSSocket) => void,
): Http2Sessions {
  const members = new Map<TLSSocket, Member>();
  let closing = false;
  const server = createServer(limits);
  const facts = new WeakMap<ServerHttp2Stream, Http2Facts>();
  const take = (message: http2.Http2ServerRequest) => {
    const { stream } = message;
    // Reset before anybody looked at it: there is nobody to answer, and no address to count it by.
    if (stream.destroyed || stream.closed) return;
    const known = facts.get(stream);
    if (known === undefined) return stream.close(NGHTTP2_PROTOCOL_ERROR);
    if (!stream.endAfterHeaders) gatherFrames(message);
    handle(Object.assign(message, { http2: known }), stream);
  };
  // CONNECT has no path (RFC 9113 8.5), and is refused for that; an unknown expectation by accept.
  server.on('request', take).on('connect', take).on('checkExpectation', take);

  const end = (member: Member) => {
    member.over = true;
    member.until = performance.now() + LEAVE_MS;
    member.session.destroy();
  };
  const endOf = (socket: TLSSocket) => {
    const member = members.get(socket);
    if (member?.over === false) end(member);
  };
  const close = (member: Member) => {
    if (member.streams === 0) end(member);
    else member.session.close();
  };
  /**
   * However a stream fails its client, by RST_STREAM or by frames that make us send one (CVE-2025-8671), it has
   * cost us a request.
   */
  const countReset = (member: Member) => {
    const now = performance.now();
    member.resets =
      Math.min(RESET_BURST, member.resets + ((now - member.resetAt) / 1000) * RESETS_PER_SECOND) - 1;
    member.resetAt = now;
    if (member.resets < 0) member.session.close();
  };
  /** A header block has begun, and nothing else can come before it is whole. */
  const isStalled = ({ blocks: { openSince } }: Member, now: number): boolean =>
    openSince !== undefined && now - openSince >= limits.headersTimeoutSeconds * 1000;
  const timer = setInterval(() => {
    const now = performance.now();
    for (const member of members.values()) {
      if (member.over) {
        if (member.until <= now) member.socket.destroy();
      } else if (member.session.destroyed) end(member);
      else if (isStalled(member, now) || (member.streams === 0 && member.until <= now)) {
        if (member.blocks.openSince !== undefined) onDropped('headers_stalled', member.socket);
        end(member);
      }
    }
  }, SWEEP_MS);
  timer.unref();

  const admit = (session: ServerHttp2Session, socket: TLSSocket, blocks: HeaderBlocks) => {
    session.setLocalWindowSize(4 * STREAM_WINDOW_BYTES);
    const member: Member = {
      session,
      socket,
      blocks,
      streams: 0,
      until: performance.now() + limits.headersTimeoutSeconds * 1000,
      over: false,
      resets: RESET_BURST,
      resetAt: performance.now(),
    };
    members.set(socket, member);
    socket.once('close', () => members.delete(socket));
    // Before node:http2 makes a request of it.
    session.prependListener('stream', (stream, _headers, _flags, raw) => {
      member.streams += 1;
      stream.once('close', () => {
        blocks.closed(stream.id!);
        member.streams -= 1;
        member.until = performance.now() + IDLE_MS;
        if (stream.aborted || stream.rstCode !== NGHTTP2_NO_ERROR) countReset(member);
      });
      const shown = blocks.shown(stream.id!, raw.length / 2);
      if (shown === 'dropped') return;
      facts.set(stream, { connection: socket, lacksFields: shown === 'lacking' });
      stream.on('trailers', (_trailers: IncomingHttpHeaders, _trailerFlags: number, lines: string[]) => {
        if (!blocks.trailersShown(stream.id!, lines.length / 2)) stream.close(NGHTTP2_PROTOCOL_ERROR);
      });
    });
    if (closing) close(member);
  };
  return {
    take(socket) {
      const blocks = new HeaderBlocks(
        { maxBytes: shownBytes(limits), maxRequests: MAX_REQUESTS },
        { onDropped: (reason) => onDropped(reason, socket), onOver: () => setImmediate(endOf, socket) },
      );
      server.once('session', (session) => admit(session, socket, blocks));
      server.emit('connection', new WatchedSocket(socket, blocks));
    },
    close() {
      closing = true;
      for (const member of members.values()) close(member);
    },
    destroy() {
      clearInterval(timer);
      for (const { session, socket } of members.values()) {
        session.destroy();
        socket.destroy();
      }
    },
  };
}

const shownBytes = ({ maxHeaderBytes }: Config['limits']): number =>
  Math.max(SHOWN_HEADER_BYTES, maxHeaderBytes);

const createServer = (limits: Config['limits']): Http2Server =>
  http2.createServer({
    settings: {
      enablePush: false,
      maxConcurrentStreams: MAX_STREAMS,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: shownBytes(limits),
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: Math.max(SHOWN_FIELDS, limits.maxHeaderCount + 8),
    // Within one read, which we cannot interrupt: nghttp2 reads no more then, but leaves the session open.
    // `countReset` closes it.
    streamResetBurst: 2 * RESET_BURST,
    streamResetRate: RESETS_PER_SECOND,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionMemory: 16,
  });
