/** argv, files, signals and exit codes: the only user of `process`. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { getHeapStatistics } from 'node:v8';
import { startGateway, type Gateway } from './app.js';
import { capacityOf, fit, type Capacity, type Machine } from './capacity.js';
import { wallClock } from './clock.js';
import { parseConfigText, weakenings, type Config } from './config/index.js';
import { fileProblems } from './config-files.js';
import { watchFile } from './keys/watched-file.js';
import { reportFatal, openEvents } from './observe/events.js';
import { startProblems } from './start-problems.js';
import { startWorkers } from './workers/worker-pool.js';
import type { ThreadStart } from './workers/messages.js';
import { serveAsThread } from './workers/thread.js';

const USAGE = 'usage: agw serve --config FILE, agw check --config FILE [--elsewhere] [--json]';
/** A refused config is looked at again after this long. */
const RETRY_MS = 10_000;
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const events = openEvents(wallClock);
const { say } = events;

function fail(code: number, ...lines: string[]): never {
  reportFatal(...lines);
  process.exit(code);
}

function load(file: string): Config {
  const { config, problems } = validate(read(file));
  return (
    config ?? fail(EXIT.failed, `${file}: ${problems.length} problem(s)`, ...problems.map((p) => `  ${p}`))
  );
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    return fail(
      EXIT.failed,
      `--config: cannot be read, got ${(cause as Error).message}; name the gateway's config.json`,
    );
  }
}

/** The problems of the files that a config names count too. */
function validate(text: string): {
  readonly config: Config | undefined;
  readonly problems: readonly string[];
} {
  const parsed = parseConfigText(text);
  const problems = parsed.ok
    ? [...fileProblems(parsed.config), ...nodeProblems(parsed.config)]
    : [...parsed.problems, ...fileProblems(parsed.intact)];
  return { config: parsed.ok && problems.length === 0 ? parsed.config : undefined, problems };
}

async function serve(file: string, asked: Config): Promise<void> {
  const capacity = capacityOf(asked, machine());
  const config = fit(asked, capacity);
  for (const problem of capacity.problems) say('cannot_hold', { problem });
  for (const weakening of weakenings(config)) say('weakened', { weakening });
  const dependencies = {
    clock: wallClock,
    warn: (problem: string) => say('warning', { problem }),
    recovered: (what: string) => say('recovered', { what }),
    replaced: (what: string, live: string) => say('reloaded', { what, live }),
  };
  const gateway =
    config.workers === 1
      ? await startGateway(config, dependencies)
      : await startWorkers(config, {
          ...dependencies,
          program: new URL(import.meta.url),
          onLost: (cause) => fail(EXIT.failed, `a thread was lost: ${cause.stack ?? cause.message}`),
        });
  events.countLost((lines) => gateway.eventsLost(lines));
  say('listening', {
    port: gateway.port,
    adminPort: gateway.adminPort,
    workers: config.workers,
    startMs: Math.round(performance.now()),
  });
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) process.exit(EXIT.failed); // asked twice: at once
    stopping = true;
    say('stopping', { signal, lameDuckSeconds: config.lameDuckSeconds, drainSeconds: config.drainSeconds });
    gateway
      .stop()
      .then(() => events.close())
      .then(
        () => process.exit(EXIT.ok),
        (cause: Error) => fail(EXIT.failed, `cannot stop: ${cause.message}`),
      );
  };
  // Node pipes what a thread prints to process.stderr, which ends the process where nobody listens for its errors.
  if (config.workers > 1) process.stderr.on('error', () => gateway.eventsLost(1));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  followConfig(file, gateway, capacity);
}

function machine(): Machine {
  const limit = /^Max open files +(\d+)/m.exec(readProc('limits'))?.[1];
  const memory = process.constrainedMemory();
  return {
    descriptors: limit === undefined ? undefined : Number(limit),
    // Without a container's limit it is 0, or more than any machine has.
    memoryBytes: memory > 0 && memory < totalmem() ? memory : undefined,
    heapBytes: getHeapStatistics().heap_size_limit,
  };
}

