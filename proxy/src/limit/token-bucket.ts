import type { Clock } from '../clock.js';
import type { LocalRateLimiter, Permit } from './rate-limiter.js';

export interface TokenBucketOptions {
  /** Size of a bucket; a new one is full. */
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalSeconds: number;
  /**
   * Buckets kept. Full ones are dropped first, which changes nothing; when none of the oldest is full, the one used longest ago goes, and its key starts again with a
   * full bucket: whoever can speak under this many keys at once can wash his own, so keys must be proven or addresses.
   */
  readonly maxKeys?: number;
  readonly now: Clock;
}

interface Bucket {
  tokens: number;
  /** Start of the interval that was filled last. */
  filledAt: number;
}

/** Oldest buckets that are looked at when room is needed: bounds the work of one request. */
const LOOK_AT = 8;

/** Buckets by key, filled in whole steps as agentgateway's localRateLimit does. A clock that goes back adds nothing. */
export function createTokenBuckets({ maxTokens, tokensPerFill, fillIntervalSeconds, maxKeys = 100_000, now }: TokenBucketOptions): LocalRateLimiter {
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
  const permit = ({ tokens, filledAt }: Bucket, at: number, taken: number): Permit => {
    const fillSeconds = Math.max(1, Math.ceil(filledAt + fillIntervalSeconds - at));
    return tokens >= 1 ? { allowed: true, remaining: tokens - taken, fillSeconds } : { allowed: false, retryAfterSeconds: fillSeconds };
  };

  const makeRoom = (at: number) => {
    let looked = 0;
    for (const [key, bucket] of buckets) {
      if (looked++ === LOOK_AT) break;
      if (filled(bucket, at).tokens >= maxTokens) buckets.delete(key);
    }
    if (buckets.size >= maxKeys) buckets.delete(buckets.keys().next().value!);
  };

  return {
    take(key) {
      const at = now();
      const known = buckets.get(key);
      const bucket = known === undefined ? { tokens: maxTokens, filledAt: at } : filled(known, at);
      // Re-inserted: the map's order is the order of use.
      buckets.delete(key);
      if (buckets.size >= maxKeys) makeRoom(at);
      buckets.set(key, bucket);
      const answer = permit(bucket, at, 1);
      if (answer.allowed) bucket.tokens -= 1;
      return answer;
    },
    peek(key) {
      const bucket = buckets.get(key);
      const at = now();
      return bucket === undefined ? { allowed: true, remaining: maxTokens, fillSeconds: Math.max(1, Math.ceil(fillIntervalSeconds)) } : permit(filled(bucket, at), at, 0);
    },
    close() {},
  };
}
