import { ServerResponse, type IncomingMessage, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { Reason } from '../pipeline/reason.js';
import { hasUnreadBody } from './exchange.js';
import { gatherPieces } from './gather-pieces.js';
import type { IdleConnection, IdleConnections } from './idle-connections.js';
import { isRtsp, reasonOf, unreadableAnswer, type ParserError } from './unreadable.js';

/** Requests that may wait on one connection for the answer before theirs. */
const MOST_AHEAD = 32;
/** Bytes behind a waiting request that are kept unparsed. */
const MOST_HELD_BYTES = 1 << 16;
/** What a kept piece costs beside its bytes. */
const PIECE_BYTES = 256;
/** How long a client may take to read the last answer and to close its side. */
const LINGER_MS = 5_000;
/** What a client may still send meanwhile, beyond the largest body that a route takes. */
const LINGER_BYTES = 1 << 16;

/** Of the answers. `over`: the last one is given, and nothing is handled any more. */
type Phase = 'idle' | 'serving' | 'over';
/**
 * What becomes of the bytes that come. `held`: kept until no request waits; `dropped`: whatever they are,
 * nobody handles them.
 */
type Input = 'parsed' | 'held' | 'dropped';
/** Bytes that are no request are answered in their turn, too. */
type Waiting =
  | { readonly kind: 'request'; readonly message: IncomingMessage; readonly response: ServerResponse }
  | { readonly kind: 'unreadable'; readonly reason: Reason };

export interface ClientConnectionOptions {
  readonly handle: RequestListener;
  /** Bytes came that are no request; returns the id of the record that was made of it. */
  readonly onUnreadable: (reason: Reason, socket: Socket) => string;
  readonly maxBodyBytes: number;
  readonly idle: IdleConnections;
}

const CONNECTION = Symbol('client connection');
type Owned = Socket & { [CONNECTION]?: ClientConnection };

/**
 * One connection of HTTP/1.1, from its first request to its end.
 *
 * Requests are handled one after the other: RFC 9112 9.3.2 allows a server to handle what was sent ahead in parallel,
 * but node:http tells only one of them that its client has gone. While one waits, nothing more is parsed.
 *
 * After an answer with `Connection: close` nothing is handled (RFC 9112 9.6), and the close comes in stages: our side
 * is shut down, what the client still sends is read and dropped, so that no reset destroys the answer on its way.
 */
export class ClientConnection implements IdleConnection {
  private readonly socket: Socket;
  private readonly options: ClientConnectionOptions;
  private phase: Phase = 'idle';
  private input: Input = 'parsed';
  private readonly waiting: Waiting[] = [];
  /** The request that was parsed last; its body may be incomplete. */
  private last: IncomingMessage | undefined;
  private inService: ServerResponse | undefined;
  private held: Buffer[] = [];
  private heldBytes = 0;
  private droppedBytes = 0;
  /** node:http's own reader of bytes; present once they come to us first. */
  private parse: ((chunk: Buffer) => void) | undefined;

  static of(socket: Socket, options: ClientConnectionOptions): ClientConnection {
    return ((socket as Owned)[CONNECTION] ??= new ClientConnection(socket, options));
  }

  private constructor(socket: Socket, options: ClientConnectionOptions) {
    this.socket = socket;
    this.options = options;
    // node:http calls this when an answer that closes the connection has gone out.
    Object.assign(socket, { destroySoon: () => this.closeInStages() });
    socket.once('close', () => options.idle.delete(this));
  }

  /** A request was parsed. */
  arrived(message: IncomingMessage, response: ServerResponse): void {
    if (this.input === 'dropped' || this.phase === 'over') return;
    if (isRtsp(message)) return this.refuseRest('malformed_request');
    this.last = message;
    if (hasUnreadBody(message)) gatherPieces(message);
    if (this.phase === 'idle') return this.serve(message, response);
    if (this.waiting.length >= MOST_AHEAD) return this.refuseRest('too_many_ahead');
    this.waiting.push({ kind: 'request', message, response });
    this.hold();
  }

  /** CONNECT has no path, and is refused for that; node:http has given up its parser. */
  arrivedConnect(message: IncomingMessage, head: Buffer): void {
    if (this.input === 'dropped' || this.phase === 'over') return;
    this.input = 'dropped';
    this.droppedBytes += head.length;
    this.socket.on('data', (chunk: Buffer) => this.read(chunk)).resume();
    this.socket.on('error', () => this.socket.destroy());
    if (this.phase !== 'idle') {
      this.waiting.push({ kind: 'unreadable', reason: 'malformed_request' });
      // The listener that passed it on went with the parser.
      this.socket.on('drain', () => this.inService?.emit('drain'));
      return;
    }
    const response = new ServerResponse(message);
    response.shouldKeepAlive = false;
    response.assignSocket(this.socket);
    response.once('finish', () => this.closeInStages());
    this.serve(message, response);
  }

  closeIdle(): void {
    this.socket.destroy();
  }

  /** The parser could not go on, or the connection failed. */
  failed(cause: ParserError): void {
    // What follows a request that announced the end is none, and takes nothing from the answer before it.
    if (cause.code === 'HPE_CLOSED_CONNECTION') return this.drop();
    if (cause.code === 'HPE_INVALID_EOF_STATE' && this.phase === 'serving') return this.clientLeft();
    if (this.input === 'dropped') return;
    const reason = reasonOf(cause, this.last === undefined);
    if (reason === undefined || !this.socket.writable) return void this.socket.destroy();
    if (this.last?.complete === false) {
      const spoilt = this.waiting.at(-1);
      // The body of the request in service is spoilt: it concludes as one whose client has gone.
      if (spoilt?.kind !== 'request') return void this.socket.destroy();
      this.waiting.pop();
    }
    this.refuseRest(reason);
  }

  private serve(message: IncomingMessage, response: ServerResponse): void {
    this.phase = 'serving';
    this.options.idle.delete(this);
    this.inService = response;
    response.once('close', () => this.answered());
    this.options.handle(message, response);
  }

  private answered(): void {
    this.inService = undefined;
    if (this.phase === 'over' || this.socket.destroyed) return this.end();
    this.phase = 'idle';
    const next = this.waiting.shift();
    if (next === undefined) return this.options.idle.add(this);
    if (next.kind === 'unreadable') return this.refuse(next.reason);
    this.serve(next.message, next.response);
    this.goOn();
  }

  /** Answers what came before, then refuses, then closes. */
  private refuseRest(reason: Reason): void {
    this.drop();
    if (this.phase === 'idle') this.refuse(reason);
    else this.waiting.push({ kind: 'unreadable', reason });
  }

  private refuse(reason: Reason): void {
    const id = this.options.onUnreadable(reason, this.socket);
    if (this.socket.writable) this.socket.write(unreadableAnswer(reason, id));
    this.closeInStages();
  }

  private hold(): void {
    if (this.input !== 'parsed') return;
    this.input = 'held';
    this.readFirst();
    this.socket.resume();
  }

  private drop(): void {
    this.input = 'dropped';
    this.held = [];
    this.readFirst();
    this.socket.resume();
  }

  /** No request waits any more: what was held is parsed. */
  private goOn(): void {
    if (this.input !== 'held' || this.waiting.length > 0) return;
    this.input = 'parsed';
    while (this.parsing() && this.held.length > 0) {
      const chunk = this.held.shift()!;
      this.heldBytes -= chunk.length + PIECE_BYTES;
      this.parse!(chunk);
    }
  }

  /** Parsing may have found a request that waits, or the end. */
  private parsing(): boolean {
    return this.input === 'parsed';
  }

  /** Bytes come to us before they come to node:http's parser, which else reads from the handle itself. */
  private readFirst(): void {
    if (this.parse !== undefined) return;
    const { socket } = this;
    this.parse = socket.listeners('data')[0] as ((chunk: Buffer) => void) | undefined;
    if (this.parse === undefined) return;
    socket.removeAllListeners('data');
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.once('end', () => this.clientLeft());
    const pause = socket.pause;
    const pauseIfParsed = () => (this.input === 'parsed' ? pause.call(socket) : socket);
    // node:http pauses for a body that nobody reads; who does not read does not see its client leave.
    socket.pause = pauseIfParsed;
  }

  /** It shut its side down. As for most proxies that is the end of what it asked for, and its backend stops working. */
  private clientLeft(): void {
    if (this.phase !== 'over') this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    if (this.input === 'parsed') return this.parse!(chunk);
    if (this.input === 'dropped') {
      this.droppedBytes += chunk.length;
      if (this.droppedBytes > this.options.maxBodyBytes + LINGER_BYTES) this.socket.destroy();
      return;
    }
    this.heldBytes += chunk.length + PIECE_BYTES;
    if (this.heldBytes > MOST_HELD_BYTES) this.refuseRest('too_many_ahead');
    else this.held.push(chunk);
  }

  private closeInStages(): void {
    if (this.phase === 'over') return;
    this.end();
    const { socket } = this;
    if (socket.destroyed) return;
    this.drop();
    socket.end();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }

  private end(): void {
    this.phase = 'over';
    this.waiting.length = 0;
    this.held = [];
  }
}
