/** The library in other languages: as jsii-pacmak writes it, and programs that use it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/synth';

const TIMEOUT_MS = 300_000;
const MODULES = ['constructs', 'cdk8s', 'cdk8s-plus-28'];
const ENV = {
  ...process.env,
  // What is packed is the build at hand: its own scripts would make it anew.
  npm_config_ignore_scripts: 'true',
  CDK8S_AGENTGATEWAY_NOTES: 'off',
  JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '20',
};

interface Manifest {
  readonly version: string;
  readonly repository: { readonly url: string };
  readonly devDependencies: Record<string, string>;
}
interface Assembly {
  readonly types: Record<string, { readonly name: string }>;
}
const json = (...path: string[]): unknown => JSON.parse(readFileSync(join(root, ...path), 'utf8'));

export const manifest = json('package.json') as Manifest;
/** Of a package that is installed here. */
export const versionOf = (name: string) => (json('node_modules', name, 'package.json') as Manifest).version;
/** Every public type of the library. */
export const types = Object.values((json('.jsii') as Assembly).types);

export const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
/** The fenced blocks of a language in a page. */
export const blocksOf = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code]) => code);

export const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: TIMEOUT_MS, env: ENV });

const pacmak = (args: readonly string[], modules: readonly string[]) =>
  run(join(root, 'node_modules', '.bin', 'jsii-pacmak'), [...modules, '--no-npmignore', ...args], root);

/** Builds the wheel. @returns its path */
export function buildWheel(outdir: string): string {
  pacmak(['--target', 'python', '--outdir', outdir], [root]);
  const dir = join(outdir, 'python');
  return join(
    dir,
    readdirSync(dir).find((file) => file.endsWith('.whl'))!,
  );
}

/**
 * Writes the sources of languages, those of what the library stands on beside them: no registry has all of these in
 * every language.
 */
export const generateSources = (languages: readonly string[], outdir: string) =>
  pacmak(
    ['--code-only', '--outdir', outdir, ...languages.flatMap((language) => ['--target', language])],
    [...MODULES.map((name) => join(root, 'node_modules', name)), root],
  );

/** A program that is not there is a failure in CI; a registry that does not serve is nobody's fault here. */
export type Fetched<T> = { readonly value: T } | { readonly missing: string; readonly isProgram: boolean };

/** Words of pip, Maven and go, and none of a compiler: what cannot be built is a failure. */
export const NOT_SERVED = new RegExp(
  [
    /\b(40[34]|410|429|5\d\d) (client error|server error|forbidden|not found|gone|bad|service|gateway|too many)/,
    /\bstatus(?: code)?:? (40[34]|410|429|5\d\d)\b|\bhttp error (40[34]|410|429|5\d\d)\b/,
    /could not (find|transfer) artifact|\bwas not found in \S+ during a previous attempt/,
    /could not find a version that satisfies|no matching distribution found/,
    /\bdial tcp\b|\btoolchain not available\b/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
);

/** What a package manager fetches, or why it cannot be had; another failure is thrown. */
export function fetched<T>(what: string, fetch: () => T): Fetched<T> {
  try {
    return { value: fetch() };
  } catch (cause) {
    const { code, stdout = '', stderr = '' } = cause as { code?: string; stdout?: string; stderr?: string };
    if (code === 'ENOENT') return { missing: `${what}: there is no such program here`, isProgram: true };
    const said = `${stdout}\n${stderr}`.split('\n').find((line) => NOT_SERVED.test(line));
    if (said === undefined) throw cause;
    return { missing: `${what}: ${said.trim().slice(0, 300)}`, isProgram: false };
  }
}
