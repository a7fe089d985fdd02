import type { Route } from '../config/index.js';
import type { Permit, RateLimiter } from '../limit/rate-limiter.js';
import type { Admitted, Unseen } from '../pipeline/evidence.js';
import { deny, type Denial } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

/** Counts the proven caller (an anonymous one by its address) against the bucket of its route, and says in the answer how it stands. */
export function limitRate(limiterOf: (route: Route) => RateLimiter | undefined): Stage<Unseen, Admitted> {
  return (x) => {
    const limiter = limiterOf(x.route);
    const { rateLimit, name } = x.route;
    if (limiter === undefined || rateLimit === undefined) return grow(x, { admitted: true as const });
    const settle = (permit: Permit): Admitted | Denial => {
      const { maxTokens, tokensPerFill, fillIntervalSeconds } = rateLimit;
      const windowSeconds = Math.max(1, Math.ceil((maxTokens / tokensPerFill) * fillIntervalSeconds));
      x.reply.rateLimit = {
        policy: `"${name}";q=${maxTokens};w=${windowSeconds}`,
        state: permit.allowed
          ? `"${name}";r=${permit.remaining};t=${permit.fillSeconds}`
          : `"${name}";r=0;t=${permit.retryAfterSeconds}`,
      };
      if (!permit.allowed)
        return deny('rate_limited', undefined, { retryAfterSeconds: permit.retryAfterSeconds });
      return grow(x, { admitted: true as const });
    };
    const permit = limiter.take(
      rateLimit.per === 'route'
        ? ''
        : x.caller.kind === 'known'
          ? `${x.caller.by} ${x.caller.identity}`
          : `address ${x.network}`,
    );
    return permit instanceof Promise ? permit.then(settle) : settle(permit);
  };
}
