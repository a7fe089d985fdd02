/** What an app emits: this side is ESM, and the library is not, so the app is a process. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '..', '..', '..');

/** @param app its path in this repository @param dir where its manifests go @param args that it takes */
export function synthesized<T>(app: string, dir: string, ...args: readonly string[]): readonly T[] {
  execFileSync(process.execPath, ['-r', 'ts-node/register/transpile-only', join(root, app), ...args], {
    cwd: root,
    stdio: 'pipe',
    env: { ...process.env, NODE_OPTIONS: '', CDK8S_OUTDIR: dir },
  });
  return readdirSync(dir).flatMap((name) =>
    parseAllDocuments(readFileSync(join(dir, name), 'utf8')).map((document) => document.toJS() as T),
  );
}
