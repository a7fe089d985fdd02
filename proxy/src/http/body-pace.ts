import type { Config } from '../config/index.js';

/** How long a body may still take to its next byte, in seconds. */
export type Pace = (bytes: number) => number;

/**
 * The pace that a body must keep: never silent for `bodyIdleTimeoutSeconds`, and beyond that time `minBodyBytesPerSecond` on the whole, so that a byte now and then does not
 * hold a request open.
 */
export function bodyPace({ bodyIdleTimeoutSeconds, minBodyBytesPerSecond }: Config['limits']): Pace {
  const began = performance.now();
  return (bytes) => {
    if (minBodyBytesPerSecond === 0) return bodyIdleTimeoutSeconds;
    return Math.min(
      bodyIdleTimeoutSeconds,
      bodyIdleTimeoutSeconds + bytes / minBodyBytesPerSecond - (performance.now() - began) / 1000,
    );
  };
}
