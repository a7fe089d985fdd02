/** A folder as a user of the library has it, for code of the documents. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './synth';

const COMPILER_OPTIONS = {
  module: 'node16',
  moduleResolution: 'node16',
  target: 'es2022',
  strict: true,
  skipLibCheck: true,
  types: ['node'],
};

/** Gives a folder the modules of this repository, the library under its name, a tsconfig.json and a jwks.json. */
export function makeUserProject(dir: string): void {
  mkdirSync(join(dir, 'node_modules'));
  for (const name of ['cdk8s', 'constructs', 'cdk8s-plus-28', '@types'])
    symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
  symlinkSync(root, join(dir, 'node_modules', 'cdk8s-agentgateway'));
  copyFileSync(join(root, 'apps', 'jwks.json'), join(dir, 'jwks.json'));
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
}

/** Compiles and runs a file of the folder; throws where it does not compile, or fails. */
export function runTypeScript(dir: string, file: string, env: NodeJS.ProcessEnv = {}): void {
  execFileSync(join(root, 'node_modules', '.bin', 'ts-node'), [file], {
    cwd: dir,
    stdio: 'pipe',
    env: { ...process.env, ...env },
    timeout: 100_000,
  });
}
