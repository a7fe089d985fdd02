import type { Clock } from '../clock.js';
import type { Permit, RateLimiter } from './rate-limiter.js';

export interface TokenBucketOptions {
  /** Size of a bucket; a new one is full. */
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalSeconds: number;
  /** Buckets kept; at the bound the one used longest ago goes, and its key starts again with a full one. */
  readonly maxKeys?: number;
  readonly now: Clock;
}

interface Bucket {
  tokens: number;
  /** Start of the interval that was filled last. */
  filledAt: number;
}

/** Buckets by key, filled in whole steps as agentgateway's localRateLimit does. A clock that goes back adds nothing. */
export function createTokenBuckets({ maxTokens, tokensPerFill, fillIntervalSeconds, maxKeys = 100_000, now }: TokenBucketOptions): RateLimiter {
  const buckets = new Map<string, Bucket>();

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
  const permit = ({ tokens, filledAt }: Bucket, at: number, taken: number): Permit => (tokens >= 1
    ? { allowed: true, remaining: tokens - taken }
    : { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil(filledAt + fillIntervalSeconds - at)) });

  return {
    take(key) {
      const at = now();
      const known = buckets.get(key);
      const bucket = known === undefined ? { tokens: maxTokens, filledAt: at } : filled(known, at);
      // Re-inserted: the map's order is the order of use.
      buckets.delete(key);
      if (buckets.size >= maxKeys) buckets.delete(buckets.keys().next().value!);
      buckets.set(key, bucket);
      const answer = permit(bucket, at, 1);
      if (answer.allowed) bucket.tokens -= 1;
      return answer;
    },
    peek(key) {
      const bucket = buckets.get(key);
      const at = now();
      return bucket === undefined ? { allowed: true, remaining: maxTokens } : permit(filled(bucket, at), at, 0);
    },
  };
}
