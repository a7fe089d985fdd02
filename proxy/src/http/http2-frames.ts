/** Of RFC 9113 6 what is looked at here. */
export const FRAME = { HEADERS: 1, RST_STREAM: 3, GOAWAY: 7, CONTINUATION: 9 } as const;
export const FLAG = { END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  /** Of the payload, in bytes. */
  readonly length: number;
}

/** Who wants to see frames. */
export interface FrameHandler {
  /** Whether the payload is wanted. */
  begin(head: FrameHead): boolean;
  /** A part of a payload that is wanted. */
  payload(part: Buffer): void;
  /** The payload that was wanted is over. */
  end(): void;
}

const HEAD_BYTES = 9;

/**
 * Cuts what one side of a session sends into frames (RFC 9113 4.1), however it comes. Nothing is kept but half
 * a head.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  /** Bytes until the next head. */
  #left: number;
  #wanted = false;

  /** @param preface bytes before the first frame (RFC 9113 3.4) */
  constructor(handler: FrameHandler, preface: number) {
    this.#handler = handler;
    this.#left = preface;
  }

  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const end = Math.min(chunk.length, at + (this.#left > 0 ? this.#left : HEAD_BYTES - this.#headBytes));
      if (this.#left > 0) this.#payload(chunk, at, end);
      else this.#readHead(chunk, at, end);
      at = end;
    }
  }

  #readHead(chunk: Buffer, at: number, end: number): void {
    chunk.copy(this.#head, this.#headBytes, at, end);
    this.#headBytes += end - at;
    if (this.#headBytes < HEAD_BYTES) return;
    this.#headBytes = 0;
    const head = this.#head;
    const length = head.readUIntBE(0, 3);
    const stream = head.readUInt32BE(5) & 0x7fff_ffff;
    this.#left = length;
    this.#wanted = this.#handler.begin({ type: head[3]!, flags: head[4]!, stream, length });
    if (this.#wanted && length === 0) this.#handler.end();
  }

  #payload(chunk: Buffer, at: number, end: number): void {
    this.#left -= end - at;
    if (!this.#wanted) return;
    this.#handler.payload(chunk.subarray(at, end));
    if (this.#left === 0) this.#handler.end();
  }
}

/**
 * Counts the fields of one header block as it was sent (RFC 7541 6). For that no table and no Huffman code is needed:
 * each representation says itself how long it is.
 */
export class FieldCounter {
  fields = 0;
  /** Strings that the field which has begun has yet to bring. */
  #strings = 0;
  /** Bytes left of a string. */
  #inString = 0;
  /** Of an integer with more bytes than its first (RFC 7541 5.1): what it is for. */
  #integer: 'index' | 'length' | undefined;
  #shift = 0;

  /** Bytes that the string which has begun has yet to bring. */
  get announced(): number {
    return this.#integer === undefined ? this.#inString : 0;
  }

  read(block: Buffer): void {
    let at = 0;
    while (at < block.length) {
      if (this.#integer !== undefined || this.#inString === 0) {
        this.#take(block[at]!);
        at += 1;
      } else {
        const skipped = Math.min(this.#inString, block.length - at);
        this.#inString -= skipped;
        at += skipped;
      }
    }
  }

  #take(byte: number): void {
    if (this.#integer !== undefined) return this.#goOn(byte);
    if (this.#strings === 0) return this.#beginField(byte);
    this.#strings -= 1;
    this.#inString = byte & 0x7f;
    this.#beginInteger('length', this.#inString === 0x7f);
  }

  #beginField(byte: number): void {
    const isIndexed = byte >= 0x80;
    const isSizeUpdate = byte >> 5 === 0b001;
    const mask = prefixOf(byte);
    if (!isSizeUpdate) this.fields += 1;
    if (!isIndexed && !isSizeUpdate) this.#strings = (byte & mask) === 0 ? 2 : 1;
    this.#beginInteger('index', (byte & mask) === mask);
  }

  #beginInteger(purpose: 'index' | 'length', goesOn: boolean): void {
    this.#integer = goesOn ? purpose : undefined;
    this.#shift = 0;
  }

  #goOn(byte: number): void {
    // What is too large for nghttp2 ends its session, so that here it may be anything.
    if (this.#integer === 'length') this.#inString += (byte & 0x7f) * 2 ** this.#shift;
    this.#shift += 7;
    if (byte < 0x80) this.#integer = undefined;
  }
}

/** Of the first byte of a field: the bits of its index. */
function prefixOf(byte: number): number {
  if (byte >= 0x80) return 0x7f;
  if (byte >= 0x40) return 0x3f;
  return byte >= 0x20 ? 0x1f : 0x0f;
}
