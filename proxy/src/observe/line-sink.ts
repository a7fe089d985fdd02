import { closeSync, openSync, write } from 'node:fs';

/** Where lines go that somebody else keeps: whole lines, several at once. */
export interface LineSink {
  write(text: string): void;
  /** Lines are about to be lost. */
  behind(): boolean;
  /** Goes on in a new file of the same path, where something has renamed the one before (logrotate). */
  reopen(): void;
  /**
   * Resolves when everything written so far is with whoever keeps it, or does not take it. What comes later for a file
   * is lost: the number of a closed descriptor may be that of a client's connection by then.
   */
  close(): Promise<void>;
}

export interface LineSinkOptions {
  /** Path of a file, which is created or added to, or the descriptor of a standard stream. */
  readonly to: string | typeof STDOUT | typeof STDERR;
  /** Lines that nobody will read: the reader is gone or too slow, or the disk is full. `why`: an error code. */
  readonly onLost: (lines: number, why: string) => void;
  /** The file could not be opened again: lines go on into the one before. */
  readonly onProblem?: (problem: string) => void;
}

export const STDOUT = 1;
export const STDERR = 2;

const LAST_WRITE_MS = 2_000;
const RETRY_MS = 5;
/** Of lines that wait to be written. */
const MAX_PENDING = 16 << 20;

/**
 * One write at a time, so that lines come in the order of their writing. It goes past `process.stdout` and
 * `process.stderr`: they end the process where the reader is gone, and keep without bound what a slow one does
 * not take.
 */
export function openLineSink(options: LineSinkOptions): LineSink {
  return new FileLineSink(options);
}

const LF = 0x0a;
const linesOf = (text: string): number => text.split('\n').length - 1;

class FileLineSink implements LineSink {
  readonly #options: LineSinkOptions;
  #fd: number;
  /** Takes the place of `#fd` after the write that is under way. */
  #next: number | undefined;
  #pending: string[] = [];
  #size = 0;
  #isWriting = false;
  /** The last write stopped within a line: the next one begins with the end of that. */
  #isTorn = false;
  #isClosed = false;
  #written = () => {};

  constructor(options: LineSinkOptions) {
    this.#options = options;
    const { to } = options;
    this.#fd = typeof to === 'string' ? openFile(to) : to;
  }

  write(text: string): void {
    if (this.#isClosed) return this.#options.onLost(linesOf(text), 'it is closed');
    if (this.#size + text.length > MAX_PENDING)
      return this.#options.onLost(linesOf(text), 'nobody takes them');
    this.#size += text.length;
    this.#pending.push(text);
    this.#drain();
  }

  behind(): boolean {
    return this.#size > MAX_PENDING / 2;
  }

  reopen(): void {
    const { to, onProblem } = this.#options;
    if (typeof to !== 'string' || this.#isClosed) return;
    try {
      if (this.#next !== undefined) closeSync(this.#next);
      this.#next = openFile(to);
    } catch (cause) {
      this.#next = undefined;
      return onProblem?.(
        `${to}: cannot be opened again (${codeOf(cause)}); lines go on into the file before`,
      );
    }
    if (!this.#isWriting) this.#change();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#written = resolve;
      setTimeout(resolve, LAST_WRITE_MS).unref(); // a pipe that nobody reads
      this.#drain();
    });
    if (typeof this.#options.to !== 'string' || this.#isClosed) return;
    this.#isClosed = true;
    if (this.#pending.length > 0) this.#options.onLost(linesOf(this.#pending.join('')), 'nobody takes them');
    // A write that is still under way has the descriptor until the process ends.
    if (!this.#isWriting) closeSync(this.#fd);
    if (this.#next !== undefined) closeSync(this.#next);
  }

  #change(): void {
    if (this.#next === undefined) return;
    closeSync(this.#fd);
    this.#fd = this.#next;
    this.#next = undefined;
    this.#isTorn = false;
  }

  #drain(): void {
    if (this.#isWriting || this.#isClosed) return;
    this.#change();
    if (this.#size === 0) return this.#written();
    this.#isWriting = true;
    const text = `${this.#isTorn ? '\n' : ''}${this.#pending.join('')}`;
    this.#pending = [];
    this.#size = 0;
    this.#push(Buffer.from(text));
  }

  #push(rest: Buffer): void {
    write(this.#fd, rest, (cause, bytes) => {
      if (bytes > 0) this.#isTorn = rest[bytes - 1] !== LF;
      if (cause === null && bytes < rest.length) return this.#push(rest.subarray(bytes));
      if (cause?.code === 'EAGAIN') return void setTimeout(() => this.#push(rest), RETRY_MS);
      if (cause !== null) this.#options.onLost(linesOf(rest.toString()), codeOf(cause));
      this.#isWriting = false;
      this.#drain();
    });
  }
}

const openFile = (path: string): number => openSync(path, 'a', 0o640);
const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
