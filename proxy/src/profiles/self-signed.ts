import type { Clock } from '../clock.js';
import { audienceFits, isDate, isString, isTokenId, timeProblem } from '../checks/claims.js';
import { decodeJsonPart, splitJws } from '../checks/compact-jws.js';
import { htuFits, withoutQuery } from '../checks/target.js';
import type { SelfSignedAuth } from '../config/index.js';
import { readCredentials, schemeRefused } from '../http/authorization.js';
import type { VerificationKey } from '../keys/key-source.js';
import type { Caller, Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { standsBy, verifyUnder, type TrustedIssuer } from './issuers.js';

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

    const { token } = credentials;
    const jws = splitJws(token);
    if (jws === undefined) return deny('token_malformed', 'not three base64url parts');
    const header = decodeJsonPart(jws.header);
    const claims = decodeJsonPart(jws.payload);
    if (header === undefined || claims === undefined || header.crit !== undefined || header.b64 !== undefined)
      return deny('token_malformed');
    if (
      header.typ !== undefined &&
      (typeof header.typ !== 'string' || OTHER_TYPES.includes(header.typ.toLowerCase()))
    )
      return deny('token_type_refused');
    if (header.alg !== 'RS256') return deny('token_algorithm_refused', 'want RS256');
    const { kid } = header;
    if (!isString(kid)) return deny('token_key_unknown', 'kid is required');
    const from = issuers.find((i) => i.issuer.issuer === claims.iss);
    if (from === undefined) return deny('token_issuer_unknown');

    const { jti, htm, htu, iat, exp } = claims;
    if (!isTokenId(jti) || !isDate(iat) || !isDate(exp))
      return deny('token_claim_missing', 'jti, iat and exp are required');
    if (!isString(htm) || !isString(htu)) return deny('token_claim_missing', 'htm and htu are required');
    const { facts } = request;
    facts.issuer = from.issuer.issuer;
    facts.keyId = kid;
    facts.tokenId = jti;
    facts.htm = htm;
    facts.htu = withoutQuery(htu);

    const now = clock();
    facts.proofAgeSeconds = now - iat;
    const time = timeProblem(claims, now, auth.clockSkewSeconds);
    if (time === 'malformed') return deny('token_claim_missing', 'exp, nbf or iat');
    if (time !== undefined) return deny(time === 'expired' ? 'token_expired' : 'token_not_yet_valid');
    if (iat > now + auth.clockSkewSeconds)
      return deny('token_not_yet_valid', `iat is ${Math.round(iat - now)} s ahead`);
    if (exp - iat > auth.maxTokenAgeSeconds || now - iat > auth.maxTokenAgeSeconds)
      return deny('token_too_old', `want at most ${auth.maxTokenAgeSeconds} s`);
    if (!audienceFits(claims.aud, auth.audiences)) return deny('token_audience_refused');
    facts.audience = auth.audiences.find((a) => audienceFits(claims.aud, [a]))!;
    if (auth.enforceHtuHtm) {
      if (htm !== request.method) return deny('token_htm_mismatch', `got ${htm}, want ${request.method}`);
      if (!htuFits(htu, request.origins, request.publicPath, auth.strictHtu))
        return deny(
          'token_htu_mismatch',
          `got ${withoutQuery(htu)}, want ${request.origins[0]!}${request.publicPath}`,
        );
    }

    const owner = `${from.issuer.issuer} ${kid}`;
    const acceptableUntil = Math.min(exp + auth.clockSkewSeconds, iat + auth.maxTokenAgeSeconds);
    const prove = (key: Denial | VerificationKey): Caller | Denial =>
      key instanceof Denial
        ? key
        : {
            kind: 'known',
            by: 'selfSigned',
            identity: owner,
            scopes: [],
            accessToken: token,
            once: { owner, jti, acceptableUntil, madeAt: iat, aheadSeconds: auth.clockSkewSeconds },
            standing: standsBy(from, key, exp),
          };
    const verdict = verifyUnder(from, jws, 'RS256', kid, request.network);
    return verdict instanceof Promise ? verdict.then(prove) : prove(verdict);
  };
}
