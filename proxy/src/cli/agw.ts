#!/usr/bin/env node
/** agw: what an operator runs by hand. `serve` and `check` are the proxy's own; the rest never goes into a cluster. */
import { nearestWord } from '../config/nearest-word.js';
import { VERSION } from '../observe/build.js';
import type { Command } from './command.js';
import { CliError } from './command.js';
import { completionOf } from './completion.js';
import { configExtract } from './config-extract.js';
import { curl } from './curl.js';
import { doctor } from './doctor.js';
import { explain } from './explain.js';
import { helmSecretInspect } from './helm-secret.js';
import { jwksAdd, jwksCreate, jwksRetire } from './jwks.js';
import { keysGenerate } from './keys.js';
import { proofMint } from './proof.js';
import { prune } from './prune.js';
import { smoke } from './smoke.js';
import { tokenMint } from './token.js';
import { top } from './top.js';

/** The bundle beside this one; it acts on process.argv. */
const PROXY: string = './proxy.mjs';

const ofProxy = (usage: string, summary: string): Command => ({
  usage,
  summary,
  run: async () => {
    await import(PROXY);
    return Number(process.exitCode ?? 0);
  },
});

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: ofProxy('serve --config FILE', 'runs the gateway'),
  check: ofProxy(
    'check --config FILE [--elsewhere] [--json]   --elsewhere: what this machine lacks for it is no fault',
    'names every fault of a config, of the files that it names, and of what serve needs of this machine',
  ),
  doctor,
  explain,
  'config extract': configExtract,
  curl,
  smoke,
  'keys generate': keysGenerate,
  'jwks create': jwksCreate,
  'jwks add': jwksAdd,
  'jwks retire': jwksRetire,
  'token mint': tokenMint,
  'proof mint': proofMint,
  'helm-secret inspect': helmSecretInspect,
  prune,
  top,
  completion: completionOf(() => COMMANDS),
};
const NAMES = Object.keys(COMMANDS);
const NAME_WIDTH = Math.max(...NAMES.map(({ length }) => length));

const USAGE = [
  'usage:',
  ...Object.entries(COMMANDS).map(([name, { summary }]) => `  agw ${name.padEnd(NAME_WIDTH)}  ${summary}`),
  '  agw --version',
  'agw COMMAND --help says how it is called.',
].join('\n');

/** @returns the exit code: 0, 1 for what went wrong, 2 for a call that cannot be run */
async function main(argv: readonly string[]): Promise<number> {
  const [first = '', second = ''] = argv;
  if (first === '--version') {
    process.stdout.write(`agw ${VERSION} (node ${process.version})\n`);
    return 0;
  }
  const name = [first, `${first} ${second}`].find((words) => Object.hasOwn(COMMANDS, words));
  const command = name === undefined ? undefined : COMMANDS[name]!;
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(`${usageOf(command)}\n`);
    return 0;
  }
  if (name === undefined || command === undefined) {
    process.stderr.write(unknownCommand(first, second));
    return 2;
  }
  return run(command, argv.slice(name.split(' ').length));
}

function unknownCommand(first: string, second: string): string {
  if (first === '') return `${USAGE}\n`;
  const isGroup = NAMES.some((name) => name.startsWith(`${first} `));
  const meant = nearestWord(`${first} ${second}`, NAMES) ?? nearestWord(first, NAMES);
  const got = JSON.stringify(isGroup ? `${first} ${second}`.trim() : first);
  return meant === undefined
    ? `agw: unknown command ${got}\n${USAGE}\n`
    : `agw: unknown command ${got}; did you mean "${meant}"?\n`;
}

const usageOf = (command: Command | undefined): string =>
  command === undefined ? USAGE : `usage: agw ${command.usage}\n${command.summary}`;

function out(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Of a terminal that does not know its size, the size of the first ones. */
const screen = () => ({ rows: process.stdout.rows || 24, columns: process.stdout.columns || 80 });

async function run(command: Command, args: readonly string[]): Promise<number> {
  try {
    return (await command.run(args, { out, screen: process.stdout.isTTY ? screen : undefined })) ?? 0;
  } catch (cause) {
    const { message } = cause as Error;
    process.stderr.write(`agw: ${message}\n`);
    if (!isUsageError(cause)) return 1;
    process.stderr.write(`${meantOption(message, command)}usage: agw ${command.usage}\n`);
    return 2;
  }
}

const isUsageError = (cause: unknown): boolean =>
  cause instanceof CliError || (cause as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;

/** By the words of node:util's parseArgs. A command's options are those that its usage names. */
function meantOption(message: string, { usage }: Command): string {
  const unknown = /^Unknown option '(--[^']+)'/.exec(message)?.[1];
  const meant = unknown === undefined ? undefined : nearestWord(unknown, usage.match(/--[a-z-]+/g) ?? []);
  return meant === undefined ? '' : `did you mean ${meant}?\n`;
}

process.exitCode = await main(process.argv.slice(2));
