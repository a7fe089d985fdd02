import { constants } from 'node:http2';
import type { Reason } from '../pipeline/reason.js';
import { FieldCounter, FLAG, FRAME, FrameReader, type FrameHandler, type FrameHead } from './http2-frames.js';

const PREFACE_BYTES = 24;
const PRIORITY_BYTES = 5;

export interface HeaderBlockEvents {
  /** A request was dropped by the parser, which does not show it. */
  readonly onDropped: (reason: Reason) => void;
  /** The parser ended the session, or it must end now. The parser may be at work. */
  readonly onOver: () => void;
}

export interface HeaderBlockLimits {
  /** Of one block as it was sent. */
  readonly maxBytes: number;
  /** Requests that are open or not shown yet. */
  readonly maxRequests: number;
}

interface Block {
  readonly stream: number;
  /** Else trailers. */
  readonly isRequest: boolean;
  readonly counter: FieldCounter;
  bytes: number;
  ends: boolean;
}
interface Request {
  readonly fields: number;
  isShown: boolean;
  /** Fields of its trailers; absent: none came. */
  trailers?: number;
}

/**
 * `lacking`: not with all the fields that were sent. `dropped`: there is a record of it as of one that was not
 * shown.
 */
export type Shown = 'whole' | 'lacking' | 'dropped';

/**
 * What a client of HTTP/2 sends as header blocks, beside what node:http2 makes of them. Its parser drops malformed
 * fields and whole requests, and says so to nobody. Here the fields that were sent are counted, and each request is
 * remembered until it is shown, or until the parser resets it or ends the session.
 */
export class HeaderBlocks {
  readonly #events: HeaderBlockEvents;
  readonly #limits: HeaderBlockLimits;
  readonly #incoming: FrameReader;
  readonly #outgoing: FrameReader;
  readonly #requests = new Map<number, Request>();
  #lastStream = 0;
  #block: Block | undefined;
  #openSince: number | undefined;
  /** `leaving`: GOAWAY was sent, and new requests are ignored (RFC 9113 6.8). */
  #phase: 'open' | 'leaving' | 'over' = 'open';

  constructor(limits: HeaderBlockLimits, events: HeaderBlockEvents) {
    this.#limits = limits;
    this.#events = events;
    this.#incoming = new FrameReader(this.#blockReader(), PREFACE_BYTES);
    this.#outgoing = new FrameReader(this.#errorReader(), 0);
  }

  /** Of `performance.now()`: since when a block has begun that is not whole; absent: there is none. */
  get openSince(): number | undefined {
    return this.#openSince;
  }

  /** Bytes that the parser is about to get. @returns whether it may */
  fromClient(chunk: Buffer): boolean {
    if (this.#phase === 'over') return false;
    this.#incoming.read(chunk);
    if (this.#block === undefined) this.#openSince = undefined;
    else this.#openSince ??= performance.now();
    return this.#isAlive();
  }

  /** Bytes that the parser sends. */
  toClient(chunk: Buffer): void {
    if (this.#phase !== 'over') this.#outgoing.read(chunk);
  }

  /** The parser shows a request. */
  shown(stream: number, fields: number): Shown {
    const request = this.#requests.get(stream);
    if (request === undefined) return 'dropped';
    request.isShown = true;
    return request.fields === fields ? 'whole' : 'lacking';
  }

  /** The parser shows trailers. @returns whether they have all the fields that were sent */
  trailersShown(stream: number, fields: number): boolean {
    return this.#requests.get(stream)?.trailers === fields;
  }

  closed(stream: number): void {
    this.#requests.delete(stream);
  }

  #isAlive(): boolean {
    return this.#phase !== 'over';
  }

  #blockReader(): FrameHandler {
    let [front, left, padding] = [0, 0, 0];
    let padded = false;
    return {
      begin: ({ type, flags, stream, length }) => {
        const isBlock = type === FRAME.HEADERS || type === FRAME.CONTINUATION;
        if (!isBlock || this.#phase === 'over') return false;
        if (type === FRAME.HEADERS) this.#begin(stream);
        if (this.#block?.stream !== stream) return false;
        this.#block.ends = (flags & FLAG.END_HEADERS) !== 0;
        padded = type === FRAME.HEADERS && (flags & FLAG.PADDED) !== 0;
        const hasPriority = type === FRAME.HEADERS && (flags & FLAG.PRIORITY) !== 0;
        front = (padded ? 1 : 0) + (hasPriority ? PRIORITY_BYTES : 0);
        [left, padding] = [length, 0];
        return true;
      },
      payload: (part) => {
        if (padded) padding = part[0]!;
        padded = false;
        const start = Math.min(front, part.length);
        const end = Math.max(start, Math.min(part.length, left - padding));
        front -= start;
        left -= part.length;
        this.#grow(part.subarray(start, end));
      },
      end: () => {
        if (this.#block?.ends === true) this.#blockIsWhole(this.#block);
      },
    };
  }

  #begin(stream: number): void {
    const isRequest = stream > this.#lastStream;
    if (isRequest) this.#lastStream = stream;
    this.#block = { stream, isRequest, counter: new FieldCounter(), bytes: 0, ends: false };
  }

  #grow(part: Buffer): void {
    const block = this.#block;
    if (block === undefined) return;
    block.counter.read(part);
    block.bytes += part.length;
    if (block.bytes + block.counter.announced > this.#limits.maxBytes) this.#end('too_many_headers');
  }

  #blockIsWhole({ stream, isRequest, counter: { fields } }: Block): void {
    this.#block = undefined;
    const request = this.#requests.get(stream);
    if (request !== undefined) request.trailers = fields;
    if (!isRequest || this.#phase !== 'open') return;
    this.#requests.set(stream, { fields, isShown: false });
    if (this.#requests.size > this.#limits.maxRequests) this.#end('too_many_ahead');
  }

  #errorReader(): FrameHandler {
    let head: FrameHead;
    let payload = Buffer.alloc(0);
    return {
      begin: (next) => {
        head = next;
        payload = Buffer.alloc(0);
        return next.type === FRAME.RST_STREAM || next.type === FRAME.GOAWAY;
      },
      payload: (part) => {
        payload = Buffer.concat([payload, part]);
      },
      end: () => {
        if (head.type === FRAME.RST_STREAM) this.#wasReset(head.stream, payload.readUInt32BE(0));
        else if (payload.readUInt32BE(4) !== constants.NGHTTP2_NO_ERROR) this.#end(undefined);
        else if (this.#phase === 'open') this.#phase = 'leaving';
      },
    };
  }

  #wasReset(stream: number, code: number): void {
    const request = this.#requests.get(stream);
    if (request === undefined || request.isShown) return;
    this.#requests.delete(stream);
    this.#events.onDropped(reasonOf(code));
  }

  /** @param reason of what is not shown; absent: the parser could not read it */
  #end(reason: Reason | undefined): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    const block = this.#block;
    this.#block = undefined;
    const dropped = [...this.#requests.values()].filter(({ isShown }) => !isShown).length;
    const begun = block?.isRequest === true ? 1 : 0;
    this.#requests.clear();
    for (let i = 0; i < dropped + begun; i++) this.#events.onDropped(reason ?? 'malformed_request');
    this.#events.onOver();
  }
}

/** Why nghttp2, or node:http2 around it, resets a stream that it does not show (RFC 9113 7). */
function reasonOf(code: number): Reason {
  if (code === constants.NGHTTP2_REFUSED_STREAM) return 'too_many_ahead';
  return code === constants.NGHTTP2_ENHANCE_YOUR_CALM ? 'too_many_headers' : 'malformed_request';
}
