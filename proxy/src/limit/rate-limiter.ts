/** Whether a request may go on; if not, after how many seconds (whole, >= 1) one would. */
export type Permit =
  | {
      readonly allowed: true;
      readonly remaining: number;
      /** Whole, >= 1: until there is more. */ readonly fillSeconds: number;
    }
  | { readonly allowed: false; readonly retryAfterSeconds: number };

export interface RateLimiter {
  /**
   * Takes tokens from the bucket of `key`: all that are asked for, or none. Never rejects.
   * @param cost whole tokens; more than a bucket holds counts as a full one. 1 by default
   */
  take(key: string, cost?: number): Permit | Promise<Permit>;
  /**
   * What `take` would answer, without taking. Where replicas share buckets: whether this one was refused and
   * the time is not up.
   */
  peek(key: string, cost?: number): Permit;
  close(): void;
}

/** One that knows its buckets itself. */
export interface LocalRateLimiter extends RateLimiter {
  take(key: string, cost?: number): Permit;
  /** Takes so many tokens, or what is left. */
  drain(key: string, cost: number): void;
}
