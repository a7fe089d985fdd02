/** argv, files, signals and exit codes: the only user of `process`. */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { startGateway, type Gateway } from './app.js';
import { wallClock } from './clock.js';
import { parseConfigText, weakenings, type Config } from './config/index.js';
import { fileProblems } from './config-files.js';
import { watchFile } from './keys/watched-file.js';

const USAGE = 'usage: agw serve|check --config FILE';
/** A refused config is looked at again after this long. */
const RETRY_MS = 10_000;
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const say = (event: string, fields: Record<string, unknown> = {}) => process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);

function fail(code: number, ...lines: string[]): never {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exit(code);
}

function load(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    return fail(EXIT.failed, `--config: cannot be read, got ${(cause as Error).message}; name the gateway's config.json`);
  }
  const { config, problems } = judge(text);
  return config ?? fail(EXIT.failed, `${file}: ${problems.length} problem(s)`, ...problems.map((p) => `  ${p}`));
}

/** The problems of the files that a config names count too. */
function judge(text: string): { readonly config: Config | undefined; readonly problems: readonly string[] } {
  const parsed = parseConfigText(text);
  const problems = parsed.ok ? fileProblems(parsed.config) : parsed.problems;
  return { config: parsed.ok && problems.length === 0 ? parsed.config : undefined, problems };
}

async function serve(file: string, config: Config): Promise<void> {
  for (const weakening of weakenings(config)) say('weakened', { weakening });
  const gateway = await startGateway(config, { clock: wallClock, warn: (problem) => say('warning', { problem }) });
  say('listening', { port: gateway.port, adminPort: gateway.adminPort, startMs: Math.round(performance.now()) });
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) process.exit(EXIT.failed); // asked twice: at once
    stopping = true;
    say('stopping', { signal, lameDuckSeconds: config.lameDuckSeconds, drainSeconds: config.drainSeconds });
    void gateway.stop().then(() => process.exit(EXIT.ok));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  followConfig(file, gateway);
}

/** A new config takes effect when its file changes; SIGHUP looks at it, and at everything else that is mounted, at once. One that is no good is said, counted, and tried again: what it lacks may come. */
function followConfig(file: string, gateway: Gateway): void {
  let again: NodeJS.Timeout | undefined;
  let seen = 0;
  const take = async (text: string) => {
    clearTimeout(again);
    const mine = ++seen;
    const { config, problems } = judge(text);
    if (config === undefined) gateway.refusedConfig();
    const left = config === undefined ? problems : await gateway.reload(config);
    if (left.length === 0) return say('reloaded', { config: file });
    say('reload_refused', { config: file, problems: left, inUse: 'the config before' });
    if (mine === seen) again = setTimeout(() => void take(text), RETRY_MS).unref();
  };
  const watched = watchFile(file, { onProblem: (problem) => say('warning', { problem }), onContent: (text) => { if (seen++ > 0) void take(text); } });
  process.on('SIGHUP', () => {
    watched.check();
    gateway.refresh();
  });
}

let args;
try {
  args = parseArgs({ args: process.argv.slice(2), allowPositionals: true, options: { config: { type: 'string' } } });
} catch (cause) {
  fail(EXIT.usage, (cause as Error).message, USAGE);
}
const [command, ...rest] = args.positionals;
if ((command !== 'serve' && command !== 'check') || rest.length > 0 || args.values.config === undefined) fail(EXIT.usage, USAGE);
const config = load(args.values.config);
if (command === 'check') process.stdout.write(`${[`${args.values.config}: ok, ${config.routes.length} route(s)`, ...weakenings(config).map((w) => `  weakened: ${w}`)].join('\n')}\n`);
else await serve(args.values.config, config).catch((cause: Error) => fail(EXIT.failed, `cannot start: ${cause.message}`));
