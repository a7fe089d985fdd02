import type { WholeBody } from '../pipeline/evidence.js';
import type { BodyLease } from './body-pool.js';

const FIRST_BYTES = 4_096;
const NOTHING: Buffer = Buffer.alloc(0);

/** A body in one buffer, which grows with what came and not with what was announced. */
export class HeldBody implements WholeBody {
  readonly #lease: BodyLease;
  /** NaN: not known. */
  readonly #announced: number;
  #buffer: Buffer = NOTHING;
  #length = 0;
  #released = false;

  constructor(lease: BodyLease, announced: number) {
    this.#lease = lease;
    this.#announced = announced;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    // It came in one piece, as most do.
    if (this.#length === 0 && length === this.#announced) this.#use(chunk);
    else if (length > this.#buffer.length) this.#use(this.#enlarged(length));
    if (this.#released) return;
    if (this.#buffer !== chunk) chunk.copy(this.#buffer, this.#length);
    this.#length = length;
  }

  settle(): void {
    this.#lease.settle();
  }

  release(): void {
    this.#released = true;
    this.#buffer = NOTHING;
    this.#length = 0;
    this.#lease.release();
  }

  /** Counts first: where there is no room this body may be the one that goes. */
  #use(buffer: Buffer): void {
    this.#lease.grow(buffer.length - this.#buffer.length);
    if (!this.#released) this.#buffer = buffer;
  }

  #enlarged(least: number): Buffer {
    const room = Math.max(FIRST_BYTES, 2 * this.#buffer.length, least);
    const buffer = Buffer.allocUnsafeSlow(this.#announced >= least ? Math.min(room, this.#announced) : room);
    this.#buffer.copy(buffer, 0, 0, this.#length);
    return buffer;
  }
}
