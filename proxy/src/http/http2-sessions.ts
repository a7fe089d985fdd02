import http2, { type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Config } from '../config/index.js';
import type { ClientAnswer, ClientMessage } from './exchange.js';
import { gatherFrames } from './gather-pieces.js';

/** Connections that chose HTTP/2 (RFC 9113 3.2: over TLS, by ALPN). */
export interface Http2Sessions {
  take(socket: TLSSocket): void;
  /** GOAWAY: what is open goes on, nothing begins. */
  close(): void;
  /** What is left goes, now. */
  destroy(): void;
}

export type Handle = (message: ClientMessage, response: ClientAnswer) => void;

const MAX_STREAMS = 100;
/** Streams that a client gives up: all of them twice over is its right, going on like that is not (rapid reset, CVE-2023-44487). */
const RESET_BURST = 2 * MAX_STREAMS;
const RESETS_PER_SECOND = 33;
/** Of a body that its backend does not take; what a connection may have on its way is four of them. */
const STREAM_WINDOW_BYTES = 1 << 18;
/**
 * Without a stream, as long as HTTP/1.1 keeps a connection alive; before the first one `headersTimeoutSeconds`. Bytes that begin no stream do not count: neither pings nor half a
 * header block hold a session.
 */
const IDLE_MS = 65_000;
/** How long a client may take to see that its session is over. */
const LEAVE_MS = 2_000;
const SWEEP_MS = 250;
/** Header blocks up to these reach accept, which answers 431 with a record; larger ones nghttp2 refuses by itself. */
const SHOWN_HEADER_BYTES = 1 << 16;
const SHOWN_FIELDS = 2_048;
/** How long a header block may have begun on a session without any stream. */
const HIDDEN_MS = 1_000;

interface Member {
  readonly session: ServerHttp2Session;
  readonly socket: TLSSocket;
  streams: number;
  /** Of `performance.now()`: without a stream, until when; over, until when the connection may stay. */
  until: number;
  over: boolean;
  /** Of the stream that was shown last. */
  shown: number;
  /** Of `performance.now()`: since when a stream has begun that was not shown; absent: there is none. */
  hiddenSince: number | undefined;
  /** Resets that it may still cause, as of `resetAt`. */
  resets: number;
  resetAt: number;
}

/** @param onHidden a session was ended for a header block that never showed as a request */
export function createHttp2Sessions(
  limits: Config['limits'],
  handle: Handle,
  onHidden: (socket: TLSSocket) => void,
): Http2Sessions {
  const members = new Set<Member>();
  let closing = false;
  const server = http2.createServer({
    settings: {
      enablePush: false,
      maxConcurrentStreams: MAX_STREAMS,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: Math.max(SHOWN_HEADER_BYTES, limits.maxHeaderBytes),
      enableConnectProtocol: false,
    },
    maxHeaderListPairs: Math.max(SHOWN_FIELDS, limits.maxHeaderCount + 8),
    // Within one read, which we cannot interrupt: nghttp2 reads no more then, but leaves the session open. `countReset` closes it.
    streamResetBurst: 2 * RESET_BURST,
    streamResetRate: RESETS_PER_SECOND,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionMemory: 16,
  });
  const take = (message: http2.Http2ServerRequest) => {
    // Reset before anybody looked at it: there is nobody to answer, and no address to count it by.
    if (message.stream.destroyed || message.stream.closed) return;
    if (!message.stream.endAfterHeaders) gatherFrames(message);
    handle(message, message.stream);
  };
  // CONNECT has no path (RFC 9113 8.5), and is refused for that; an unknown expectation by accept.
  server.on('request', take).on('connect', take).on('checkExpectation', take);

  const end = (member: Member) => {
    member.over = true;
    member.until = performance.now() + LEAVE_MS;
    member.session.destroy();
  };
  const close = (member: Member) => {
    if (member.streams === 0) end(member);
    else member.session.close();
  };
  /** However a stream fails its client, by RST_STREAM or by frames that make us send one (CVE-2025-8671), it has cost us a request. */
  const countReset = (member: Member) => {
    const now = performance.now();
    member.resets =
      Math.min(RESET_BURST, member.resets + ((now - member.resetAt) / 1000) * RESETS_PER_SECOND) - 1;
    member.resetAt = now;
    if (member.resets < 0) member.session.close();
  };
  /**
   * A header block that is too large for nghttp2 ends the session for it, and node says nothing: only the id of the
   * stream tells that one has begun. Nothing else may come before a header block is whole.
   */
  const hidesOne = (member: Member, now: number): boolean => {
    const begun = member.session.state.lastProcStreamID ?? 0;
    if (member.streams > 0 || begun <= member.shown) member.hiddenSince = undefined;
    else member.hiddenSince ??= now;
    return member.hiddenSince !== undefined && now - member.hiddenSince >= HIDDEN_MS;
  };
  const timer = setInterval(() => {
    const now = performance.now();
    for (const member of members) {
      if (member.over) {
        if (member.until <= now) member.socket.destroy();
      } else if (member.session.destroyed) end(member);
      else if (member.streams === 0 && (hidesOne(member, now) || member.until <= now)) {
        if (member.hiddenSince !== undefined) onHidden(member.socket);
        end(member);
      }
    }
  }, SWEEP_MS);
  timer.unref();

  const admit = (session: ServerHttp2Session, socket: TLSSocket) => {
    session.setLocalWindowSize(4 * STREAM_WINDOW_BYTES);
    const member: Member = {
      session,
      socket,
      streams: 0,
      until: performance.now() + limits.headersTimeoutSeconds * 1000,
      over: false,
      shown: 0,
      hiddenSince: undefined,
      resets: RESET_BURST,
      resetAt: performance.now(),
    };
    members.add(member);
    socket.once('close', () => members.delete(member));
    session.on('stream', (stream) => {
      member.streams += 1;
      member.shown = stream.id ?? member.shown;
      stream.once('close', () => {
        member.streams -= 1;
        member.until = performance.now() + IDLE_MS;
        if (stream.aborted || stream.rstCode !== http2.constants.NGHTTP2_NO_ERROR) countReset(member);
      });
    });
    if (closing) close(member);
  };
  return {
    take(socket) {
      server.once('session', (session) => admit(session, socket));
      server.emit('connection', socket);
    },
    close() {
      closing = true;
      for (const member of members) close(member);
    },
    destroy() {
      clearInterval(timer);
      for (const { session, socket } of members) {
        session.destroy();
        socket.destroy();
      }
    },
  };
}
