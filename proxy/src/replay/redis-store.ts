import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import { connectRedis, type RedisConfig } from '../redis/connect.js';
import { BUCKETS, createEpochs, type Epoch } from './redis-epoch.js';
import { createServers } from './redis-servers.js';
import { predates, type ProofTime, type ReplayStore, type ClaimResult } from './replay-store.js';

export interface RedisStoreOptions {
  readonly now: Clock;
  /** For how long after it was made a proof passes, on any route. */
  readonly windowSeconds: number;
  /** Once for each spell of trouble. */
  readonly onProblem: (problem: string) => void;
}

const SETTLE_AGAIN_MS = 500;
/** How often the servers are asked how they are: what they forget in part is noticed after so long. */
const LOOK_MS = 1_000;
/**
 * A claim is held for so much longer than any route takes its proof: what this process believes of the server's clock
 * may be wrong by less.
 */
const CLOCK_MARGIN_SECONDS = 5;

/**
 * Claims shared by all replicas: `SET key 1 PX ttl NX`, one atomic act, with a look at the epoch in the same round
 * trip (see `createEpochs`). They end by the server's clock, and a proof
 * is refused by the same clock, so that the clocks of gateways do not matter. No queue and no retry: while the
 * connection is down the answer is `down` at once, and a claim
 * without an answer in time is `down` too, though Redis may have taken it; that proof is then spent. Rejects only for
 * files that cannot be read.
 */
// eslint-disable-next-line max-lines-per-function -- one closure; to be cut into named steps
export async function createRedisStore(
  config: RedisConfig,
  { now, windowSeconds, onProblem }: RedisStoreOptions,
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
  const clustered = config.topology.kind === 'cluster';
  const servers = createServers(redis, {
    clustered,
    now,
    onProblem,
    onDoubt: () => void epochs.renew().catch(report),
  });
  const epochs = createEpochs(redis, {
    prefix: config.keyPrefix,
    clustered,
    servers,
    windowSeconds,
    now,
    onProblem,
  });
  const ask = gathering(redis, (bucket) => epochs.markerOf(bucket));
  const nameOf = (bucket: string, key: Buffer) => `${config.keyPrefix}${bucket}${key.toString('base64url')}`;
  /** Buckets whose last claim failed: of a server without memory, one that may not write, one that hangs. */
  const failing = new Set<string>();
  const hold = (name: string, ttlMs: number) => redis.set(name, '1', 'PX', ttlMs, 'XX');

  let closed = false;
  let looking: NodeJS.Timeout | undefined;
  const settle = () => {
    if (closed || redis.status !== 'ready') return;
    clearTimeout(looking);
    epochs.settle().then(
      () => {
        troubled = false;
        lookAgain();
      },
      (cause: unknown) => {
        report(cause);
        looking = setTimeout(settle, SETTLE_AGAIN_MS).unref();
      },
    );
  };
  const lookAgain = () => {
    clearTimeout(looking);
    looking = setTimeout(() => void look(), LOOK_MS).unref();
  };
  const look = async () => {
    if (closed || redis.status !== 'ready') return;
    await servers.look().catch(report);
    for (const bucket of failing)
      await ask(bucket, `${config.keyPrefix}${bucket}probe`, 1).then(
        () => failing.delete(bucket),
        () => {},
      );
    lookAgain();
  };
  redis.on('ready', settle);
  redis.on('close', () => epochs.forget());

  const decide = async (
    proof: ProofTime,
    {
      name,
      set,
      heldSeconds,
    }: { readonly name: string; readonly set: unknown; readonly heldSeconds: number },
    epoch: Epoch | undefined,
    ttlMs: (windowSeconds: number) => number,
  ): Promise<ClaimResult> => {
    const first = set === 'OK';
    if (epoch === undefined || predates(proof, epoch.since, epoch.nonce)) {
      if (first) await redis.del(name); // it was used by nobody
      return epoch === undefined ? 'down' : 'forgotten';
    }
    // Another replica has routes with a longer window: this one learned of it with this claim.
    if (first && epoch.windowSeconds > heldSeconds) await hold(name, ttlMs(epoch.windowSeconds));
    return first ? 'first' : 'seen';
  };

  return {
    async claim(key, proof): Promise<ClaimResult> {
      const bucket = epochs.bucketOf(key);
      if (redis.status !== 'ready' || !epochs.settled()) return 'down';
      const server = epochs.serverOf(bucket);
      if (server === undefined) return 'down';
      const known = epochs.known(bucket);
      const time = server.now();
      if (proof.madeAt + epochs.windowSeconds < time) return 'forgotten';
      if (known !== undefined && predates(proof, known.since, known.nonce)) return 'forgotten';
      const heldSeconds = Math.max(epochs.windowSeconds, known?.windowSeconds ?? 0);
      const ttlMs = (seconds: number) =>
        Math.max(1, Math.ceil((proof.madeAt + seconds + CLOCK_MARGIN_SECONDS - time) * 1000));
      const name = nameOf(bucket, key);
      try {
        const { set, marker } = await ask(bucket, name, ttlMs(heldSeconds));
        if (failing.size > 0) failing.delete(bucket);
        const epoch = await epochs.of(bucket, marker);
        return await decide(proof, { name, set, heldSeconds }, epoch, ttlMs);
      } catch (cause) {
        failing.add(bucket);
        report(cause);
        return 'down';
      }
    },
    async release(key) {
      await redis.del(nameOf(epochs.bucketOf(key), key)).catch(() => {}); // it stays spent
    },
    async peek(key) {
      if (redis.status !== 'ready') return false;
      try {
        return (await redis.get(nameOf(epochs.bucketOf(key), key))) !== null;
      } catch {
        return false; // the claim will ask again, and report
      }
    },
    nonce: () => (clustered ? undefined : epochs.known('')?.nonce),
    cover: (seconds) => epochs.cover(seconds),
    ready: () =>
      redis.status === 'ready' &&
      epochs.settled() &&
      servers.any() &&
      failing.size < (clustered ? BUCKETS : 1),
    async close() {
      closed = true;
      clearTimeout(looking);
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
 * What is claimed in one turn of the event loop goes out together, and looks at the epoch once, after the last claim:
 * proofs are verified in rounds, so several usually come at once. One pipeline a
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
