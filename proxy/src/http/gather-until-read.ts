import type { Readable } from 'node:stream';

/** Smallest buffer that pieces are gathered in. */
const FIRST_BYTES = 1 << 10;
/** As much as node:http keeps of a body that nobody reads; then it stops reading the connection. */
const ENOUGH_BYTES = 1 << 14;

/** What came of a body that nobody reads yet. */
class Gathered {
  /** The only piece so far; most bodies have one. */
  private single: Buffer | undefined;
  private buffer: Buffer | undefined;
  private bytes = 0;

  /** Returns whether more may come. */
  add(chunk: Buffer): boolean {
    if (this.bytes === 0) this.single = chunk;
    else this.append(chunk);
    this.bytes += chunk.length;
    return this.bytes < ENOUGH_BYTES;
  }

  take(): Buffer | undefined {
    return this.buffer?.subarray(0, this.bytes) ?? this.single;
  }

  private append(chunk: Buffer): void {
    const need = this.bytes + chunk.length;
    if (this.buffer === undefined || this.buffer.length < need) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * need));
      (this.buffer ?? this.single!).copy(larger, 0, 0, this.bytes);
      this.buffer = larger;
      this.single = undefined;
    }
    chunk.copy(this.buffer, this.bytes);
  }
}

/**
 * Until somebody reads it, a body stands in one buffer: each piece in a buffer of its own costs some hundred bytes of
 * memory, also where it is one byte on the wire.
 */
export function gatherUntilRead(body: Readable): void {
  const { push, _read: read } = body;
  const gathered = new Gathered();
  const flush = () => {
    Object.assign(body, { push, _read: read });
    const content = gathered.take();
    if (content !== undefined) push.call(body, content);
  };
  body.push = (chunk: Buffer | null) => {
    if (chunk !== null) return gathered.add(chunk);
    flush();
    return push.call(body, null);
  };
  body._read = (size) => {
    flush();
    read.call(body, size);
  };
}
