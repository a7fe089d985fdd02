import type { Route } from '../config/index.js';
import type { RateLimiter } from '../limit/rate-limiter.js';
import type { Admitted, Unseen } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/** Counts the proven caller (an anonymous one by its address) against the bucket of its route. */
export function limitRate(limiterOf: (route: Route) => RateLimiter | undefined): Stage<Unseen, Admitted> {
  return (x) => {
    const limiter = limiterOf(x.route);
    if (limiter !== undefined) {
      const key = x.route.rateLimit?.per === 'route' ? '' : x.caller.kind === 'known' ? `${x.caller.by} ${x.caller.identity}` : `address ${x.address}`;
      const permit = limiter.take(key);
      if (!permit.allowed) return deny('rate_limited', undefined, { retryAfterSeconds: permit.retryAfterSeconds });
    }
    return grow(x, { admitted: true as const });
  };
}
