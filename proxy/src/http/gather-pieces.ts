import { constants, type Http2ServerRequest } from 'node:http2';
import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { streamOf, type ClientMessage } from './exchange.js';
import { skipBody } from './skip-body.js';

const { NGHTTP2_ENHANCE_YOUR_CALM } = constants;
/** A piece of at least this size stays as it came; smaller ones share a block. */
const SMALL_BYTES = 4_096;
const BLOCK_BYTES = 16_384;
const FIRST_BLOCK_BYTES = 256;
/** Pieces that a body may come in, however small; beyond them it must have so many bytes a piece on the whole. */
const FREE_PIECES = 2_048;
const LEAST_MEAN_BYTES = 32;
/**
 * With so many times the pieces a stream is reset, whoever has yet to refuse it: its window goes on letting
 * them in.
 */
const RESET_AT = 4;

/**
 * Puts small pieces of a body together, and counts them: a piece is an object of some 700 bytes (measured), also one
 * of a single byte, and chunks of HTTP/1.1 and DATA frames of HTTP/2 are as small as the client likes. Of what comes
 * in one turn of the event loop, or while nobody reads, there is one block. For bodies that are read by `data`.
 */
export function gatherPieces(body: Readable): void {
  const message = body instanceof IncomingMessage ? body : undefined;
  (body as Gathering)[GATHERED] = new Gathered(body, {
    fragmented: () => message && skipBody(message),
  });
}

/** The same of a request of HTTP/2: its stream has a queue, and its message another. */
export function gatherFrames(message: Http2ServerRequest): void {
  const { stream } = message;
  const far = () => stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
  (stream as Gathering)[GATHERED] = new Gathered(stream, { far });
  gatherPieces(message);
}

/** RFC 9112 7.1.1: a server ought to limit what framing costs it beside the content. */
export function isFragmented(message: ClientMessage): boolean {
  const { [GATHERED]: gathered }: Gathering = streamOf(message) ?? message;
  return gathered !== undefined && gathered.isFragmented();
}

const GATHERED = Symbol('pieces of a body');
type Gathering = Readable & { [GATHERED]?: Gathered };

interface Steps {
  /** It came in too many pieces: whoever reads it will refuse it. @returns called at its end */
  readonly fragmented?: () => (() => void) | undefined;
  /** It goes on, far beyond that. */
  readonly far?: () => void;
}

class Gathered {
  readonly #body: Readable;
  readonly #push: (piece: Buffer | null) => boolean;
  readonly #steps: Steps;
  /** Once it is, it stays so: not all of it is handed out from then on. */
  #fragmented = false;
  #atEnd: (() => void) | undefined;
  #pieces = 0;
  #bytes = 0;
  /** What is not pushed yet: the first `#filled` bytes of it. One piece alone lies there as it came. */
  #block: Buffer | undefined;
  #filled = 0;
  #flushes = false;

  constructor(body: Readable, steps: Steps) {
    this.#body = body;
    this.#steps = steps;
    this.#push = body.push.bind(body);
    const resume = body.resume.bind(body);
    Object.assign(body, {
      push: (piece: Buffer | null) => this.#take(piece),
      resume: () => {
        this.#flush();
        return resume();
      },
    });
    // What HTTP/2 took in before anybody could look at the stream.
    if (body.readableLength > 0) {
      const early = body.read() as Buffer;
      body.unshift(early);
    }
  }

  isFragmented(): boolean {
    return this.#fragmented;
  }

  #isBeyond(times: number): boolean {
    return this.#pieces > times * FREE_PIECES + this.#bytes / LEAST_MEAN_BYTES;
  }

  #take(piece: Buffer | null): boolean {
    if (piece === null) {
      this.#atEnd?.();
      this.#flush();
      return this.#push(null);
    }
    this.#count(piece);
    if (this.#fragmented && this.#isBeyond(RESET_AT)) {
      this.#steps.far?.();
      return false;
    }
    if (piece.length >= SMALL_BYTES) {
      this.#flush();
      return this.#push(piece);
    }
    this.#gather(piece);
    if (this.#body.readableFlowing === true && !this.#flushes) {
      this.#flushes = true;
      queueMicrotask(this.#flushSoon);
    }
    // Nothing more is read of what is refused in any case.
    return !this.#fragmented && this.#body.readableLength + this.#filled < this.#body.readableHighWaterMark;
  }

  #count(piece: Buffer): void {
    this.#pieces += 1;
    this.#bytes += piece.length;
    if (this.#fragmented || !this.#isBeyond(1)) return;
    this.#fragmented = true;
    this.#atEnd = this.#steps.fragmented?.();
  }

  #gather(piece: Buffer): void {
    if (this.#block === undefined) {
      this.#block = piece;
      this.#filled = piece.length;
      return;
    }
    if (this.#filled + piece.length > BLOCK_BYTES) {
      this.#flush();
      return this.#gather(piece);
    }
    if (this.#filled + piece.length > this.#block.length) this.#enlarge(this.#filled + piece.length);
    piece.copy(this.#block, this.#filled);
    this.#filled += piece.length;
  }

  #enlarge(least: number): void {
    const room = Math.min(BLOCK_BYTES, Math.max(FIRST_BLOCK_BYTES, 2 * least));
    const block = Buffer.allocUnsafeSlow(room);
    this.#block!.copy(block, 0, 0, this.#filled);
    this.#block = block;
  }

  readonly #flushSoon = (): void => {
    this.#flushes = false;
    if (this.#body.readableFlowing === true) this.#flush();
  };

  #flush(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    this.#push(block.subarray(0, this.#filled));
    this.#filled = 0;
  }
}
