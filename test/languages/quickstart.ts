/** Programs of the quickstart, each in a folder of its own, and what they must write. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/synth';
import { makeUserProject, runTypeScript } from '../support/user-project';
import { blocksOf, Fetched } from './bindings';

export const GUIDE = 'docs/guides/languages.md';

export const dir = mkdtempSync(join(tmpdir(), 'agw-languages-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A folder for a program, with the key set that it reads. */
export function folder(name: string): string {
  const made = join(dir, name);
  mkdirSync(made);
  copyFileSync(join(root, 'apps', 'jwks.json'), join(made, 'jwks.json'));
  return made;
}

/** What a program wrote: each file's name and text. */
export const synthesized = (where: string) =>
  readdirSync(join(where, 'dist')).map((file) => [file, readFileSync(join(where, 'dist', file), 'utf8')]);

/** What main.ts of the README writes. */
export function quickstart(): string[][] {
  const where = join(dir, 'typescript');
  mkdirSync(where);
  makeUserProject(where);
  writeFileSync(join(where, 'main.ts'), blocksOf('README.md', 'ts')[0]);
  runTypeScript(where, 'main.ts', { CDK8S_AGENTGATEWAY_NOTES: 'off' });
  const files = synthesized(where);
  if (!files.some(([, text]) => text.includes('kind: Deployment')))
    throw new Error('main.ts wrote no Deployment');
  return files;
}

/** Tests of what was fetched; where it is not served they are skipped, with the reason. */
export function withFetched<T>(what: string, got: Fetched<T>, tests: (value: T) => void): void {
  if ('value' in got) describe(what, () => tests(got.value));
  else if (got.isProgram && process.env.CI)
    it(`${what}: finds what it needs`, () => {
      throw new Error(got.missing);
    });
  else it.skip(`${what}, since ${got.missing}`, () => {});
}
