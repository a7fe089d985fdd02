import { Worker } from 'node:worker_threads';
import { createAdminServer } from '../admin/admin-server.js';
import type { Gateway } from '../app.js';
import type { Config } from '../config/index.js';
import { restartProblems } from '../generation.js';
import { closed, listen } from '../http/listen.js';
import { newSessionKey } from '../keys/session-keys.js';
import { openLineSink, STDOUT } from '../observe/line-sink.js';
import { createCrewMetrics, METRICS_TYPE } from '../observe/metrics.js';
import { claimsToShare } from '../replay/open-replay-store.js';
import type { Surroundings } from '../trust.js';
import { bucketMemories } from '../way.js';
import type { Question, Questions, Start, Told } from './messages.js';
import { nowMs } from './thread.js';

export interface CrewOptions extends Pick<Surroundings, 'clock' | 'warn' | 'remembersSince'> {
  /** The program that calls `serveAsThread` where it is no main thread. */
  readonly program: URL;
  /** A thread has ended by itself: what it was in the middle of nobody knows, so the process should end too. */
  readonly onLost: (cause: Error) => void;
}

/** A thread whose event loop has not turned for so long is stuck: a verification takes a fraction of a millisecond. */
const STALLED_MS = 10_000n;

/**
 * Several threads that serve as one gateway: this one only answers on the admin port, writes the audit lines, and hands on what the process is asked. Claims and buckets lie in memory
 * that all of them share, so that a proof passes once and a limit is one limit, whichever thread a connection came to.
 */
export async function startCrew(
  config: Config,
  { clock, remembersSince, warn, program, onLost }: CrewOptions,
): Promise<Gateway> {
  const { workers } = config;
  const claims = claimsToShare(config, { now: clock, remembersSince });
  const buckets = bucketMemories(true);
  const sessionKey = newSessionKey();
  const beats = new BigInt64Array(new SharedArrayBuffer(workers * BigInt64Array.BYTES_PER_ELEMENT));
  const metrics = createCrewMetrics();
  const audit = openLineSink({
    to: config.audit.file ?? STDOUT,
    onLost: (lines, why) => {
      metrics.auditLost(lines);
      warn(`audit: ${lines} line(s) lost: ${why}`);
    },
  });
  let using = config;

  const threads = await Promise.all(
    Array.from({ length: workers }, (_, index) =>
      openThread(
        program,
        { config: shareOf(config), claims, buckets, sessionKey, beats, index },
        {
          onWarning: (problem) => warn(`thread ${index + 1}: ${problem}`),
          onAudit: (text) => audit.write(text),
          onLost,
        },
      ),
    ),
  );
  const all = <K extends keyof Questions>(
    kind: K,
    ask: Questions[K]['ask'],
  ): Promise<Questions[K]['answer'][]> => Promise.all(threads.map((thread) => thread.ask(kind, ask)));

  const admin = createAdminServer({
    metrics: { contentType: METRICS_TYPE, text: async () => metrics.text(await all('metrics', undefined)) },
    waitingFor: async () => [
      ...new Set([...(await all('waitingFor', undefined)).flat(), ...(audit.behind() ? ['audit log'] : [])]),
    ],
    alive: () => beats.every((_, i) => nowMs() - Atomics.load(beats, i) < STALLED_MS),
  });
  const adminPort = await listen(admin, config.admin);

  /** All of them, or none: those that took it go back to what the others still use. */
  const reload = async (next: Config): Promise<readonly string[]> => {
    const fixed = restartProblems(using, next);
    if (fixed.length > 0) {
      await threads[0]!.ask('refusedConfig', undefined);
      return fixed;
    }
    const problems = await all('reload', shareOf(next));
    const left = [...new Set(problems.flat())];
    if (left.length === 0) {
      using = next;
      return [];
    }
    await Promise.all(
      threads
        .filter((_, i) => problems[i]!.length === 0)
        .map((thread) => thread.ask('reload', shareOf(using))),
    );
    return left;
  };
  const stop = async () => {
    await all('stop', undefined);
    await audit.close();
    await closed(admin, 0);
  };
  let turn: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | undefined;
  return {
    port: config.listen.port,
    adminPort,
    eventsLost: metrics.eventsLost,
    reload(next) {
      const done = turn.then(() => reload(next));
      turn = done.catch(() => {});
      return done;
    },
    refresh: () => void all('refresh', undefined),
    refusedConfig: () => void threads[0]!.ask('refusedConfig', undefined),
    stop: () => (stopped ??= stop()),
  };
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
  readonly onAudit: (text: string) => void;
  readonly onLost: (cause: Error) => void;
}

/** Resolves when it serves. */
function openThread(
  program: URL,
  start: Start,
  { onWarning, onAudit, onLost }: ThreadEvents,
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
        if (gone) return resolve(undefined as never);
      }
      asked += 1;
      waiting.set(asked, resolve as (answer: unknown) => void);
      worker.postMessage({ id: asked, kind, ask: what } as Question);
    });
  return new Promise((resolve, reject) => {
    let lost = (cause: Error) => reject(cause);
    worker.once('error', (cause: Error) => lost(cause));
    worker.once('exit', (code) => {
      gone = true;
      if (stopping) for (const resolveStop of waiting.values()) resolveStop(undefined);
      else lost(new Error(`thread ${start.index + 1} ended with ${code}`));
    });
    worker.on('message', (told: Told) => {
      switch (told.kind) {
        case 'answer': {
          waiting.get(told.id)?.(told.answer);
          waiting.delete(told.id);
          return;
        }
        case 'serving': {
          lost = onLost;
          return resolve({ ask });
        }
        case 'warning':
          return onWarning(told.problem);
        case 'audit':
          return onAudit(told.text);
      }
    });
  });
}
