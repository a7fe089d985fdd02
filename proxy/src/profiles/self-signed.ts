import type { Clock } from '../clock.js';
import { audienceFits, isDate, isString, isTokenId, timeProblem } from '../checks/claims.js';
import { decodeJsonPart, splitJws, type JwsParts } from '../checks/compact-jws.js';
import type { JsonObject } from '../checks/strict-json.js';
import { htuFits, withoutQuery } from '../checks/target.js';
import type { SelfSignedAuth } from '../config/index.js';
import { readCredentials, schemeRefused } from '../http/authorization.js';
import type { VerificationKey } from '../keys/key-source.js';
import type { Caller, Facts, Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { validityUnder, verifyUnder, type TrustedIssuer } from './issuers.js';

export interface SelfSignedContext {
  readonly auth: SelfSignedAuth;
  readonly issuers: readonly TrustedIssuer[];
  readonly clock: Clock;
}

/** Types of other uses of JWT that must not pass as this one (RFC 8725 3.11, 3.12). */
const OTHER_TYPES = ['dpop+jwt', 'application/dpop+jwt', 'at+jwt', 'application/at+jwt'];

/**
 * The self-signed profile: `Authorization: Bearer <JWT>` that the caller signed itself (RS256) for this one
 * request, naming method, URI and a jti. Single use, for one method and URI; it is not RFC 9449: there is no
 * proof key beside the token.
 */
export function selfSigned(context: SelfSignedContext): Stage<Routed, Caller> {
  const { auth, issuers, clock } = context;
  return (request) => {
    const credentials = readCredentials(request.headers);
    if (credentials === undefined) return deny('credentials_missing');
    if (credentials instanceof Denial) return credentials;
    if (credentials.scheme !== 'bearer') return schemeRefused(credentials, 'Bearer');

    const token = readToken(credentials.token, issuers);
    if (token instanceof Denial) return token;
    const { jws, kid, claims, from } = token;
    const now = clock();
    noteToken(request.facts, token, now);
    const denial = timeDenial(claims, now, auth) ?? audienceDenial(claims, request.facts, auth);
    if (denial !== undefined) return denial;
    const misdirected = auth.enforceHtuHtm ? targetDenial(claims, request, auth) : undefined;
    if (misdirected !== undefined) return misdirected;

    const prove = (key: Denial | VerificationKey): Caller | Denial =>
      key instanceof Denial ? key : callerOf(token, key, credentials.token, auth);
    const key = verifyUnder(from, jws, 'RS256', kid, request.network);
    return key instanceof Promise ? key.then(prove) : prove(key);
  };
}

/** A token of the right form, of an issuer of the route; not yet: that its signature verifies. */
interface SelfSignedToken {
  readonly jws: JwsParts;
  readonly kid: string;
  readonly claims: SelfSignedClaims;
  readonly from: TrustedIssuer;
}

type SelfSignedClaims = JsonObject & {
  readonly jti: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly exp: number;
};

function readToken(text: string, issuers: readonly TrustedIssuer[]): SelfSignedToken | Denial {
  const jws = splitJws(text);
  if (jws === undefined) return deny('token_malformed', 'not three base64url parts');
  const header = decodeJsonPart(jws.header);
  const claims = decodeJsonPart(jws.payload);
  if (header === undefined || claims === undefined) return deny('token_malformed');
  const denial = headerDenial(header);
  if (denial !== undefined) return denial;
  const { kid } = header;
  if (!isString(kid)) return deny('token_key_unknown', 'kid is required');
  const from = issuers.find((i) => i.issuer.issuer === claims.iss);
  if (from === undefined) return deny('token_issuer_unknown');
  if (!hasRequired(claims)) return deny('token_claim_missing', 'jti, iat and exp are required');
  if (!isString(claims.htm) || !isString(claims.htu))
    return deny('token_claim_missing', 'htm and htu are required');
  return { jws, kid, claims: claims as SelfSignedClaims, from };
}

function headerDenial({ crit, b64, typ, alg }: JsonObject): Denial | undefined {
  if (crit !== undefined || b64 !== undefined) return deny('token_malformed');
  if (typ !== undefined && (typeof typ !== 'string' || OTHER_TYPES.includes(typ.toLowerCase())))
    return deny('token_type_refused');
  return alg === 'RS256' ? undefined : deny('token_algorithm_refused', 'want RS256');
}

const hasRequired = ({ jti, iat, exp }: JsonObject): boolean => isTokenId(jti) && isDate(iat) && isDate(exp);

function noteToken(facts: Facts, { from, kid, claims }: SelfSignedToken, now: number): void {
  facts.issuer = from.issuer.issuer;
  facts.keyId = kid;
  facts.tokenId = claims.jti;
  facts.htm = claims.htm;
  facts.htu = withoutQuery(claims.htu);
  facts.proofAgeSeconds = now - claims.iat;
}

function timeDenial(claims: SelfSignedClaims, now: number, auth: SelfSignedAuth): Denial | undefined {
  const { clockSkewSeconds, maxTokenAgeSeconds } = auth;
  const time = timeProblem(claims, now, clockSkewSeconds);
  if (time === 'malformed') return deny('token_claim_missing', 'exp, nbf or iat');
  if (time !== undefined) return deny(time === 'expired' ? 'token_expired' : 'token_not_yet_valid');
  const { iat, exp } = claims;
  if (iat > now + clockSkewSeconds)
    return deny('token_not_yet_valid', `iat is ${Math.round(iat - now)} s ahead`);
  if (exp - iat > maxTokenAgeSeconds || now - iat > maxTokenAgeSeconds)
    return deny('token_too_old', `want at most ${maxTokenAgeSeconds} s`);
  return undefined;
}

function audienceDenial(
  { aud }: JsonObject,
  facts: Facts,
  { audiences }: SelfSignedAuth,
): Denial | undefined {
  if (!audienceFits(aud, audiences)) return deny('token_audience_refused');
  facts.audience = audiences.find((a) => audienceFits(aud, [a]))!;
  return undefined;
}

/** Made for another method or another URI than those of this request. */
function targetDenial(
  { htm, htu }: SelfSignedClaims,
  { method, origins, publicPath }: Routed,
  { strictHtu }: SelfSignedAuth,
): Denial | undefined {
  if (htm !== method) return deny('token_htm_mismatch', `got ${htm}, want ${method}`);
  if (!htuFits(htu, origins, publicPath, strictHtu))
    return deny('token_htu_mismatch', `got ${withoutQuery(htu)}, want ${origins[0]!}${publicPath}`);
  return undefined;
}

/** @param key under which the token verified */
function callerOf(
  { from, kid, claims: { jti, iat, exp } }: SelfSignedToken,
  key: VerificationKey,
  accessToken: string,
  { clockSkewSeconds, maxTokenAgeSeconds }: SelfSignedAuth,
): Caller {
  const owner = `${from.issuer.issuer} ${kid}`;
  const acceptableUntil = Math.min(exp + clockSkewSeconds, iat + maxTokenAgeSeconds);
  return {
    kind: 'known',
    by: 'selfSigned',
    identity: owner,
    scopes: [],
    claims: {},
    accessToken,
    proofUse: { owner, jti, acceptableUntil, madeAt: iat, aheadSeconds: clockSkewSeconds },
    validity: validityUnder(from, key, exp),
  };
}
