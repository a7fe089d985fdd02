import { isDate, isString, isTokenId, audienceFits, timeProblem } from '../checks/claims.js';
import { decodeJsonPart, splitJws } from '../checks/compact-jws.js';
import { Lru } from '../checks/lru.js';
import type { JsonObject } from '../checks/strict-json.js';
import type { DpopAuth } from '../config/index.js';
import type { Facts } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { verifyUnder, type TrustedIssuer } from './issuers.js';

/** An access token whose signature verified under the keys of `issuer` as they were at `generation`. */
interface VerifiedToken {
  readonly claims: JsonObject;
  readonly from: TrustedIssuer;
  readonly generation: number;
}

/** Verified access tokens by their SHA-256: a client sends one token many times; it is verified again when the issuer's keys change. */
export type AccessTokenCache = Lru<string, VerifiedToken>;
export const createAccessTokenCache = (): AccessTokenCache => new Lru(10_000);

export interface AccessTokenContext {
  readonly auth: DpopAuth;
  readonly issuers: readonly TrustedIssuer[];
  readonly cache: AccessTokenCache;
}

/** RFC 9068 2.1: with and without the media type's prefix. */
const TYPES = ['at+jwt', 'application/at+jwt'];

/**
 * A JWT access token by RFC 9068 4 and RFC 8725: type, algorithm, issuer, signature, time, audience. What it says of a key is for the caller.
 * @param hash base64url SHA-256 of the token, the `ath` of a proof
 */
export function checkAccessToken(token: string, hash: string, now: number, facts: Facts, context: AccessTokenContext): JsonObject | Denial | Promise<JsonObject | Denial> {
  const known = context.cache.get(hash);
  // A token is good for the issuers of this route, whichever route verified it first.
  if (known !== undefined && known.generation === known.from.keys.generation() && context.issuers.includes(known.from)) {
    return judge(known.claims, now, facts, context.auth);
  }
  const jws = splitJws(token);
  if (jws === undefined) return deny('token_malformed', 'not three base64url parts');
  const header = decodeJsonPart(jws.header);
  const claims = decodeJsonPart(jws.payload);
  if (header === undefined || claims === undefined || header.crit !== undefined || header.b64 !== undefined) return deny('token_malformed');
  if (typeof header.typ !== 'string' || !TYPES.includes(header.typ.toLowerCase())) return deny('token_type_refused', 'typ must be at+jwt');
  if (header.kid !== undefined && !isString(header.kid)) return deny('token_malformed', 'kid');
  const from = context.issuers.find((i) => i.issuer.issuer === claims.iss); // RFC 9068 4: exact match
  if (from === undefined) return deny('token_issuer_unknown');
  const alg = from.issuer.algorithms.find((a) => a === header.alg);
  if (alg === undefined) return deny('token_algorithm_refused');
  const conclude = (refused: Denial | undefined): JsonObject | Denial => {
    if (refused !== undefined) return refused;
    context.cache.set(hash, { claims, from, generation: from.keys.generation() });
    return judge(claims, now, facts, context.auth);
  };
  const verdict = verifyUnder(from, jws, alg, header.kid);
  return verdict instanceof Promise ? verdict.then(conclude) : conclude(verdict);
}

/** What can change from request to request on a token that verified: time and audience. */
function judge(claims: JsonObject, now: number, facts: Facts, auth: DpopAuth): JsonObject | Denial {
  facts.issuer = claims.iss as string;
  // RFC 9068 2.2: the required claims.
  if (!isDate(claims.exp) || !isDate(claims.iat) || !isString(claims.sub) || !isString(claims.client_id) || !isTokenId(claims.jti)) {
    return deny('token_claim_missing', 'exp, iat, sub, client_id and jti are required (RFC 9068 2.2)');
  }
  facts.subject = claims.sub;
  facts.tokenId = claims.jti;
  const time = timeProblem(claims, now, auth.clockSkewSeconds);
  if (time === 'expired') return deny('token_expired');
  if (time !== undefined) return deny('token_not_yet_valid');
  if (claims.iat > now + auth.clockSkewSeconds) return deny('token_not_yet_valid', 'iat');
  if (!audienceFits(claims.aud, auth.audiences)) return deny('token_audience_refused');
  facts.audience = auth.audiences.find((a) => audienceFits(claims.aud, [a]))!;
  return claims;
}
