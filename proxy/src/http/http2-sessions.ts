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
import type { IdleConnection, IdleConnections } from './idle-connections.js';
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

/** One session: its streams, the resets that it may still cause, and until when it may stay. */
class Session implements IdleConnection {
  readonly socket: TLSSocket;
  readonly blocks: HeaderBlocks;
  readonly #session: ServerHttp2Session;
  readonly #stallMs: number;
  /**
   * Without a stream, as long as HTTP/1.1 keeps a connection alive; before the first one `headersTimeoutSeconds`.
   * Bytes that begin no stream do not count: neither pings nor half a header block hold a session.
   */
  readonly #idleMs: number;
  readonly #idle: IdleConnections;
  #streams = 0;
  /** Of `performance.now()`: without a stream, until when; over, until when the connection may stay. */
  #until: number;
  #isOver = false;
  /** Resets that it may still cause, as of `#resetsAt`. */
  #resets = RESET_BURST;
  #resetsAt = performance.now();

  constructor(
    session: ServerHttp2Session,
    socket: TLSSocket,
    blocks: HeaderBlocks,
    { headersTimeoutSeconds, keepAliveTimeoutSeconds }: Config['limits'],
    idle: IdleConnections,
  ) {
    this.socket = socket;
    this.blocks = blocks;
    this.#session = session;
    this.#stallMs = headersTimeoutSeconds * 1000;
    this.#idleMs = keepAliveTimeoutSeconds * 1000;
    this.#idle = idle;
    this.#until = performance.now() + this.#stallMs;
  }

