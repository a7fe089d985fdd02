import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import { connectRedis, type RedisConfig } from '../redis/connect.js';
import { BUCKETS, RedisEpochs, type Epoch } from './redis-epoch.js';
import { RedisServers } from './redis-servers.js';
import {
  predates,
  type ProofTime,
  type ReplayStore,
  type ClaimResult,
  type StoreState,
} from './replay-store.js';

export interface RedisStoreOptions {
  readonly now: Clock;
  /** For how long after it was made a proof passes, on any route. */
  readonly windowSeconds: number;
  /** Once for each spell of trouble. */
  readonly onProblem: (problem: string) => void;
  /** The spell is over. */
  readonly onRecovered?: ((what: string) => void) | undefined;
  /** A claim was answered, or not in time. */
  readonly onClaimed?: ((result: ClaimResult, seconds: number) => void) | undefined;
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
 * trip (see `RedisEpochs`). They end by the server's clock, and a proof is refused by the same clock, so that the
 * clocks of gateways do not matter. No queue and no retry: while the connection is down the answer is `down` at once,
 * and a claim without an answer in time is `down` too, though Redis may have taken it; that proof is then spent.
 * Rejects only for files that cannot be read.
 */
export async function createRedisStore(
  config: RedisConfig,
  options: RedisStoreOptions,
): Promise<ReplayStore> {
  const troubles = new Troubles(config.url, options);
  const redis = await connectRedis(config, (cause) => troubles.report(cause));
  return new RedisStore(config, redis, troubles, options);
}

type TroubleEvents = Pick<RedisStoreOptions, 'onProblem' | 'onRecovered'>;

/** Reports the first of what goes wrong until all is well again. */
class Troubles {
  readonly #url: string;
  readonly #events: TroubleEvents;
  #isReported = false;

  constructor(url: string, events: TroubleEvents) {
    this.#url = url;
    this.#events = events;
  }

