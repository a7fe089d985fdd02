import { hash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { LocalRateLimiter, Permit, RateLimiter } from './rate-limiter.js';

export interface SharedBucketsOptions {
  /** Size of a bucket; a new one is full. */
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalSeconds: number;
  /** Of the keys in Redis. */
  readonly prefix: string;
  readonly redis: () => Promise<Redis | Cluster>;
  /** Counts while Redis does not answer: a limit that fails open would be none, one that fails closed an outage. */
  readonly local: LocalRateLimiter;
}

/**
 * A token bucket by the clock of Redis, in the one script that the library runs for a request: KEYS[1] the
 * bucket, ARGV[1] what the request costs, ARGV[3] the bucket's size, ARGV[4] the seconds that it takes to fill.
 * Answers what was consumed (more than the size: refused) and the milliseconds until the next token.
 */
const BUCKET = `
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local size, window = tonumber(ARGV[3]), ARGV[4] * 1000
local cost = math.min(tonumber(ARGV[1]), size)
local bucket = redis.call('hmget', KEYS[1], 'tokens', 'at')
local since = math.max(0, now - (tonumber(bucket[2]) or now))
local tokens = math.min(size, (tonumber(bucket[1]) or size) + since * size / window)
local left = tokens - cost
if left < 0 then left = tokens end
redis.call('hset', KEYS[1], 'tokens', tostring(left), 'at', now)
redis.call('pexpire', KEYS[1], math.ceil(window))
if tokens < cost then return { size + 1, math.ceil((cost - tokens) * window / size) } end
local wait = math.ceil((1 - (left - math.floor(left))) * window / size)
return { size - math.floor(left), wait }
`;

/** Buckets that all replicas share, by rate-limiter-flexible. */
export function createSharedBuckets({
  maxTokens,
  tokensPerFill,
  fillIntervalSeconds,
  prefix,
  redis,
  local,
}: SharedBucketsOptions): RateLimiter {
  type Limiter = InstanceType<Awaited<ReturnType<typeof load>>>;
  let limiter: Limiter | undefined;
  const open = async () => {
    const [client, RateLimiterRedis] = [await redis(), await load()];
    limiter = new RateLimiterRedis({
      storeClient: client,
      keyPrefix: prefix,
      points: maxTokens,
      duration: (maxTokens / tokensPerFill) * fillIntervalSeconds,
      customIncrTtlLuaScript: BUCKET,
      rejectIfRedisNotReady: true,
    });
  };
  open().catch(() => {}); // the replay store has said what is wrong with the same Redis
  const refusals = createRefusals();
  const wait = (ms: number) => Math.max(1, Math.ceil(ms / 1000));
  return {
    take(key, cost = 1): Permit | Promise<Permit> {
      if (limiter === undefined) return local.take(key, cost);
      // Hashed: a key may name a person.
      return limiter.consume(hash('sha256', key, 'base64url'), cost).then(
        ({ remainingPoints, msBeforeNext }): Permit => ({
          allowed: true,
          remaining: remainingPoints,
          fillSeconds: wait(msBeforeNext),
        }),
        (refused: unknown): Permit => {
          if (refused instanceof Error) return local.take(key, cost);
          const { msBeforeNext } = refused as { msBeforeNext: number };
          refusals.note(key, cost, msBeforeNext);
          return { allowed: false, retryAfterSeconds: wait(msBeforeNext) };
        },
      );
    },
    peek(key, cost = 1) {
      const leftMs = refusals.leftMs(key, cost);
      return leftMs > 0 ? { allowed: false, retryAfterSeconds: wait(leftMs) } : local.peek(key, cost);
    },
    close: () => local.close(),
  };
}

/** Keys whose refusals are known; the oldest are forgotten first. */
const MOST_REFUSALS = 10_000;

/** Which keys Redis has refused, so that it need not be asked before their time is up. */
function createRefusals() {
  const known = new Map<string, { readonly cost: number; readonly until: number }>();
  return {
    note(key: string, cost: number, ms: number): void {
      known.delete(key);
      if (known.size >= MOST_REFUSALS) known.delete(known.keys().next().value!);
      known.set(key, { cost, until: performance.now() + ms });
    },
    /** 0: something that costs so much may pass. */
    leftMs(key: string, cost: number): number {
      const refusal = known.get(key);
      return refusal === undefined || cost < refusal.cost ? 0 : refusal.until - performance.now();
    },
  };
}

const load = async () => (await import('rate-limiter-flexible')).RateLimiterRedis;
