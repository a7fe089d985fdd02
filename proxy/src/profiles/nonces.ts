import { makeNonce, timeOfNonce } from '../checks/nonce.js';
import type { NonceKeys } from '../keys/key-source.js';

/** RFC 9449 8, 9: nonces without state, so that any replica takes any other's. */
export interface Nonces {
  /** A nonce of now; `undefined` while there is no key. */
  fresh(now: number): string | undefined;
  /** The second it was made in; `undefined`: not one of ours, too old, or of a time that has not come. */
  verify(nonce: string, now: number): number | undefined;
  /** RFC 9449 8.2: so old that the client should get another before it is refused. */
  ages(madeAt: number, now: number): boolean;
}

/** Replicas' clocks differ by less. */
export const CLOCK_MARGIN_SECONDS = 5;

export function createNonces(keys: NonceKeys, lifetimeSeconds: number): Nonces {
  // All nonces of one second are the same: one HMAC serves a flood of challenges.
  let made: { readonly key: Buffer; readonly second: number; readonly nonce: string } | undefined;
  return {
    fresh(now) {
      const key = keys.current();
      if (key === undefined) return undefined;
      const second = Math.floor(now);
      if (made?.second !== second || made.key !== key) made = { key, second, nonce: makeNonce(key, second) };
      return made.nonce;
    },
    verify(nonce, now) {
      const madeAt = timeOfNonce(nonce, keys.accepted());
      return madeAt === undefined || madeAt < now - lifetimeSeconds || madeAt > now + CLOCK_MARGIN_SECONDS
        ? undefined
        : madeAt;
    },
    ages: (madeAt, now) => madeAt < now - lifetimeSeconds / 2,
  };
}
