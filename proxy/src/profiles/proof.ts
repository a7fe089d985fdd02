import type { KeyObject } from 'node:crypto';
import type { Algorithm, DpopAuth, MixedAuth } from '../config/index.js';
import { isDate, isLifetime, isString, isTokenId, timeProblem } from '../checks/claims.js';
import { decodeJsonPart, splitJws } from '../checks/compact-jws.js';
import { importJwk } from '../checks/jwk.js';
import { Lru } from '../checks/lru.js';
import type { JsonObject } from '../checks/strict-json.js';
import { htuFits, withoutQuery } from '../checks/target.js';
import type { Facts, Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Nonces } from './nonces.js';
import { VERIFICATION_COST, type VerifyResult, type Verify } from './verify-queue.js';

/**
 * A proof whose signature, form and fit to the request hold; not yet: that it is unused, and that the access
 * token is bound to `jkt`.
 */
export interface Proof {
  readonly jti: string;
  readonly jkt: string;
  /** Until when every check here passes again. */
  readonly acceptableUntil: number;
  /** Its iat, or the time of its nonce where that counts instead. */
  readonly madeAt: number;
  /** Where nonces are required. */
  readonly nonceMadeAt: number | undefined;
  /** What it carries as nonce, also where none is required. */
  readonly nonce: string | undefined;
  /**
   * To be called when an access token is bound to `jkt`: its header is worth remembering then. A stranger's is
   * not, who has keys and headers without end.
   */
  readonly remember: () => void;
}

const RETRY = { retryAfterSeconds: 1 } as const;

type ProofAuth = DpopAuth | MixedAuth;

interface ProofHeader {
  readonly alg: Algorithm;
  readonly key: KeyObject;
  readonly jkt: string;
}

/** Characters; a header with a P-384 key has some 250, one with a 4096 bit RSA key some 1 000. */
const MAX_REMEMBERED = 1_024;
/** Proof headers of clients seen before, by their exact encoded text: a client sends the same header every time. */
export type ProofHeaderCache = Lru<string, ProofHeader>;
export const createProofHeaderCache = (): ProofHeaderCache => new Lru(10_000);

export interface ProofContext {
  readonly auth: ProofAuth;
  /** Present: a nonce is required. */
  readonly nonces: Nonces | undefined;
  readonly headerCache: ProofHeaderCache;
  readonly verify: Verify;
  readonly refuseLimited: RefuseLimited;
}

/**
 * What the rate limit of the route says to one who names this key, before anybody has proved to hold it: nothing is
 * counted, and whoever has nothing left costs no verification.
 */
export type RefuseLimited = (request: Routed, jkt: string, cost: number) => Denial | undefined;

/**
 * RFC 9449 4.3, items 2 to 12a, in an order that spends the signature check on proofs that could pass.
 * @param text value of the one DPoP header
 * @param ath base64url SHA-256 of the access token that came with it
 * @param now seconds since the epoch
 */
export function checkProof(
  text: string,
  request: Routed,
  ath: string,
  now: number,
  { auth, nonces, headerCache, verify, refuseLimited }: ProofContext,
): Proof | Denial | Promise<Proof | Denial> {
  const jws = splitJws(text); // item 2
  if (jws === undefined) return deny('dpop_malformed', 'not three base64url parts');

  const known = headerCache.get(jws.header);
  const header = known ?? readHeader(jws.header, auth);
  if (header instanceof Denial) return header;
  // The cache is shared by routes; what this route allows is checked again (item 5).
  if (!auth.proofAlgorithms.includes(header.alg)) return deny('dpop_algorithm_refused', header.alg);

  const claims = readClaims(jws.payload);
  if (claims instanceof Denial) return claims;
  noteClaims(request.facts, claims, now);
  const misdirected = targetDenial(claims, request, auth);
  if (misdirected !== undefined) return misdirected;
  const nonceMadeAt = nonceTime(claims.nonce, nonces, now);
  if (nonceMadeAt instanceof Denial) return nonceMadeAt;
  const denial = timeDenial(claims, now, auth) ?? tokenDenial(claims, ath);
  if (denial !== undefined) return denial;

  const cost = VERIFICATION_COST[header.alg];
  let limited: Denial | undefined;
  const isLimited = () => (limited = refuseLimited(request, header.jkt, cost)) !== undefined;
  const settle = (holds: VerifyResult): Proof | Denial => {
    if (limited !== undefined) return limited;
    if (holds === 'unwelcome') return deny('address_limited', undefined, RETRY);
    if (holds === 'overloaded') return deny('overloaded', undefined, RETRY);
    request.verificationCost = cost;
    if (!holds) return deny('dpop_signature_bad');
    request.facts.jkt = header.jkt;
    return {
      jti: claims.jti,
      jkt: header.jkt,
      acceptableUntil: acceptableUntil(claims, nonceMadeAt, auth),
      madeAt: isTimedByNonce(auth) ? nonceMadeAt! : claims.iat,
      nonceMadeAt,
      nonce: isString(claims.nonce) ? claims.nonce : undefined,
      remember: () => {
        if (known === undefined && jws.header.length <= MAX_REMEMBERED) headerCache.set(jws.header, header);
      },
    };
  };
  // Item 6.
  const holds = verify(
    { network: request.network, isLimited },
    header.alg,
    header.key,
    jws.signed,
    jws.signature,
  );
  return holds instanceof Promise ? holds.then(settle) : settle(holds);
}

