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
class TokenBuckets implements LocalRateLimiter {
  readonly #options: TokenBucketOptions;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
  }

  take(key: string, cost = 1): Permit {
    return this.#use(key, (bucket, at) => {
      const taken = Math.min(cost, this.#options.maxTokens);
      const answer = this.#permit(bucket, at, taken, taken);
      if (answer.allowed) bucket.tokens -= taken;
      return answer;
    });
  }

  drain(key: string, cost: number): void {
    this.#use(key, (bucket) => {
      bucket.tokens = Math.max(0, bucket.tokens - cost);
    });
  }

  peek(key: string, cost = 1): Permit {
    const { table, now, maxTokens, fillIntervalSeconds } = this.#options;
    const bucket = table.look(this.#keyOf(key));
    const at = now();
    if (bucket === undefined)
      return {
        allowed: true,
        remaining: maxTokens,
        fillSeconds: Math.max(1, Math.ceil(fillIntervalSeconds)),
      };
    this.#fill(bucket, at);
    return this.#permit(bucket, at, Math.min(cost, maxTokens), 0);
  }

  close(): void {}

  /** Runs `work` on the bucket of `key`, filled, and notes when it will be full. */
  #use<T>(key: string, work: (bucket: Bucket, at: number) => T): T {
    const { table, now, maxTokens, tokensPerFill, fillIntervalSeconds } = this.#options;
    const at = now();
    return table.use(this.#keyOf(key), at, { tokens: maxTokens, filledAt: at, fullAt: at }, (bucket) => {
      this.#fill(bucket, at);
      const result = work(bucket, at);
      const fills = Math.ceil((maxTokens - bucket.tokens) / tokensPerFill);
      bucket.fullAt = bucket.filledAt + fills * fillIntervalSeconds;
      return result;
    });
  }

  #keyOf(key: string): string {
    return `${this.#options.name}\0${key}`;
  }

  /** Adds what has come since it was filled last. */
  #fill(bucket: Bucket, at: number): void {
    const { maxTokens, tokensPerFill, fillIntervalSeconds } = this.#options;
    const fills = Math.floor((at - bucket.filledAt) / fillIntervalSeconds);
    if (fills > 0) {
      bucket.tokens = Math.min(maxTokens, bucket.tokens + fills * tokensPerFill);
      bucket.filledAt += fills * fillIntervalSeconds;
    } else if (at < bucket.filledAt) {
      bucket.filledAt = at;
    }
  }

  /** Whether `cost` tokens are there, and what is left once `taken` of them are gone. */
  #permit(bucket: Bucket, at: number, cost: number, taken: number): Permit {
    const missing = cost - bucket.tokens;
    if (missing <= 0)
      return {
        allowed: true,
        remaining: bucket.tokens - taken,
        fillSeconds: this.#secondsUntil(1, bucket, at),
      };
    const fills = Math.ceil(missing / this.#options.tokensPerFill);
    return { allowed: false, retryAfterSeconds: this.#secondsUntil(fills, bucket, at) };
  }

  #secondsUntil(fills: number, { filledAt }: Bucket, at: number): number {
    return Math.max(1, Math.ceil(filledAt + fills * this.#options.fillIntervalSeconds - at));
  }
}

export const createTokenBuckets = (options: TokenBucketOptions): LocalRateLimiter =>
  new TokenBuckets(options);
