import type { Clock } from '../clock.js';
import type { Bucket, BucketTable } from './bucket-table.js';
import type { LocalRateLimiter, Permit } from './rate-limiter.js';

export interface TokenBucketOptions {
  /** Size of a bucket; a new one is full. */
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalSeconds: number;
  /** Where the buckets are: it forgets some when it has too many, so whoever can speak under that many keys at once can wash his own; keys must be proven, or addresses. */
  readonly table: BucketTable;
  /** Keeps the keys of one limiter apart from those of others in the same table. */
  readonly name: string;
  readonly now: Clock;
}

/** Buckets by key, filled in whole steps as agentgateway's localRateLimit does. A clock that goes back adds nothing. */
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
  const permit = ({ tokens, filledAt }: Bucket, at: number, taken: number): Permit => {
    const fillSeconds = Math.max(1, Math.ceil(filledAt + fillIntervalSeconds - at));
    return tokens >= 1
      ? { allowed: true, remaining: tokens - taken, fillSeconds }
      : { allowed: false, retryAfterSeconds: fillSeconds };
  };
  const keyOf = (key: string) => `${name}\0${key}`;
  return {
    take(key) {
      const at = now();
      return table.use(keyOf(key), at, { tokens: maxTokens, filledAt: at, fullAt: at }, (bucket) => {
        const answer = permit(filled(bucket, at), at, 1);
        if (answer.allowed) bucket.tokens -= 1;
        bucket.fullAt =
          bucket.filledAt + Math.ceil((maxTokens - bucket.tokens) / tokensPerFill) * fillIntervalSeconds;
        return answer;
      });
    },
    peek(key) {
      const bucket = table.look(keyOf(key));
      const at = now();
      return bucket === undefined
        ? { allowed: true, remaining: maxTokens, fillSeconds: Math.max(1, Math.ceil(fillIntervalSeconds)) }
        : permit(filled(bucket, at), at, 0);
    },
    close() {},
  };
}
