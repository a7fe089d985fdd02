#!/usr/bin/env node
/** `npx cdk8s-agentgateway init`: a project that synthesizes, in this folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFiles } from './project-files';

const USAGE = `usage: cdk8s-agentgateway init

Writes main.ts, tsconfig.json, package.json with pinned versions, cdk8s.yaml, .gitignore, a key pair to try the gateway
with (private.pem, public.pem) and its key set (jwks.json) into this folder. Nothing that is there is overwritten: a
folder that has one of them is refused.
`;

const KEY_FILES = ['private.pem', 'public.pem', 'jwks.json'];

/** @returns the exit code */
function main(args: readonly string[]): number {
  if (args.length === 1 && ['--help', '-h', 'help'].includes(args[0])) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (args.length !== 1 || args[0] !== 'init') {
    process.stderr.write(USAGE);
    return 2;
  }
  return init();
}

function init(): number {
  const files = projectFiles();
  const present = [...Object.keys(files), ...KEY_FILES].filter((file) => existsSync(file));
  if (present.length > 0) {
    process.stderr.write(
      `init: must run in a folder without its files, got ${present.join(', ')} in ${process.cwd()}; choose ` +
        `an empty folder\n`,
    );
    return 1;
  }
  // Whatever appears meanwhile is not overwritten either.
  for (const [file, text] of Object.entries(files)) writeFileSync(file, text, { flag: 'wx' });
  agw('keys', 'generate', '--out', 'private.pem', '--public', 'public.pem');
  agw('jwks', 'create', '--key', 'public.pem', '--kid', 'my-key-1', '--out', 'jwks.json');
  process.stdout.write(
    [
      ...[...Object.keys(files), ...KEY_FILES].map((file) => `wrote ${file}`),
      '',
      'jwks.json holds the key that was made for a try; your identity provider has its own: replace it, and ' +
        'issuer and audience in main.ts.',
      'Now: npm install && npm run synth && kubectl apply -f dist/',
      '',
    ].join('\n'),
  );
  return 0;
}

function agw(...args: string[]): void {
  const command = join(__dirname, '..', '..', 'assets', 'agw.mjs');
  execFileSync(process.execPath, [command, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

process.exitCode = main(process.argv.slice(2));
