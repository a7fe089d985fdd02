import type { Route } from '../config/index.js';
import type { Authenticated, Caller, Routed } from '../pipeline/evidence.js';
import { Denial } from '../pipeline/reason.js';
import { grow, type Stage } from '../pipeline/stage.js';

const ANONYMOUS: Caller = { kind: 'anonymous' };

/**
 * Runs the profile of the route, then its mode: strict takes proven callers only; optional also those without
 * any credentials; permissive records what strict would have said and lets go on, as an anonymous caller,
 * whoever did not prove anything.
 */
export function authenticate(
  profileOf: (route: Route) => Stage<Routed, Caller>,
): Stage<Routed, Authenticated> {
  return (x) => {
    const { mode } = x.route.auth;
    const settle = (caller: Caller | Denial): Authenticated | Denial => {
      if (!(caller instanceof Denial)) return grow(x, { caller });
      if (
        mode === 'optional' &&
        caller.reason === 'credentials_missing' &&
        x.headers.get('dpop') === undefined
      )
        return grow(x, { caller: ANONYMOUS });
      // Of a limit nobody is excused: it is no matter of credentials.
      if (mode === 'permissive' && caller.reason !== 'rate_limited') {
        x.facts.wouldDeny = caller.reason;
        return grow(x, { caller: ANONYMOUS });
      }
      return caller;
    };
    const profile = profileOf(x.route);
    const caller = profile(x);
    return caller instanceof Promise ? caller.then(settle) : settle(caller);
  };
}
