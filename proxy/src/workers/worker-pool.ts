import { Worker } from 'node:worker_threads';
import { createAdminServer } from '../admin/admin-server.js';
import type { Gateway } from '../app.js';
import type { Config } from '../config/index.js';
import { restartProblems } from '../generation.js';
import { closed, listen } from '../http/listen.js';
import { newSessionKey } from '../keys/session-keys.js';
import { openAuditSink } from '../observe/audit-log.js';
import { createWorkerPoolMetrics, METRICS_TYPE } from '../observe/metrics.js';
import { gatewayStatus } from '../observe/status.js';
import { claimsToShare } from '../replay/open-replay-store.js';
import { oneAtATime } from '../one-at-a-time.js';
import type { Dependencies } from '../trust.js';
import { bucketMemories } from '../request-pipeline.js';
import type { Question, Questions, ThreadStart, ThreadMessage } from './messages.js';
import { nowMs } from './thread.js';

export interface WorkerPoolOptions extends Pick<
  Dependencies,
  'clock' | 'warn' | 'recovered' | 'replaced' | 'remembersSince'
> {
  /** The program that calls `serveAsThread` where it is no main thread. */
  readonly program: URL;
  /** A thread has ended by itself: what it was in the middle of nobody knows, so the process should end too. */
  readonly onLost: (cause: Error) => void;
}

/** A thread whose event loop has not turned for so long is stuck: a verification takes a fraction of a millisecond. */
const STALLED_MS = 10_000n;

/**
 * Several threads that serve as one gateway: this one only answers on the admin port, writes the audit lines,
 * and hands on what the process is asked. Claims and buckets lie in memory that all of them share, so that a
 * proof passes once and a limit is one limit, whichever thread a connection came to.
 */
export async function startWorkers(config: Config, options: WorkerPoolOptions): Promise<Gateway> {
  const { clock, remembersSince, warn, program, onLost } = options;
  const shared = {
    claims: claimsToShare(config, { now: clock, remembersSince }),
    buckets: bucketMemories(true),
    sessionKey: newSessionKey(),
    beats: new BigInt64Array(new SharedArrayBuffer(config.workers * BigInt64Array.BYTES_PER_ELEMENT)),
  };
  const metrics = createWorkerPoolMetrics();
  const audit = openAuditSink(config.audit, { auditLost: metrics.auditLost, warn });
  const threads = await Promise.all(
    Array.from({ length: config.workers }, (_, index) =>
      openThread(
        program,
        { config: shareOf(config), ...shared, index },
        {
          ...eventsOf(`thread ${index + 1}`, options),
          onAudit: (text) => audit.write(text),
          onLost,
        },
      ),
    ),
  );
  const askAll: AskAll = (kind, ask) => Promise.all(threads.map((thread) => thread.ask(kind, ask)));
  const text = async () => metrics.text(await askAll('metrics', undefined));
  const ownWaits = () => (audit.behind() ? ['audit log'] : []);
  const waitingFor = async () => [
    ...new Set([...(await askAll('waitingFor', undefined)).flat(), ...ownWaits()]),
  ];
  const status = async () =>
    gatewayStatus(await askAll('status', undefined), { now: clock(), waitingFor: ownWaits() });
  const admin = createAdminServer({
    metrics: { contentType: METRICS_TYPE, text },
    waitingFor,
    status,
    alive: () => shared.beats.every((_, i) => nowMs() - Atomics.load(shared.beats, i) < STALLED_MS),
  });
  const adminPort = await listen(admin, config.admin);
  const stop = async () => {
    await askAll('stop', undefined);
    await audit.close();
    await closed(admin, 0);
  };
  let stopped: Promise<void> | undefined;
  return {
    port: config.listen.port,
    adminPort,
    eventsLost: metrics.eventsLost,
    reload: createReload(config, threads, askAll),
    refresh() {
      audit.reopen();
      void askAll('refresh', undefined);
    },
    refusedConfig: () => void threads[0]!.ask('refusedConfig', undefined),
    stop: () => (stopped ??= stop()),
  };
}

