/** What is asked of whoever sits at the terminal. */
import { execFileSync } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const [STDIN, STDERR] = [0, 2];
const [INTERRUPT, END_OF_INPUT, LF, CR] = [0x03, 0x04, 0x0a, 0x0d];
const ERASE = new Set([0x08, 0x7f]);
const MAX_BYTES = 1024;
const RETRY_MS = 20;

/**
 * A secret, which the terminal does not show while it is typed. Undefined: there is no terminal, or whoever sits there
 * ended it (^C, ^D).
 */
export function askSecret(question: string): string | undefined {
  if (!isatty(STDIN) || !isatty(STDERR)) return undefined;
  const stty = (...args: string[]) => execFileSync('stty', args, { stdio: ['inherit', 'pipe', 'ignore'] });
  let before: string;
  try {
    before = stty('-g').toString().trim();
    // ^C comes as a byte, too: a process that it ended would leave the terminal as it is now.
    stty('-echo', '-icanon', '-isig', 'min', '1');
  } catch {
    return undefined;
  }
  try {
    writeSync(STDERR, question);
    return readLine();
  } finally {
    stty(before);
    writeSync(STDERR, '\n');
  }
}

function readLine(): string | undefined {
  const typed: number[] = [];
  for (;;) {
    const byte = readByte();
    if (byte === undefined || byte === INTERRUPT || byte === END_OF_INPUT) return undefined;
    if (byte === LF || byte === CR) return Buffer.from(typed).toString('utf8');
    if (ERASE.has(byte)) eraseLast(typed);
    else if (typed.length < MAX_BYTES) typed.push(byte);
  }
}

/** A character of UTF-8: its first byte is none that goes on. */
function eraseLast(typed: number[]): void {
  while (((typed.pop() ?? 0) & 0xc0) === 0x80);
}

function readByte(): number | undefined {
  const byte = Buffer.alloc(1);
  for (;;)
    try {
      return readSync(STDIN, byte) === 1 ? byte[0] : undefined;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
}
