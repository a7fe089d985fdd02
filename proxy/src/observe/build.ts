/** Which code runs: of what release, and exactly. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Written by the bundle. */
declare const AGW_VERSION: string | undefined;

/** Of the package; `source` where it runs without a bundle. */
export const VERSION = typeof AGW_VERSION === 'undefined' ? 'source' : AGW_VERSION;

const HASH_LENGTH = 12;
let hash: string | undefined;

/** Of the files beside this one, which are all of it in a pod. Read once, when it is first asked for. */
export function codeHash(): string {
  if (hash !== undefined) return hash;
  const dir = dirname(fileURLToPath(import.meta.url));
  const files = readdirSync(dir)
    .filter((name) => /\.(?:mjs|ts)$/.test(name))
    .sort();
  const sum = createHash('sha256');
  for (const name of files) sum.update(`${name}\0`).update(readFileSync(join(dir, name)));
  return (hash = sum.digest('hex').slice(0, HASH_LENGTH));
}