/** What a thread tells, under its name. */
const eventsOf = (thread: string, { warn, recovered, replaced }: WorkerPoolOptions) => ({
  onWarning: (problem: string) => warn(`${thread}: ${problem}`),
  onRecovered: (what: string) => recovered?.(`${thread}: ${what}`),
  onReplaced: (what: string, live: string) => replaced?.(`${thread}: ${what}`, live),
});

type AskAll = <K extends keyof Questions>(
  kind: K,
  ask: Questions[K]['ask'],
) => Promise<Questions[K]['answer'][]>;

/**
 * One reload after the other. All threads take a config, or none: those that took it go back to what the others
 * use.
 */
function createReload(first: Config, threads: readonly Thread[], askAll: AskAll): Gateway['reload'] {
  let using = first;
  const reload = async (next: Config): Promise<readonly string[]> => {
    const fixed = restartProblems(using, next);
    if (fixed.length > 0) {
      await threads[0]!.ask('refusedConfig', undefined);
      return fixed;
    }
    const problems = await askAll('reload', shareOf(next));
    if (problems.every((ofThread) => ofThread.length === 0)) {
      using = next;
      return [];
    }
    await Promise.all(
      threads
        .filter((_, i) => problems[i]!.length === 0)
        .map((thread) => thread.ask('reload', shareOf(using))),
    );
    return [...new Set(problems.flat())];
  };
  const inTurn = oneAtATime();
  return (next) => inTurn(() => reload(next));
}

/** What is bounded for the process, for one of its threads: the system deals connections out evenly. */
export function shareOf(config: Config): Config {
  const share = (n: number) => Math.ceil(n / config.workers);
  const { limits, upstream } = config;
  return {
    ...config,
    limits: {
      ...limits,
      maxConnections: share(limits.maxConnections),
      maxConnectionsPerAddress: share(limits.maxConnectionsPerAddress),
      maxIdleConnections: limits.maxIdleConnections && share(limits.maxIdleConnections),
    },
    upstream: {
      ...upstream,
      maxSockets: share(upstream.maxSockets),
      maxStreams: share(upstream.maxStreams),
      maxQueued: share(upstream.maxQueued),
    },
  };
}

interface Thread {
  ask<K extends keyof Questions>(kind: K, ask: Questions[K]['ask']): Promise<Questions[K]['answer']>;
}

interface ThreadEvents {
  readonly onWarning: (problem: string) => void;
  readonly onRecovered: (what: string) => void;
  readonly onReplaced: (what: string, live: string) => void;
  readonly onAudit: (text: string) => void;
  readonly onLost: (cause: Error) => void;
}

/** Resolves when it serves. */
function openThread(
  program: URL,
  start: ThreadStart,
  { onWarning, onRecovered, onReplaced, onAudit, onLost }: ThreadEvents,
): Promise<Thread> {
  const worker = new Worker(program, { workerData: start });
  const waiting = new Map<number, (answer: unknown) => void>();
  let asked = 0;
  let stopping = false;
  let gone = false;
  const ask: Thread['ask'] = (kind, what) =>
    new Promise((resolve) => {
      if (kind === 'stop') {
        stopping = true;
        if (gone) return resolve(undefined);
      }
      asked += 1;
      waiting.set(asked, resolve as (answer: unknown) => void);
      const question = { id: asked, kind, ask: what } as Question;
      worker.postMessage(question);
    });
  return new Promise((resolve, reject) => {
    let lost = (cause: Error) => reject(cause);
    worker.once('error', (cause: Error) => lost(cause));
    worker.once('exit', (code) => {
      gone = true;
      if (stopping) for (const resolveStop of waiting.values()) resolveStop(undefined);
      else lost(new Error(`thread ${start.index + 1} ended with ${code}`));
    });
    worker.on('message', (message: ThreadMessage) => {
      switch (message.kind) {
        case 'answer': {
          waiting.get(message.id)?.(message.answer);
          waiting.delete(message.id);
          return;
        }
        case 'serving': {
          lost = onLost;
          return resolve({ ask });
        }
        case 'warning':
          return onWarning(message.problem);
        case 'recovered':
          return onRecovered(message.what);
        case 'replaced':
          return onReplaced(message.what, message.live);
        case 'audit':
          return onAudit(message.text);
      }
    });
  });
}
