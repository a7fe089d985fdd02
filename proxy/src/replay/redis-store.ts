import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import { connectRedis, type RedisConfig } from '../redis/connect.js';
import { createEpoch } from './redis-epoch.js';
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
export async function createRedisStore(
  config: RedisConfig,
  { now, onProblem }: RedisStoreOptions,
): Promise<ReplayStore> {
  let troubled = false;
  const report = (cause: unknown) => {
    if (!troubled)
      onProblem(
        `replay store ${config.url}: ${(cause as Error).message}; requests are refused until it answers`,
      );
    troubled = true;
  };
  const redis = await connectRedis(config, report);
  const epoch = createEpoch(redis, {
    prefix: config.keyPrefix,
    clustered: config.topology.kind === 'cluster',
    marginSeconds: config.epochMarginSeconds,
    now,
    onProblem,
  });
  const ask = gathering(redis, (bucket) => epoch.markerOf(bucket));
  let closed = false;
  const settle = () => {
    if (closed || redis.status !== 'ready') return;
    epoch.settle().then(
      () => {
        troubled = false;
      },
      (cause: unknown) => {
        report(cause);
        setTimeout(settle, SETTLE_AGAIN_MS).unref();
      },
    );
  };
  redis.on('ready', settle);
  redis.on('close', () => epoch.forget());

  const nameOf = (bucket: string, key: Buffer) => `${config.keyPrefix}${bucket}${key.toString('base64url')}`;

  return {
    async claim(key, ttlSeconds, madeAt): Promise<Turn> {
      if (redis.status !== 'ready' || !epoch.settled()) return 'down';
      try {
        const bucket = epoch.bucketOf(key);
        const { set, marker } = await ask(bucket, nameOf(bucket, key), Math.ceil(ttlSeconds * 1000));
        if (madeAt < (await epoch.since(bucket, marker))) return 'forgotten';
        return set === 'OK' ? 'first' : 'seen';
      } catch (cause) {
        report(cause);
        return 'down';
      }
    },
    async peek(key) {
      if (redis.status !== 'ready') return false;
      try {
        return (await redis.exists(nameOf(epoch.bucketOf(key), key))) === 1;
      } catch {
        return false; // the claim will ask again, and report
      }
    },
    ready: () => redis.status === 'ready' && epoch.settled(),
    async close() {
      closed = true;
      redis.disconnect();
    },
  };
}

interface Asked {
  readonly key: string;
  readonly ttlMs: number;
  readonly resolve: (said: Said) => void;
  readonly reject: (cause: unknown) => void;
}

/** What Redis said of a claim, and the marker of the epoch, read after it. */
interface Said {
  readonly set: unknown;
  readonly marker: string | undefined;
}

/**
 * What is claimed in one turn of the event loop goes out together, and looks at the epoch once, after the last claim: proofs are verified in rounds, so several usually come at once. One pipeline a
 * bucket, since those of a cluster are in different places.
 */
function gathering(
  redis: Redis | Cluster,
  markerOf: (bucket: string) => string,
): (bucket: string, key: string, ttlMs: number) => Promise<Said> {
  const open = new Map<string, Asked[]>();
  const send = async (bucket: string) => {
    const asked = open.get(bucket)!;
    open.delete(bucket);
    try {
      const pipeline = redis.pipeline();
      for (const { key, ttlMs } of asked) pipeline.set(key, '1', 'PX', ttlMs, 'NX');
      const results = await pipeline.get(markerOf(bucket)).exec();
      if (results === null) throw new Error('no answer');
      const [markerFailed, marker] = results.at(-1)!;
      asked.forEach(({ resolve, reject }, i) => {
        const [setFailed, set] = results[i]!;
        const failed = setFailed ?? markerFailed;
        if (failed !== null) reject(failed);
        else resolve({ set, marker: typeof marker === 'string' ? marker : undefined });
      });
    } catch (cause) {
      for (const { reject } of asked) reject(cause);
    }
  };
  return (bucket, key, ttlMs) =>
    new Promise((resolve, reject) => {
      const asked = { key, ttlMs, resolve, reject };
      const others = open.get(bucket);
      if (others !== undefined) return void others.push(asked);
      open.set(bucket, [asked]);
      queueMicrotask(() => void send(bucket)); // after the others of this turn, which are in the queue before it
    });
}
