import type { Config } from '../config/index.js';

/** How long a body may take to its next byte, in seconds. @param bytes all that came so far */
export type Pace = (bytes: number) => number;

/**
 * The pace that a body must keep: never silent for `bodyIdleTimeoutSeconds`, and on average of that time at least
 * `minBodyBytesPerSecond`. Bytes earn time, and no more than that: who sent much at once has no credit to hold the
 * rest open with a byte now and then.
 */
export function bodyPace({ bodyIdleTimeoutSeconds, minBodyBytesPerSecond }: Config['limits']): Pace {
  let leftSeconds = bodyIdleTimeoutSeconds;
  let lookedAt = performance.now();
  let counted = 0;
  return (bytes) => {
    if (minBodyBytesPerSecond === 0) return bodyIdleTimeoutSeconds;
    const now = performance.now();
    const earned = (bytes - counted) / minBodyBytesPerSecond;
    leftSeconds = Math.min(bodyIdleTimeoutSeconds, leftSeconds - (now - lookedAt) / 1000 + earned);
    lookedAt = now;
    counted = bytes;
    return leftSeconds;
  };
}