  report(cause: unknown): void {
    const { message } = cause as Error;
    if (!this.#isReported)
      this.#events.onProblem(`replay store ${this.#url}: ${message}; requests are refused until it answers`);
    this.#isReported = true;
  }

  clear(): void {
    if (this.#isReported) this.#events.onRecovered?.(`replay store ${this.#url}`);
    this.#isReported = false;
  }
}

class RedisStore implements ReplayStore {
  readonly #prefix: string;
  readonly #clustered: boolean;
  readonly #redis: Redis | Cluster;
  readonly #troubles: Troubles;
  readonly #servers: RedisServers;
  readonly #epochs: RedisEpochs;
  readonly #claims: ClaimBatches;
  readonly #onClaimed: NonNullable<RedisStoreOptions['onClaimed']>;
  /** Buckets whose last claim failed: of a server without memory, one that may not write, one that hangs. */
  readonly #failing = new Set<string>();
  #isClosed = false;
  #looking: NodeJS.Timeout | undefined;

  constructor(
    config: RedisConfig,
    redis: Redis | Cluster,
    troubles: Troubles,
    { now, windowSeconds, onProblem, onClaimed = () => {} }: RedisStoreOptions,
  ) {
    const clustered = config.topology.kind === 'cluster';
    this.#prefix = config.keyPrefix;
    this.#clustered = clustered;
    this.#redis = redis;
    this.#troubles = troubles;
    this.#onClaimed = onClaimed;
    const onDoubt = () => void this.#epochs.renew().catch((cause: unknown) => troubles.report(cause));
    this.#servers = new RedisServers(redis, { clustered, now, onProblem, onDoubt });
    this.#epochs = new RedisEpochs(redis, {
      prefix: config.keyPrefix,
      clustered,
      servers: this.#servers,
      windowSeconds,
      now,
      onProblem,
    });
    this.#claims = new ClaimBatches(redis, (bucket) => this.#epochs.markerOf(bucket));
    redis.on('ready', () => this.#settle());
    redis.on('close', () => this.#epochs.forget());
  }

  async claim(key: Buffer, proof: ProofTime): Promise<ClaimResult> {
    const began = performance.now();
    const result = await this.#claim(key, proof);
    this.#onClaimed(result, (performance.now() - began) / 1000);
    return result;
  }

  async release(key: Buffer): Promise<void> {
    await this.#redis.del(this.#nameOf(this.#epochs.bucketOf(key), key)).catch(() => {}); // it stays spent
  }

  async peek(key: Buffer): Promise<boolean> {
    if (this.#redis.status !== 'ready') return false;
    try {
      return (await this.#redis.get(this.#nameOf(this.#epochs.bucketOf(key), key))) !== null;
    } catch {
      return false; // the claim will ask again, and report
    }
  }

  nonce(): string | undefined {
    return this.#clustered ? undefined : this.#epochs.known('')?.nonce;
  }

  cover(windowSeconds: number): void {
    this.#epochs.cover(windowSeconds);
  }

  ready(): boolean {
    return this.#isSettled() && this.#servers.any() && this.#failing.size < (this.#clustered ? BUCKETS : 1);
  }

  state(): StoreState {
    return { reachable: this.ready(), remembersSince: this.#epochs.since };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#looking);
    this.#redis.disconnect();
  }

  async #claim(key: Buffer, proof: ProofTime): Promise<ClaimResult> {
    const epochs = this.#epochs;
    const bucket = epochs.bucketOf(key);
    const server = this.#isSettled() ? epochs.serverOf(bucket) : undefined;
    if (server === undefined) return 'down';
    const known = epochs.known(bucket);
    const time = server.now();
    if (proof.madeAt + epochs.windowSeconds < time) return 'forgotten';
    if (known !== undefined && predates(proof, known.since, known.nonce)) return 'forgotten';
    const heldSeconds = Math.max(epochs.windowSeconds, known?.windowSeconds ?? 0);
    const claim: Claim = { name: this.#nameOf(bucket, key), proof, time, heldSeconds };
    try {
      const { set, marker } = await this.#claims.add(bucket, claim.name, ttlMs(claim, heldSeconds));
      if (this.#failing.size > 0) this.#worksAgain(bucket);
      return await this.#resultOf(claim, set === 'OK', await epochs.current(bucket, marker));
    } catch (cause) {
      this.#failing.add(bucket);
      this.#troubles.report(cause);
      return hasNoRoom(cause) ? 'full' : 'down';
    }
  }

  #worksAgain(bucket: string): void {
    this.#failing.delete(bucket);
    if (this.#failing.size === 0) this.#troubles.clear();
  }

  async #resultOf(claim: Claim, isFirst: boolean, epoch: Epoch | undefined): Promise<ClaimResult> {
    const { name, proof, heldSeconds } = claim;
    if (epoch === undefined || predates(proof, epoch.since, epoch.nonce)) {
      if (isFirst) await this.#redis.del(name); // it was used by nobody
      return epoch === undefined ? 'down' : 'forgotten';
    }
    // Another replica has routes with a longer window: this one learned of it with this claim.
    if (isFirst && epoch.windowSeconds > heldSeconds)
      await this.#redis.set(name, '1', 'PX', ttlMs(claim, epoch.windowSeconds), 'XX');
    return isFirst ? 'first' : 'seen';
  }

  #nameOf(bucket: string, key: Buffer): string {
    return `${this.#prefix}${bucket}${key.toString('base64url')}`;
  }

  #isSettled(): boolean {
    return this.#redis.status === 'ready' && this.#epochs.isSettled();
  }

  /** After a connect: learns who answers, and asks again until somebody does. */
  #settle(): void {
    if (this.#isClosed || this.#redis.status !== 'ready') return;
    clearTimeout(this.#looking);
    this.#epochs.settle().then(
      () => {
        this.#troubles.clear();
        this.#lookLater();
      },
      (cause: unknown) => {
        this.#troubles.report(cause);
        this.#looking = setTimeout(() => this.#settle(), SETTLE_AGAIN_MS).unref();
      },
    );
  }

  #lookLater(): void {
    clearTimeout(this.#looking);
    this.#looking = setTimeout(() => void this.#look(), LOOK_MS).unref();
  }

  /** Asks the servers how they are, and whether those that failed work again. */
  async #look(): Promise<void> {
    if (this.#isClosed || this.#redis.status !== 'ready') return;
    await this.#servers.look().catch((cause: unknown) => this.#troubles.report(cause));
    for (const bucket of this.#failing)
      await this.#claims.add(bucket, `${this.#prefix}${bucket}probe`, 1).then(
        () => this.#failing.delete(bucket),
        () => {},
      );
    this.#lookLater();
  }
}

/** `maxmemory` is reached, and nothing may be thrown out. */
const hasNoRoom = (cause: unknown) => (cause as Error).message.startsWith('OOM ');

/** A claim on its way to Redis. */
interface Claim {
  readonly name: string;
  readonly proof: ProofTime;
  /** When it was made, by the server's clock. */
  readonly time: number;
  readonly heldSeconds: number;
}

/** How long Redis holds a claim whose proof passes for so many seconds after it was made. */
const ttlMs = ({ proof, time }: Claim, windowSeconds: number): number =>
  Math.max(1, Math.ceil((proof.madeAt + windowSeconds + CLOCK_MARGIN_SECONDS - time) * 1000));

interface AskedClaim {
  readonly key: string;
  readonly ttlMillis: number;
  readonly resolve: (answer: ClaimAnswer) => void;
  readonly reject: (cause: unknown) => void;
}

/** What Redis said of a claim, and the marker of the epoch, read after it. */
interface ClaimAnswer {
  readonly set: unknown;
  readonly marker: string | undefined;
}

/**
 * What is claimed in one turn of the event loop goes out together, and looks at the epoch once, after the last claim:
 * proofs are verified in rounds, so several usually come at once. One pipeline a bucket, since those of a cluster are
 * in different places.
 */
class ClaimBatches {
  readonly #redis: Redis | Cluster;
  readonly #markerOf: (bucket: string) => string;
  readonly #open = new Map<string, AskedClaim[]>();

  constructor(redis: Redis | Cluster, markerOf: (bucket: string) => string) {
    this.#redis = redis;
    this.#markerOf = markerOf;
  }

  add(bucket: string, key: string, ttlMillis: number): Promise<ClaimAnswer> {
    return new Promise((resolve, reject) => {
      const asked = { key, ttlMillis, resolve, reject };
      const others = this.#open.get(bucket);
      if (others !== undefined) return void others.push(asked);
      this.#open.set(bucket, [asked]);
      queueMicrotask(() => void this.#send(bucket)); // after the others of this turn, which are queued before it
    });
  }

  async #send(bucket: string): Promise<void> {
    const batch = this.#open.get(bucket)!;
    this.#open.delete(bucket);
    try {
      const pipeline = this.#redis.pipeline();
      for (const { key, ttlMillis } of batch) pipeline.set(key, '1', 'PX', ttlMillis, 'NX');
      const results = await pipeline.get(this.#markerOf(bucket)).exec();
      if (results === null) throw new Error('no answer');
      const [markerFailed, marker] = results.at(-1)!;
      batch.forEach(({ resolve, reject }, i) => {
        const [setFailed, set] = results[i]!;
        const failed = setFailed ?? markerFailed;
        if (failed !== null) reject(failed);
        else resolve({ set, marker: typeof marker === 'string' ? marker : undefined });
      });
    } catch (cause) {
      for (const { reject } of batch) reject(cause);
    }
  }
}
