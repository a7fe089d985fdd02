import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { isString } from '../checks/claims.js';
import type { JsonObject } from '../checks/strict-json.js';
import { readCredentials } from '../http/authorization.js';
import type { Caller, Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { checkAccessToken, type AccessTokenContext } from './access-token.js';
import { checkProof, type ProofContext } from './proof.js';

export type DpopContext = ProofContext & AccessTokenContext & { readonly clock: Clock };

/** Clients and replicas disagree about the time by at most this much more than what is configured. */
const CLOCK_MARGIN_SECONDS = 5;

/**
 * RFC 9449: an access token of a trusted issuer, bound to the key that signed this request's proof.
 * Does not check that the proof is unused: that is reject-replay's, after everything else.
 */
export function dpop(context: DpopContext): Stage<Routed, Caller> {
  return (request) => {
    const credentials = readCredentials(request.headers);
    const proofText = request.headers.get('dpop');
    if (credentials === undefined) return deny('credentials_missing');
    if (credentials instanceof Denial) return credentials;
    // 7.1, 7.2: a bound token sent as Bearer must not pass, and this profile takes no other.
    if (credentials.scheme !== 'dpop') return deny('scheme_refused', `got ${credentials.scheme}, want DPoP`);
    if (proofText === undefined) return deny('dpop_missing');
    if (request.headers.repeated('dpop')) return deny('dpop_repeated'); // 4.3 item 1

    const now = context.clock();
    const { token } = credentials;
    const ath = hash('sha256', token, 'base64url');
    const proof = checkProof(proofText, request, ath, now, context);
    if (proof instanceof Denial) return proof;

    const bind = (claims: JsonObject | Denial): Caller | Denial => {
      if (claims instanceof Denial) return claims;
      const jkt = (claims.cnf as JsonObject | undefined)?.jkt; // RFC 7800 3.1: other members of cnf are tolerated
      if (!isString(jkt)) return deny('token_not_bound'); // 7.1
      if (jkt !== proof.jkt) return deny('token_key_mismatch'); // 4.3 item 12b
      return {
        kind: 'proven',
        profile: 'dpop',
        owner: proof.jkt,
        jti: proof.jti,
        acceptableUntil: proof.iat + context.auth.proofMaxAgeSeconds + CLOCK_MARGIN_SECONDS,
        accessToken: token,
      };
    };
    const claims = checkAccessToken(token, ath, now, request.facts, context);
    return claims instanceof Promise ? claims.then(bind) : bind(claims);
  };
}