/** Of this process; nothing where the system has no such file. */
function readProc(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/**
 * A new config takes effect when its file changes; SIGHUP looks at it, and at everything else that is mounted,
 * at once. One that is no good is said, counted, and tried again: what it lacks may come.
 */
function followConfig(file: string, gateway: Gateway, capacity: Capacity): void {
  let again: NodeJS.Timeout | undefined;
  let seen = 0;
  const take = async (text: string) => {
    clearTimeout(again);
    const mine = ++seen;
    const { config, problems } = validate(text);
    if (config === undefined) gateway.refusedConfig();
    const left = config === undefined ? problems : await gateway.reload(fit(config, capacity));
    if (left.length === 0) return say('reloaded', { config: file });
    say('reload_refused', { config: file, problems: left, inUse: 'the config before' });
    if (mine === seen) again = setTimeout(() => void take(text), RETRY_MS).unref();
  };
  const watched = watchFile(file, {
    onProblem: (problem) => say('warning', { problem }),
    onContent: (text) => {
      if (seen++ > 0) void take(text);
    },
  });
  process.on('SIGHUP', () => {
    watched.check();
    gateway.refresh();
  });
}

/** Threads share a port since then (SO_REUSEPORT). */
const SHARES_PORTS_SINCE = [22, 12] as const;

function nodeProblems({ workers }: Config): string[] {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [since, sinceMinor] = SHARES_PORTS_SINCE;
  const shares =
    process.platform === 'linux' &&
    (major > since || (major === since && minor >= sinceMinor)) &&
    !(major === 23 && minor < 1);
  return workers === 1 || shares
    ? []
    : [
        `workers: must be 1 on ${process.platform} with Node ${process.versions.node}, got ${workers}; ` +
          `several need Linux and Node ${since}.${sinceMinor}`,
      ];
}

const OPTIONS = {
  config: { type: 'string' },
  elsewhere: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

function argsOf() {
  try {
    return parseArgs({ args: process.argv.slice(2), allowPositionals: true, options: OPTIONS });
  } catch (cause) {
    return fail(EXIT.usage, (cause as Error).message, USAGE);
  }
}

interface Check {
  /** The config is for another machine: what this one lacks is no problem. */
  readonly elsewhere: boolean;
  readonly json: boolean;
}

/** @returns the exit code */
async function check(file: string, { elsewhere, json }: Check): Promise<number> {
  const { config, problems: faults } = validate(read(file));
  const here = config === undefined || elsewhere ? [] : await startProblems(config);
  const cannotHold = config === undefined || elsewhere ? [] : capacityOf(config, machine()).problems;
  const weakened = config === undefined ? [] : weakenings(config);
  const problems = [...faults, ...here];
  const ok = problems.length === 0;
  if (json) process.stdout.write(`${JSON.stringify({ file, ok, problems, cannotHold, weakened })}\n`);
  else if (!ok) reportFatal(`${file}: ${problems.length} problem(s)`, ...problems.map((p) => `  ${p}`));
  else
    process.stdout.write(
      [
        `${file}: ok, ${config!.routes.length} route(s)`,
        ...cannotHold.map((problem) => `  cannot hold: ${problem}`),
        ...weakened.map((weakening) => `  weakened: ${weakening}`),
        '',
      ].join('\n'),
    );
  return ok ? EXIT.ok : EXIT.failed;
}

async function run(): Promise<void> {
  const {
    values: { config: file, ...options },
    positionals: [command, ...rest],
  } = argsOf();
  if (file === undefined || rest.length > 0) fail(EXIT.usage, USAGE);
  if (command === 'check') process.exitCode = await check(file, options);
  else if (command !== 'serve' || options.elsewhere || options.json) fail(EXIT.usage, USAGE);
  else
    await serve(file, load(file)).catch((cause: Error) =>
      fail(EXIT.failed, `cannot start: ${cause.message}`),
    );
}

if (isMainThread) await run();
else await serveAsThread(workerData as ThreadStart, parentPort!, wallClock);
