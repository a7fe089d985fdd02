/**
 * Opens what lives as long as the process: the replay store, what operators read, and the keys of the process
 * itself.
 */
import { readFileSync } from 'node:fs';
import type { Config, TracingConfig } from './config/index.js';
import type { Generation, ProcessResources } from './generation.js';
import { openEgress } from './keys/egress-proxy.js';
import { createSessionKeys, newSessionKey } from './keys/session-keys.js';
import { openSecretFile } from './keys/secret-file.js';
import type { BucketMemory } from './limit/bucket-table.js';
import { createAuditLog, openAuditSink } from './observe/audit-log.js';
import type { LineSink } from './observe/line-sink.js';
import type { Sources } from './observe/instruments.js';
import { createMetrics, type Metrics } from './observe/metrics.js';
import { openTracer, type Tracer } from './observe/tracer.js';
import { connectRedis } from './redis/connect.js';
import type { SharedClaims } from './replay/memory-store.js';
import { openReplayStore } from './replay/open-replay-store.js';
import { reloadEvents, type Dependencies } from './trust.js';
import { BackendWatch } from './upstream/backend-watch.js';
import { createDeadlines } from './upstream/deadlines.js';
import { createOpenAnswers } from './upstream/open-answers.js';
import { bucketMemories, bucketTables, type Buckets, type SharedRedis } from './request-pipeline.js';

/** What a thread has that is one of several: see workers/. */
export interface ThreadContext {
  /** Absent: the replay store is not of this process. */
  readonly claims: SharedClaims | undefined;
  readonly buckets: Buckets<BucketMemory>;
  readonly sessionKey: Buffer;
  readonly audit: LineSink;
}

export interface OpenOptions {
  readonly config: Config;
  readonly dependencies: Dependencies;
  readonly thread: ThreadContext | undefined;
  /** The generation in use; asked from the first request on. */
  readonly current: () => Generation;
  /** What only who serves knows; asked at every scrape. */
  readonly seen: Pick<Sources, 'waitingFor' | 'certificateExpiry' | 'followed' | 'configHash'>;
}

/** @returns what generations share; its `close` ends all of it, the audit log last */
export async function openProcessResources(options: OpenOptions): Promise<ProcessResources> {
  const { config, dependencies, thread, current, seen } = options;
  const { clock, warn } = dependencies;
  const store = await openReplayStore(config, {
    now: clock,
    remembersSince: dependencies.remembersSince,
    shared: thread?.claims,
    onProblem: warn,
    onRecovered: dependencies.recovered,
    onUnchecked: () => metrics.unchecked(),
    onClaimed: (claim, seconds) => metrics.claimed(claim, seconds),
  });
  const metrics = createMetrics({
    thread: thread !== undefined,
    now: clock,
    replayEntries: () => store.size?.(),
    openStreams: () => openAnswers.streams(),
    ignoredKeys: () => [...current().trust.keys].map(([name, keys]) => [name, keys.ignored()] as const),
    liveKeys: () =>
      [...current().trust.keys].map(([name, keys]) => [name, keys.find(undefined).length] as const),
    keyAgeSeconds: () => [...current().trust.keys].map(([name, keys]) => [name, keys.ageSeconds()] as const),
    ...seen,
  });
  const openAnswers = createOpenAnswers({ now: clock, allowed: (policy) => current().policies.has(policy) });
  const auditSink = thread?.audit ?? openAuditSink(config.audit, { auditLost: metrics.auditLost, warn });
  const audit = createAuditLog(auditSink);
  const tracing = await openTracing(config, metrics, counted(dependencies, metrics));
  const redis = sharedRedis(config);
  const deadlines = createDeadlines();
  return {
    store,
    metrics,
    openAnswers,
    watch: new BackendWatch(dependencies),
    audit,
    auditSink,
    tracer: tracing?.tracer,
    deadlines,
    buckets: bucketTables(thread?.buckets ?? bucketMemories(false)),
    sharedRedis: redis?.connect,
    sessionKeys: createSessionKeys(thread?.sessionKey ?? newSessionKey(), clock, redis?.sessionKeys),
    refresh() {
      tracing?.refresh();
      auditSink.reopen();
    },
    async close() {
      openAnswers.close();
      deadlines.close();
      await tracing?.close();
      await store.close();
      await redis?.close();
      await audit.close();
    },
  };
}

/** What is read again is counted, too. */
export const counted = (dependencies: Dependencies, metrics: Metrics): Dependencies => ({
  ...dependencies,
  reloaded: (what, name, good) => metrics.reloaded(what, name, good),
});

interface Tracing {
  readonly tracer: Tracer;
  refresh(): void;
  close(): Promise<void>;
}

/** Spans go to a collector, with a credential that is followed; absent where no tracing is configured. */
async function openTracing(
  { tracing, egressProxy }: Config,
  metrics: Metrics,
  dependencies: Dependencies,
): Promise<Tracing | undefined> {
  if (tracing === undefined) return undefined;
  const credential = openCredential(tracing.authorization, dependencies);
  const ofProxy = openCredential(egressProxy?.credentials, dependencies);
  const egress =
    egressProxy && openEgress(egressProxy, { credentials: () => ofProxy?.value(), ...rootsOf(tracing) });
  const tracer = await openTracer(tracing, {
    authorization: () => credential?.value(),
    agent: egress?.agentFor(tracing.url),
    onDropped: metrics.spansDropped,
    onProblem: dependencies.warn,
    onRecovered: dependencies.recovered,
  });
  return {
    tracer,
    refresh() {
      credential?.refresh();
      ofProxy?.refresh();
    },
    async close() {
      await tracer.close();
      egress?.close();
      credential?.close();
      ofProxy?.close();
    },
  };
}

const openCredential = (reference: { readonly file: string } | undefined, dependencies: Dependencies) =>
  reference && openSecretFile(reference.file, reloadEvents(dependencies, 'credential', reference.file));

const rootsOf = ({ caFile }: TracingConfig) =>
  caFile === undefined ? {} : { targetRoots: readFileSync(caFile, 'utf8') };

/** One connection for all that replicas share beside the claims, made when it is first asked for. */
function sharedRedis({ replay }: Config) {
  if (replay.store !== 'redis') return undefined;
  let connection: ReturnType<typeof connectRedis> | undefined;
  const connect: SharedRedis = () =>
    (connection ??= connectRedis(replay, () => {
      /* the replay store says what is wrong with the same Redis */
    }));
  return {
    connect,
    sessionKeys: { redis: connect, name: `${replay.keyPrefix}session-key` },
    close: async () => (await connection)?.disconnect(),
  };
}
