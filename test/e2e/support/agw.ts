/** The shipped `agw`, as a command. */
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'assets', 'agw.mjs');

/** Loaded before it: its wall clock is two hours ahead, so that nothing that a test made counts as young. */
export const TWO_HOURS_LATER = `data:text/javascript,${encodeURIComponent(
  'const now = Date.now; Date.now = () => now() + 2 * 3600 * 1000;',
)}`;

/** @param preload a module that is loaded before it @returns the command and its first arguments */
export const agw = (preload?: string): readonly [string, ...string[]] => [
  process.execPath,
  ...(preload === undefined ? [] : ['--import', preload]),
  PROGRAM,
];