/**
 * Items 4, 5 and 7: typ, alg, jwk. kid, jku, x5u, x5c are ignored: the key comes from jwk alone (item 6, RFC
 * 8725 3.10).
 */
function readHeader(part: string, auth: ProofAuth): ProofHeader | Denial {
  const header = decodeJsonPart(part);
  if (header === undefined) return deny('dpop_malformed', 'header is not a JSON object');
  if (header.typ !== 'dpop+jwt') return deny('dpop_type_refused');
  // RFC 7515 4.1.11: we understand no extension, so any crit is unknown; that also refuses b64:false (RFC 7797 7).
  if (header.crit !== undefined || header.b64 !== undefined) return deny('dpop_malformed', 'crit or b64');
  const alg = auth.proofAlgorithms.find((a) => a === header.alg);
  if (alg === undefined)
    return deny('dpop_algorithm_refused', typeof header.alg === 'string' ? header.alg : 'no alg');
  const imported = importJwk(header.jwk);
  if (!imported.ok) return deny('dpop_key_refused', imported.why);
  if (!imported.algorithms.includes(alg)) return deny('dpop_key_refused', `the key does not fit ${alg}`);
  return { alg, key: imported.key, jkt: imported.thumbprint };
}

/** The claims of a proof, with those that RFC 9449 4.2 requires. */
type ProofClaims = JsonObject & {
  readonly jti: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
};

/** Item 3. That of `ath` is item 12a. */
function readClaims(payload: string): ProofClaims | Denial {
  const claims = decodeJsonPart(payload);
  if (claims === undefined) return deny('dpop_malformed', 'payload is not a JSON object');
  if (!isTokenId(claims.jti)) return deny('dpop_claim_missing', 'jti');
  if (!isString(claims.htm)) return deny('dpop_claim_missing', 'htm');
  if (!isString(claims.htu)) return deny('dpop_claim_missing', 'htu');
  if (!isDate(claims.iat)) return deny('dpop_claim_missing', 'iat');
  return claims as ProofClaims;
}

function noteClaims(facts: Facts, { jti, htm, htu, iat }: ProofClaims, now: number): void {
  facts.proofId = jti;
  facts.htm = htm;
  facts.htu = withoutQuery(htu);
  facts.proofAgeSeconds = now - iat;
}

/** Items 8 and 9: another method or another URI than those of this request. */
function targetDenial(
  { htm, htu }: ProofClaims,
  request: Routed,
  { strictHtu }: ProofAuth,
): Denial | undefined {
  const { method, origins, publicPath } = request;
  // Methods are case-sensitive (RFC 9110 9.1).
  if (htm !== method) return deny('dpop_htm_mismatch', `got ${htm}, want ${method}`);
  if (!htuFits(htu, origins, publicPath, strictHtu))
    return deny('dpop_htu_mismatch', `got ${withoutQuery(htu)}, want ${origins[0]!}${publicPath}`);
  return undefined;
}

/** Item 10, and 9: required where we issue nonces, so that no proof without one passes (11.3). */
function nonceTime(nonce: unknown, nonces: Nonces | undefined, now: number): number | undefined | Denial {
  if (nonces === undefined) return undefined;
  if (nonce === undefined) return deny('dpop_nonce_missing');
  const madeAt = isString(nonce) ? nonces.verify(nonce, now) : undefined;
  return madeAt ?? deny('dpop_nonce_refused');
}

/** Whether the nonce says when a proof was made, instead of the client's clock. */
const isTimedByNonce = ({ nonce }: ProofAuth): boolean => nonce?.timeFromNonce === true;

/** Item 11 and 11.1: created within a limited window, by its own word or by its nonce's. */
function timeDenial(claims: ProofClaims, now: number, auth: ProofAuth): Denial | undefined {
  // Where the nonce says when, a client's clock may be anywhere, but it runs forwards.
  if (isTimedByNonce(auth))
    return isLifetime(claims) ? undefined : deny('dpop_claim_missing', 'exp, nbf or iat');
  const { iat } = claims;
  if (iat < now - auth.proofMaxAgeSeconds)
    return deny('dpop_expired', `iat is ${Math.round(now - iat)} s ago`);
  if (iat > now + auth.clockSkewSeconds)
    return deny('dpop_not_yet_valid', `iat is ${Math.round(iat - now)} s ahead`);
  // RFC 7519 4.1.4: honoured where present, never required.
  const time = timeProblem(claims, now, auth.clockSkewSeconds);
  if (time === 'expired') return deny('dpop_expired', 'exp');
  if (!isLifetime(claims)) return deny('dpop_claim_missing', 'exp, nbf or iat');
  return time === undefined ? undefined : deny('dpop_not_yet_valid', 'nbf');
}

/** Item 12a: made for another access token than the one that came with it. */
function tokenDenial(claims: ProofClaims, ath: string): Denial | undefined {
  if (!isString(claims.ath)) return deny('dpop_claim_missing', 'ath');
  return claims.ath === ath ? undefined : deny('dpop_ath_mismatch');
}

function acceptableUntil(
  { iat, exp }: ProofClaims,
  nonceMadeAt: number | undefined,
  auth: ProofAuth,
): number {
  if (isTimedByNonce(auth)) return nonceMadeAt! + auth.nonce!.lifetimeSeconds;
  return Math.min(iat + auth.proofMaxAgeSeconds, isDate(exp) ? exp + auth.clockSkewSeconds : Infinity);
}
