import type { Clock } from '../clock.js';
import type { Bucket, BucketTable } from './bucket-table.js';
import type { LocalRateLimiter, Permit } from './rate-limiter.js';

export interface TokenBucketOptions {
  /** Size of a bucket; a new one is full. */
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalSeconds: number;
  /**
   * Where the buckets are: it forgets some when it has too many, so whoever can speak under that many keys at
   * once can wash his own; keys must be proven, or addresses.
   */
  readonly table: BucketTable;
  /** Keeps the keys of one limiter apart from those of others in the same table. */
  readonly name: string;
  readonly now: Clock;
}

/** Buckets by key, filled in whole steps as agentgateway's localRateLimit does. A clock that goes back adds nothing. */
// eslint-disable-next-line max-lines-per-function -- one closure; to be cut into named steps
export function createTokenBuckets({
  maxTokens,
  tokensPerFill,
  fillIntervalSeconds,
  table,
  name,
  now,
}: TokenBucketOptions): LocalRateLimiter {
  const filled = (bucket: Bucket, at: number): Bucket => {
    const fills = Math.floor((at - bucket.filledAt) / fillIntervalSeconds);
    if (fills > 0) {
      bucket.tokens = Math.min(maxTokens, bucket.tokens + fills * tokensPerFill);
      bucket.filledAt += fills * fillIntervalSeconds;
    } else if (at < bucket.filledAt) {
      bucket.filledAt = at;
    }
    return bucket;
  };
  const secondsUntil = (fills: number, { filledAt }: Bucket, at: number) =>
    Math.max(1, Math.ceil(filledAt + fills * fillIntervalSeconds - at));
  const permit = (bucket: Bucket, at: number, cost: number, taken: number): Permit => {
    const missing = cost - bucket.tokens;
    if (missing > 0)
      return {
        allowed: false,
        retryAfterSeconds: secondsUntil(Math.ceil(missing / tokensPerFill), bucket, at),
      };
    return { allowed: true, remaining: bucket.tokens - taken, fillSeconds: secondsUntil(1, bucket, at) };
  };
  const keyOf = (key: string) => `${name}\0${key}`;
  /** Runs `work` on the bucket of `key`, filled, and notes when it will be full. */
  const use = <T>(key: string, work: (bucket: Bucket, at: number) => T): T => {
    const at = now();
    return table.use(keyOf(key), at, { tokens: maxTokens, filledAt: at, fullAt: at }, (bucket) => {
      const result = work(filled(bucket, at), at);
      bucket.fullAt =
        bucket.filledAt + Math.ceil((maxTokens - bucket.tokens) / tokensPerFill) * fillIntervalSeconds;
      return result;
    });
  };
  return {
    take: (key, cost = 1) =>
      use(key, (bucket, at) => {
        const taken = Math.min(cost, maxTokens);
        const answer = permit(bucket, at, taken, taken);
        if (answer.allowed) bucket.tokens -= taken;
        return answer;
      }),
    drain: (key, cost) =>
      use(key, (bucket) => {
        bucket.tokens = Math.max(0, bucket.tokens - cost);
      }),
    peek(key, cost = 1) {
      const bucket = table.look(keyOf(key));
      const at = now();
      return bucket === undefined
        ? { allowed: true, remaining: maxTokens, fillSeconds: Math.max(1, Math.ceil(fillIntervalSeconds)) }
        : permit(filled(bucket, at), at, Math.min(cost, maxTokens), 0);
    },
    close() {},
  };
}
