/** What a check of `agw doctor` found, and how it is shown. */
import { visible } from '../visible.js';

/** `unknown`: it cannot be told from here. */
export type Result = 'ok' | 'fault' | 'unknown';

export interface Finding {
  readonly check: string;
  /** What was looked at. */
  readonly of: string;
  readonly result: Result;
  readonly got: string;
  readonly want: string;
  /** What to do; of what is not ok. */
  readonly next?: string;
}

export const countOf = (findings: readonly Finding[], result: Result): number =>
  findings.filter((finding) => finding.result === result).length;

const WORDS: Readonly<Record<Result, string>> = { ok: 'ok', fault: 'FAULT', unknown: 'unknown' };

/** A line each, as wide as its longest cell; below it what to do. */
export function tableOf(findings: readonly Finding[]): string[] {
  const rows = [
    ['', 'check', 'of', 'got', 'want'],
    ...findings.map(({ result, check, of, got, want }) => [WORDS[result], check, of, got, want].map(visible)),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const [head, ...lines] = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const indent = ' '.repeat(widths[0]! + 2);
  return [
    head!,
    ...lines.flatMap((line, i) => {
      const { next } = findings[i]!;
      return next === undefined ? [line] : [line, `${indent}next: ${visible(next)}`];
    }),
    `${countOf(findings, 'ok')} ok, ${countOf(findings, 'fault')} FAULT, ${countOf(findings, 'unknown')} unknown`,
  ];
}
