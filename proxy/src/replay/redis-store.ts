import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import type { ReplayConfig } from '../config/index.js';
import { createEpoch, type Epoch } from './redis-epoch.js';
import type { ReplayStore, Turn } from './replay-store.js';

export type RedisReplayConfig = Extract<ReplayConfig, { store: 'redis' }>;

export interface RedisStoreOptions {
  readonly now: Clock;
  /** Once for each spell of trouble. */
  readonly onProblem: (problem: string) => void;
}

const MAX_BACKOFF_MS = 2_000;
const SETTLE_AGAIN_MS = 500;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection on which nothing has come back for so many command timeouts is dead, whatever TCP believes: a partition sends no reset. */
const SILENT_TIMEOUTS = 4;

const secretOf = (ref: { readonly file: string } | undefined) => (ref === undefined ? undefined : readFileSync(ref.file, 'utf8').replace(/\r?\n$/, ''));
const address = (text: string) => {
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 6379 : Number(port) };
};

/**
 * Claims shared by all replicas: `SET key 1 PX ttl NX`, one atomic act, with a look at the epoch in the same round trip (see `createEpoch`). No queue and no
 * retry: while the connection is down the answer is `down` at once, and a claim without an answer in time is `down` too, though Redis may have taken it; that proof
 * is then spent. Rejects only for files that cannot be read.
 */
export async function createRedisStore(config: RedisReplayConfig, { now, onProblem }: RedisStoreOptions): Promise<ReplayStore> {
  let troubled = false;
  const report = (cause: unknown) => {
    if (!troubled) onProblem(`replay store ${config.url}: ${(cause as Error).message}; requests are refused until it answers`);
    troubled = true;
  };
  const redis = await connect(config, report);
  redis.on('error', report);
  const epoch = createEpoch(redis, { prefix: config.keyPrefix, clustered: config.topology.kind === 'cluster', marginSeconds: config.epochMarginSeconds, now, onProblem });
  let closed = false;
  const settle = () => {
    if (closed || redis.status !== 'ready') return;
    epoch.settle().then(() => { troubled = false; }, (cause: unknown) => {
      report(cause);
      setTimeout(settle, SETTLE_AGAIN_MS).unref();
    });
  };
  redis.on('ready', settle);
  redis.on('close', () => epoch.forget());

  return {
    async claim(key, ttlSeconds, madeAt): Promise<Turn> {
      if (redis.status !== 'ready' || !epoch.settled()) return 'down';
      try {
        return await claim(redis, epoch, config.keyPrefix, key, ttlSeconds, madeAt);
      } catch (cause) {
        report(cause);
        return 'down';
      }
    },
    ready: () => redis.status === 'ready' && epoch.settled(),
    async close() {
      closed = true;
      redis.disconnect();
    },
  };
}

async function claim(redis: Redis | Cluster, epoch: Epoch, prefix: string, key: Buffer, ttlSeconds: number, madeAt: number): Promise<Turn> {
  const bucket = epoch.bucketOf(key);
  const results = await redis.pipeline().set(`${prefix}${bucket}${key.toString('base64url')}`, '1', 'PX', Math.ceil(ttlSeconds * 1000), 'NX').get(epoch.markerOf(bucket)).exec();
  if (results === null) throw new Error('no answer');
  const [[setFailed, set], [getFailed, marker]] = results as [[Error | null, unknown], [Error | null, unknown]];
  if (setFailed !== null || getFailed !== null) throw setFailed ?? getFailed!;
  const since = await epoch.since(bucket, typeof marker === 'string' ? marker : undefined);
  if (madeAt < since) return 'forgotten';
  return set === 'OK' ? 'first' : 'seen';
}

async function connect(config: RedisReplayConfig, report: (cause: unknown) => void): Promise<Redis | Cluster> {
  const { Redis: Single, Cluster: Clustered } = await import('ioredis'); // a chunk of its own, mounted only where a gateway uses Redis
  const { host: hostPort, protocol, pathname } = new URL(config.url);
  const first = address(hostPort);
  const password = () => {
    const secret = secretOf(config.password);
    return secret === undefined ? {} : { password: secret };
  };
  const tls = protocol === 'rediss:' ? { tls: config.caFile === undefined ? {} : { ca: readFileSync(config.caFile, 'utf8') } } : {};
  const options = {
    db: Number(pathname.slice(1) || 0),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...password(),
    ...tls,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: config.timeoutSeconds * 1000,
    socketTimeout: config.timeoutSeconds * 1000 * SILENT_TIMEOUTS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // After a failover the old primary still answers, and refuses to write: look the name up again.
    reconnectOnError: (cause: Error) => cause.message.startsWith('READONLY'),
  };
  const backoff = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), MAX_BACKOFF_MS);
  const { topology } = config;
  if (topology.kind === 'cluster') {
    return new Clustered([first, ...topology.nodes.map(address)], {
      redisOptions: options, enableOfflineQueue: false, clusterRetryStrategy: backoff, slotsRefreshTimeout: 1_000, scaleReads: 'master',
      ...(protocol === 'rediss:' ? { dnsLookup: (name: string, found: (cause: null, ip: string) => void) => found(null, name) } : {}),
    });
  }
  const sentinelPassword = topology.kind === 'sentinel' ? secretOf(topology.password) : undefined;
  const redis: Redis = new Single({
    ...options,
    ...(topology.kind === 'single' ? first : {
      sentinels: [first, ...topology.sentinels.map(address)],
      name: topology.master,
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      ...(protocol === 'rediss:' ? { enableTLSForSentinelMode: true, sentinelTLS: tls.tls! } : {}),
      sentinelRetryStrategy: backoff,
    }),
    retryStrategy: (attempt) => {
      try {
        Object.assign(redis.options, password()); // rotated, maybe: that is why we were thrown out
      } catch (cause) {
        report(cause);
      }
      return backoff(attempt);
    },
  });
  return redis;
}
