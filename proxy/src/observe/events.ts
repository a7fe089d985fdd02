import { writeSync } from 'node:fs';
import { openLineSink, STDERR } from './line-sink.js';

/**
 * What the process says of itself, and how much it matters. `error`: what an operator did was not taken; `warn`:
 * something is missing or weaker than it should be.
 */
const LEVELS = {
  listening: 'info',
  weakened: 'warn',
  cannot_hold: 'warn',
  warning: 'warn',
  recovered: 'info',
  reloaded: 'info',
  reload_refused: 'error',
  stopping: 'info',
} as const;

/** What the process says of itself, on standard error: one JSON object a line. */
export interface Events {
  say(event: keyof typeof LEVELS, fields?: Readonly<Record<string, unknown>>): void;
  /** Who counts the lines that nobody read; those before count too. */
  countLost(count: (lines: number) => void): void;
  /** Resolves when what was said is with the reader, or nobody takes it. */
  close(): Promise<void>;
}

/** @param now in seconds since the epoch. The process goes on where nobody reads standard error. */
export function openEvents(now: () => number): Events {
  let lost = 0;
  let count = (lines: number): void => {
    lost += lines;
  };
  const sink = openLineSink({ to: STDERR, onLost: (lines) => count(lines) });
  return {
    say(event, fields = {}) {
      const time = new Date(now() * 1000).toISOString();
      sink.write(`${JSON.stringify({ time, level: LEVELS[event], event, ...fields })}\n`);
    },
    countLost(counter) {
      count = counter;
      if (lost > 0) counter(lost);
      lost = 0;
    },
    close: () => sink.close(),
  };
}

/** Before the process ends at once: lines that have no time to wait. */
export function reportFatal(...lines: string[]): void {
  try {
    writeSync(STDERR, `${lines.join('\n')}\n`);
  } catch {
    // Nobody reads them. The exit code says that it failed.
  }
}
