import { closeSync, openSync, write } from 'node:fs';

/** Where lines go that somebody else keeps: whole lines, several at once. */
export interface LineSink {
  write(text: string): void;
  /** Lines are about to be lost. */
  behind(): boolean;
  /** Resolves when everything written so far is with whoever keeps it, or does not take it. */
  close(): Promise<void>;
}

export interface LineSinkOptions {
  /** Path of a file, which is created or added to, or the descriptor of a standard stream. */
  readonly to: string | typeof STDOUT | typeof STDERR;
  /** Lines that nobody will read: the reader is gone or too slow, or the disk is full. `why`: an error code. */
  readonly onLost: (lines: number, why: string) => void;
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
export function openLineSink({ to, onLost }: LineSinkOptions): LineSink {
  const fd = typeof to === 'string' ? openSync(to, 'a', 0o640) : to;
  let pending: string[] = [];
  let size = 0;
  let writing = false;
  let written = () => {};
  const linesOf = (text: string) => text.split('\n').length - 1;
  const drain = () => {
    if (writing) return;
    if (size === 0) return written();
    writing = true;
    const text = pending.join('');
    pending = [];
    size = 0;
    push(Buffer.from(text));
  };
  const push = (rest: Buffer) =>
    write(fd, rest, (cause, bytes) => {
      if (cause === null && bytes < rest.length) return push(rest.subarray(bytes));
      if (cause?.code === 'EAGAIN') return void setTimeout(() => push(rest), RETRY_MS);
      if (cause !== null) onLost(linesOf(rest.toString()), cause.code ?? cause.message);
      writing = false;
      drain();
    });
  return {
    write(text) {
      if (size + text.length > MAX_PENDING) return onLost(linesOf(text), 'nobody takes them');
      size += text.length;
      pending.push(text);
      drain();
    },
    behind: () => size > MAX_PENDING / 2,
    async close() {
      await new Promise<void>((resolve) => {
        written = resolve;
        setTimeout(resolve, LAST_WRITE_MS).unref(); // a pipe that nobody reads
        drain();
      });
      if (typeof to === 'string') closeSync(fd);
    },
  };
}
