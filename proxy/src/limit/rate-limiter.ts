/** Whether a request may go on; if not, after how many seconds (whole, >= 1) one would. */
export type Permit = { readonly allowed: true; readonly remaining: number } | { readonly allowed: false; readonly retryAfterSeconds: number };

export interface RateLimiter {
  /** Takes one token from the bucket of `key`. */
  take(key: string): Permit;
  /** What `take` would answer, without taking. */
  peek(key: string): Permit;
  close(): void;
}
