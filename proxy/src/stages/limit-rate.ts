import type { Route } from '../config/index.js';
import type { Permit, RateLimiter } from '../limit/rate-limiter.js';
import type { Admitted, Authenticated, Routed, Unseen } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

export type LimiterOf = (route: Route) => RateLimiter | undefined;

/**
 * Counts the proven caller (an anonymous one by its address) against the bucket of its route, by what its proof cost to
 * verify, and says in the answer how it stands. Once: not again what `countBeforeBody` has counted.
 */
export function limitRate(limiterOf: LimiterOf): Stage<Unseen, Admitted> {
  const admit = (x: Unseen): Admitted => grow(x, { admitted: true as const });
  return (x) => {
    if (x.counted) return admit(x);
    const denial = count(x, limiterOf);
    if (denial instanceof Promise) return denial.then((d) => d ?? admit(x));
    return denial ?? admit(x);
  };
}

/** The same for a request whose body will be read for a decision: what the body costs is counted before it is spent. */
export function countBeforeBody(limiterOf: LimiterOf): Stage<Authenticated, Authenticated> {
  const counted = (x: Authenticated): Authenticated => grow(x, { counted: true as const });
  return (x) => {
    const denial = count(x, limiterOf);
    if (denial instanceof Promise) return denial.then((d) => d ?? counted(x));
    return denial ?? counted(x);
  };
}

/** Whether the caller that a proof names has nothing left, before its signature is verified. Counts nothing. */
export const refuseLimited =
  (limiterOf: LimiterOf) =>
  (x: Routed, jkt: string, cost: number): Denial | undefined => {
    const permit = limiterOf(x.route)?.peek(keyOf(x.route, `dpop ${jkt}`), cost);
    return permit === undefined || permit.allowed ? undefined : refused(x, permit);
  };

function count(x: Authenticated, limiterOf: LimiterOf): Denial | undefined | Promise<Denial | undefined> {
  const limiter = limiterOf(x.route);
  if (limiter === undefined) return undefined;
  const { caller, network } = x;
  const who = caller.kind === 'known' ? `${caller.by} ${caller.identity}` : `address ${network}`;
  const settle = (permit: Permit): Denial | undefined => {
    if (!permit.allowed) return refused(x, permit);
    say(x, `r=${permit.remaining};t=${permit.fillSeconds}`);
    return undefined;
  };
  const permit = limiter.take(keyOf(x.route, who), x.verificationCost ?? 1);
  return permit instanceof Promise ? permit.then(settle) : settle(permit);
}

const keyOf = ({ rateLimit }: Route, who: string): string => (rateLimit?.per === 'route' ? '' : who);

function refused(x: Routed, { retryAfterSeconds }: Extract<Permit, { allowed: false }>): Denial {
  say(x, `r=0;t=${retryAfterSeconds}`);
  return deny('rate_limited', undefined, { retryAfterSeconds });
}

/** RateLimit-Policy and RateLimit of the answer. */
function say({ route, reply }: Routed, state: string): void {
  const { name, rateLimit } = route;
  const { maxTokens, tokensPerFill, fillIntervalSeconds } = rateLimit!;
  const windowSeconds = Math.max(1, Math.ceil((maxTokens / tokensPerFill) * fillIntervalSeconds));
  reply.rateLimit = { policy: `"${name}";q=${maxTokens};w=${windowSeconds}`, state: `"${name}";${state}` };
}
