/** Whether a request may go on; if not, after how many seconds (whole, >= 1) one would. */
export type Permit =
  | {
      readonly allowed: true;
      readonly remaining: number;
      /** Whole, >= 1: until there is more. */ readonly fillSeconds: number;
    }
  | { readonly allowed: false; readonly retryAfterSeconds: number };

export interface RateLimiter {
  /** Takes one token from the bucket of `key`. Never rejects. */
  take(key: string): Permit | Promise<Permit>;
  close(): void;
}

/** One that knows its buckets itself. */
export interface LocalRateLimiter extends RateLimiter {
  take(key: string): Permit;
  /** What `take` would answer, without taking. */
  peek(key: string): Permit;
}
