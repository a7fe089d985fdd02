#!/usr/bin/env node
/** agw: what an operator runs by hand. `serve` and `check` are the proxy's own; the rest never goes into a cluster. */
import type { Command } from './command.js';
import { CliError } from './command.js';
import { explain } from './explain.js';
import { jwksAdd, jwksCreate, jwksRetire } from './jwks.js';
import { keysGenerate } from './keys.js';
import { proofMint } from './proof.js';
import { prune } from './prune.js';
import { tokenMint } from './token.js';

/** The bundle beside this one; it acts on process.argv. */
const PROXY: string = './proxy.mjs';

const COMMANDS: Readonly<Record<string, Command>> = {
  'keys generate': keysGenerate,
  'jwks create': jwksCreate,
  'jwks add': jwksAdd,
  'jwks retire': jwksRetire,
  'token mint': tokenMint,
  'proof mint': proofMint,
  explain,
  prune,
};

const USAGE = [
  'usage:',
  'agw serve --config FILE',
  'agw check --config FILE',
  ...Object.values(COMMANDS).map(({ usage }) => `agw ${usage}`),
].join('\n  ');

/** @returns the exit code: 0, 1 for what went wrong, 2 for a call that cannot be run */
async function main(argv: readonly string[]): Promise<number> {
  const [first = '', second = ''] = argv;
  const help = argv.includes('--help') || argv.includes('-h');
  if ((first === 'serve' || first === 'check') && !help) {
    await import(PROXY);
    return 0;
  }
  const name = [first, `${first} ${second}`].find((words) => Object.hasOwn(COMMANDS, words));
  const command = name === undefined ? undefined : COMMANDS[name]!;
  if (help) {
    process.stdout.write(`${usageOf(command)}\n`);
    return 0;
  }
  if (name === undefined || command === undefined) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  return run(command, argv.slice(name.split(' ').length));
}

const usageOf = (command: Command | undefined): string =>
  command === undefined ? USAGE : `usage: agw ${command.usage}`;

async function run(command: Command, args: readonly string[]): Promise<number> {
  try {
    return (await command.run(args, { out: (text) => process.stdout.write(`${text}\n`) })) ?? 0;
  } catch (cause) {
    process.stderr.write(`agw: ${(cause as Error).message}\n`);
    if (!isUsageError(cause)) return 1;
    process.stderr.write(`${usageOf(command)}\n`);
    return 2;
  }
}

const isUsageError = (cause: unknown): boolean =>
  cause instanceof CliError || (cause as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;

process.exitCode = await main(process.argv.slice(2));
