/** What was measured with other implementations: the rows of docs/reference/interop.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface InteropRow {
  readonly peer: string;
  readonly version: string;
  /** What was run. */
  readonly ran: string;
  /** What came of it, as its test measured it. */
  readonly result: string;
  /** The test that shows it. */
  readonly test: string;
}

export const INTEROP_FILE = join(import.meta.dirname, 'interop.json');
export const interopRows = (): Record<string, InteropRow> =>
  JSON.parse(readFileSync(INTEROP_FILE, 'utf8')) as Record<string, InteropRow>;

/** Holds the row to what its test measured; with UPDATE_INTEROP=1 the row says that from now on. */
export function expectInterop(id: string, measured: readonly string[]): void {
  const rows = interopRows();
  const row = rows[id];
  if (row === undefined) throw new Error(`test/e2e/support/interop.json: must have a row ${id}`);
  const result = measured.join(', ');
  if (process.env.UPDATE_INTEROP === '1') {
    rows[id] = { ...row, result };
    writeFileSync(INTEROP_FILE, `${JSON.stringify(rows, undefined, 2)}\n`);
    return;
  }
  expect(row.result).toBe(result);
}
