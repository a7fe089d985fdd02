import type { Algorithm, Issuer } from '../config/index.js';
import { verifies } from '../checks/signature.js';
import type { JwsParts } from '../checks/compact-jws.js';
import type { Introspector, KeySource, VerificationKey } from '../keys/key-source.js';
import type { TokenValidity } from '../pipeline/evidence.js';
import { deny, type Denial } from '../pipeline/reason.js';

const RETRY_AFTER_SECONDS = 1;

/** Longest list of kids that is told. */
const MOST_KIDS = 5;

/** An issuer with the keys it signs with: no key is ever tried for another issuer's token (RFC 8725 3.8). */
export interface TrustedIssuer {
  readonly issuer: Issuer;
  readonly keys: KeySource;
  /** For tokens of this issuer that are not JWTs, and for all where `introspection.always` is set. */
  readonly introspector: Introspector | undefined;
}

/**
 * Verifies a token under a key of `from` that fits kid and alg, and says which: RFC 7515 5.2, RFC 8725 3.1,
 * 3.10. An unknown kid may cost one fetch, which the key source rations; everything else is synchronous.
 * @param network of the request: its share of those that wait for a fetch
 */
export function verifyUnder(
  from: TrustedIssuer,
  jws: JwsParts,
  alg: Algorithm,
  kid: string | undefined,
  network: string,
): Denial | VerificationKey | Promise<Denial | VerificationKey> {
  const attempt = (): Denial | VerificationKey => {
    const candidates = from.keys.find(kid).filter((k) => k.algorithms.includes(alg));
    if (candidates.length === 0)
      return deny(
        'token_key_unknown',
        `no ${alg} key of issuer ${from.issuer.name} fits the kid; ${kidsOf(from)}`,
      );
    return (
      candidates.find((k) => verifies(alg, k.key, jws.signed, jws.signature)) ?? deny('token_signature_bad')
    );
  };
  if (!from.keys.ready() || from.keys.find(kid).length === 0) {
    const refreshed = from.keys.refreshFor(network);
    if (refreshed === undefined)
      return deny('keys_unavailable', 'too many requests of this network wait for keys', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        addressIsToBlame: true,
      });
    return refreshed.then(() =>
      from.keys.ready() ? attempt() : deny('keys_unavailable', `issuer ${from.issuer.name}`),
    );
  }
  return attempt();
}

/** Of a token that verified under `key`: it stands until it expires, or the issuer withdraws the key. */
export function validityUnder(
  { keys }: TrustedIssuer,
  { kid, key }: VerificationKey,
  until: number,
): TokenValidity {
  return { expiresAt: until, isActive: () => keys.find(kid).some((k) => k.key === key || k.key.equals(key)) };
}

/** For operators; the kid of a token that did not verify is anybody's text, and stays out. */
function kidsOf({ keys }: TrustedIssuer): string {
  const kids = keys.find(undefined).map(({ kid }) => kid ?? '(none)');
  return kids.length === 0 ? 'it has no key' : `it has ${kids.slice(0, MOST_KIDS).join(', ')}`;
}
