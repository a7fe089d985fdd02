import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import { connectRedis, type RedisConfig } from '../redis/connect.js';
import { createEpoch, type Epoch } from './redis-epoch.js';
import type { ReplayStore, Turn } from './replay-store.js';

export interface RedisStoreOptions {
  readonly now: Clock;
  /** Once for each spell of trouble. */
  readonly onProblem: (problem: string) => void;
}

const SETTLE_AGAIN_MS = 500;

/**
 * Claims shared by all replicas: `SET key 1 PX ttl NX`, one atomic act, with a look at the epoch in the same round trip (see `createEpoch`). No queue and no
 * retry: while the connection is down the answer is `down` at once, and a claim without an answer in time is `down` too, though Redis may have taken it; that proof
 * is then spent. Rejects only for files that cannot be read.
 */
export async function createRedisStore(config: RedisConfig, { now, onProblem }: RedisStoreOptions): Promise<ReplayStore> {
  let troubled = false;
  const report = (cause: unknown) => {
    if (!troubled) onProblem(`replay store ${config.url}: ${(cause as Error).message}; requests are refused until it answers`);
    troubled = true;
  };
  const redis = await connectRedis(config, report);
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