  beginStream(): void {
    if (this.#streams === 0) this.#idle.delete(this);
    this.#streams += 1;
  }

  endStream(failed: boolean): void {
    this.#streams -= 1;
    if (this.#isOver) return;
    this.#until = performance.now() + this.#idleMs;
    if (this.#streams === 0) this.#idle.add(this);
    if (failed) this.#countReset();
  }

  /** GOAWAY; what is open goes on. */
  close(): void {
    if (this.#streams === 0) this.end();
    else this.#session.close();
  }

  /** No stream goes on; the client has `LEAVE_MS` to see it. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#idle.delete(this);
    this.#until = performance.now() + LEAVE_MS;
    this.#session.destroy();
  }

  /** It is over for others, too: nothing is open, and nothing on its way that was seen. */
  closeIdle(): void {
    this.end();
  }

  /** Its connection is gone. */
  left(): void {
    this.#isOver = true;
    this.#idle.delete(this);
  }

  destroy(): void {
    this.#session.destroy();
    this.socket.destroy();
  }

  /** Ends what is stalled or idle, and lets go of what is over. */
  sweep(now: number, onDropped: DropHandler): void {
    if (this.#isOver) {
      if (this.#until <= now) this.socket.destroy();
      return;
    }
    const isDue = this.#isStalled(now) || (this.#streams === 0 && this.#until <= now);
    if (!isDue && !this.#session.destroyed) return;
    const isDropped = isDue && !this.#session.destroyed && this.blocks.openSince !== undefined;
    if (isDropped) onDropped('headers_stalled', this.socket);
    this.end();
  }

  /** A header block has begun, and nothing else can come before it is whole. */
  #isStalled(now: number): boolean {
    const { openSince } = this.blocks;
    return openSince !== undefined && now - openSince >= this.#stallMs;
  }

  /**
   * However a stream fails its client, by RST_STREAM or by frames that make us send one (CVE-2025-8671), it has
   * cost us a request.
   */
  #countReset(): void {
    const now = performance.now();
    const regained = ((now - this.#resetsAt) / 1000) * RESETS_PER_SECOND;
    this.#resets = Math.min(RESET_BURST, this.#resets + regained) - 1;
    this.#resetsAt = now;
    if (this.#resets < 0) this.#session.close();
  }
}

class Sessions implements Http2Sessions {
  readonly #limits: Config['limits'];
  readonly #idle: IdleConnections;
  readonly #handle: Handle;
  readonly #onDropped: DropHandler;
  readonly #server: Http2Server;
  readonly #sessions = new Map<TLSSocket, Session>();
  readonly #facts = new WeakMap<ServerHttp2Stream, Http2Facts>();
  readonly #timer: NodeJS.Timeout;
  #isClosing = false;

  constructor(limits: Config['limits'], idle: IdleConnections, handle: Handle, onDropped: DropHandler) {
    this.#limits = limits;
    this.#idle = idle;
    this.#handle = handle;
    this.#onDropped = onDropped;
    const onRequest = (message: http2.Http2ServerRequest) => this.#begin(message);
    // CONNECT has no path (RFC 9113 8.5), and is refused for that; an unknown expectation by accept.
    this.#server = createServer(limits)
      .on('request', onRequest)
      .on('connect', onRequest)
      .on('checkExpectation', onRequest);
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  take(socket: TLSSocket): void {
    const blocks = new HeaderBlocks(
      { maxBytes: shownBytes(this.#limits), maxRequests: MAX_REQUESTS },
      {
        onDropped: (reason) => this.#onDropped(reason, socket),
        onOver: () => setImmediate(() => this.#sessions.get(socket)?.end()),
      },
    );
    this.#server.once('session', (session) => this.#admit(session, socket, blocks));
    this.#server.emit('connection', new WatchedSocket(socket, blocks));
  }

  close(): void {
    this.#isClosing = true;
    for (const session of this.#sessions.values()) session.close();
  }

  destroy(): void {
    clearInterval(this.#timer);
    for (const session of this.#sessions.values()) session.destroy();
  }

  #begin(message: http2.Http2ServerRequest): void {
    const { stream } = message;
    // Reset before anybody looked at it: there is nobody to answer, and no address to count it by.
    if (stream.destroyed || stream.closed) return;
    const known = this.#facts.get(stream);
    if (known === undefined) return stream.close(NGHTTP2_PROTOCOL_ERROR);
    if (!stream.endAfterHeaders) gatherFrames(message);
    this.#handle(Object.assign(message, { http2: known }), stream);
  }

  #admit(http2Session: ServerHttp2Session, socket: TLSSocket, blocks: HeaderBlocks): void {
    http2Session.setLocalWindowSize(4 * STREAM_WINDOW_BYTES);
    const session = new Session(http2Session, socket, blocks, this.#limits, this.#idle);
    this.#sessions.set(socket, session);
    socket.once('close', () => {
      this.#sessions.delete(socket);
      session.left();
    });
    // Before node:http2 makes a request of it.
    http2Session.prependListener('stream', (stream, _headers, _flags, raw) =>
      this.#watch(stream, raw.length / 2, session),
    );
    if (this.#isClosing) session.close();
  }

  /** Follows one stream of a session, and notes what its header block lacked. */
  #watch(stream: ServerHttp2Stream, fields: number, session: Session): void {
    const { blocks, socket } = session;
    session.beginStream();
    stream.once('close', () => {
      blocks.closed(stream.id!);
      session.endStream(stream.aborted || stream.rstCode !== NGHTTP2_NO_ERROR);
    });
    const shown = blocks.shown(stream.id!, fields);
    if (shown === 'dropped') return;
    this.#facts.set(stream, { connection: socket, lacksFields: shown === 'lacking' });
    stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, lines: string[]) => {
      if (!blocks.trailersShown(stream.id!, lines.length / 2)) stream.close(NGHTTP2_PROTOCOL_ERROR);
    });
  }

  #sweep(): void {
    const now = performance.now();
    for (const session of this.#sessions.values()) session.sweep(now, this.#onDropped);
  }
}

type DropHandler = (reason: Reason, socket: TLSSocket) => void;

/** @param onDropped a request was dropped that never showed as one */
export const createHttp2Sessions = (
  limits: Config['limits'],
  idle: IdleConnections,
  handle: Handle,
  onDropped: DropHandler,
): Http2Sessions => new Sessions(limits, idle, handle, onDropped);

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
