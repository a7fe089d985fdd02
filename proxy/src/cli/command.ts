import { visible } from './visible.js';

/** What a command may touch, besides files it is told to. */
export interface Io {
  readonly out: (text: string) => void;
  /** Of the terminal, now; absent: what is written goes elsewhere. */
  readonly screen?: (() => ScreenSize) | undefined;
}

/** In cells. */
export interface ScreenSize {
  readonly rows: number;
  readonly columns: number;
}

export interface Command {
  /** After the name of the program. */
  readonly usage: string;
  /** What it does: a line of `agw --help`, after the name. */
  readonly summary: string;
  /** Resolves to the exit code, 0 if to nothing. Rejects with a CliError for what the user can mend. */
  run(args: readonly string[], io: Io): Promise<void | number>;
}

/** A fault of the call: what it concerns, what it should be, what it is, what to do. One line on stderr, exit 2. */
export class CliError extends Error {
  constructor(where: string, want: string, got?: string, next?: string) {
    super(
      `${where}: ${want}${got === undefined ? '' : `, got ${got}`}${next === undefined ? '' : `; ${next}`}`,
    );
  }
}

/** On one line. What a terminal would obey is escaped: it is within texts, where JSON has the same notation. */
export const jsonLine = (value: unknown): string => visible(JSON.stringify(value));

/** `--name` of `values`, which must have it. */
export function required(values: Readonly<Record<string, unknown>>, name: string): string {
  const value = values[name];
  if (typeof value !== 'string' || value === '') throw new CliError(`--${name}`, 'is required');
  return value;
}

/** A whole number of seconds. */
export function wholeSeconds(value: string, name: string, max: number): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > max)
    throw new CliError(
      `--${name}`,
      `must be a whole number of seconds from 1 to ${max}`,
      JSON.stringify(value),
    );
  return number;
}
