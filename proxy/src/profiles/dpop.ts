import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { isString } from '../checks/claims.js';
import { readCredentials, schemeRefused } from '../http/authorization.js';
import type { Caller, ProofUse, Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import {
  checkAccessToken,
  confirmation,
  type AccessTokenContext,
  type CheckedToken,
} from './access-token.js';
import { fromHeader, fromTls } from './certificate.js';
import { CLOCK_MARGIN_SECONDS, type Nonces } from './nonces.js';
import { checkProof, type Proof, type ProofContext } from './proof.js';

export type DpopContext = ProofContext & AccessTokenContext & { readonly clock: Clock };

/**
 * RFC 9449: an access token of a trusted issuer, bound to the key that signed this request's proof. The profile
 * `mixed` also takes tokens that are bound to nothing, as Bearer; a bound one never passes that way (7.2). Does
 * not check that the proof is unused: that is reject-replay's, after everything else.
 */
export function dpop(context: DpopContext): Stage<Routed, Caller> {
  const { auth, nonces, clock } = context;
  const asBearer: DpopContext = { ...context, tokenType: 'bearer' };
  return (request) => {
    const now = clock();
    const nonce = nonces === undefined ? undefined : offerNonce(request, nonces, now);
    if (nonce instanceof Denial) return nonce;

    const credentials = readCredentials(request.headers);
    const proofText = request.headers.get('dpop');
    if (credentials === undefined) return deny('credentials_missing');
    if (credentials instanceof Denial) return credentials;
    const { scheme, token } = credentials;
    if (scheme === 'bearer' && auth.profile === 'mixed') {
      // Whoever has a proof means a bound token: nobody would look at the proof, nor find out that it was used before.
      if (proofText !== undefined) return deny('scheme_refused', 'Bearer beside a DPoP proof');
      return unbound(asBearer, request, token, now);
    }
    // 7.1, 7.2: a bound token sent as Bearer must not pass.
    if (scheme !== 'dpop') return schemeRefused(credentials, 'DPoP');
    if (proofText === undefined) return deny('dpop_missing');
    if (request.headers.repeated('dpop')) return deny('dpop_repeated'); // 4.3 item 1

    const ath = hash('sha256', token, 'base64url');
    const bind = (proof: Proof, checked: CheckedToken | Denial): Caller | Denial => {
      if (checked instanceof Denial) return checked;
      const { claims, validity } = checked;
      const cnf = confirmation(claims); // RFC 7800 3.1: other members are tolerated
      if (!isString(cnf.jkt)) return deny('token_not_bound'); // 7.1
      if (cnf.jkt !== proof.jkt) return deny('token_key_mismatch'); // 4.3 item 12b
      if (cnf['x5t#S256'] !== undefined && cnf['x5t#S256'] !== (fromTls(request) ?? fromHeader(request)))
        return deny('certificate_mismatch'); // RFC 8705 3
      proof.remember();
      const { jkt } = proof;
      return {
        kind: 'known',
        by: 'dpop',
        identity: jkt,
        scopes: checked.scopes,
        claims,
        accessToken: token,
        proofUse: proofUseOf(proof, auth, nonce),
        validity,
      };
    };
    const goOn = (proof: Proof | Denial): Caller | Denial | Promise<Caller | Denial> => {
      if (proof instanceof Denial) return proof;
      if (nonces !== undefined && !nonces.ages(proof.nonceMadeAt!, now)) delete request.reply.dpopNonce;
      const checked = checkAccessToken(token, ath, now, request, context);
      return checked instanceof Promise ? checked.then((c) => bind(proof, c)) : bind(proof, checked);
    };
    const proof = checkProof(proofText, request, ath, now, context);
    return proof instanceof Promise ? proof.then(goOn) : goOn(proof);
  };
}

/** RFC 9449 8.2: whoever is refused from here on has what the next attempt needs. */
function offerNonce({ reply }: Routed, nonces: Nonces, now: number): string | Denial {
  const nonce = nonces.fresh(now);
  if (nonce === undefined) return deny('keys_unavailable', 'no nonce key');
  reply.dpopNonce = nonce;
  return nonce;
}

/** @param fresh a nonce that is made now, where the route requires one */
function proofUseOf(proof: Proof, auth: DpopContext['auth'], fresh: string | undefined): ProofUse {
  const { jkt, jti, acceptableUntil, madeAt, nonceMadeAt, nonce } = proof;
  return {
    owner: jkt,
    jti,
    acceptableUntil,
    madeAt,
    aheadSeconds: auth.nonce?.timeFromNonce === true ? CLOCK_MARGIN_SECONDS : auth.clockSkewSeconds,
    nonce:
      nonce === undefined
        ? undefined
        : {
            text: nonce,
            required: nonceMadeAt === undefined ? undefined : { madeAt: nonceMadeAt, fresh: fresh! },
          },
  };
}

function unbound(
  context: DpopContext,
  request: Routed,
  token: string,
  now: number,
): Caller | Denial | Promise<Caller | Denial> {
  delete request.reply.dpopNonce;
  const ath = hash('sha256', token, 'base64url');
  const accept = (checked: CheckedToken | Denial): Caller | Denial => {
    if (checked instanceof Denial) return checked;
    const { claims, validity, client, scopes, isDeclared } = checked;
    if (claims.cnf !== undefined) return deny('token_bound'); // 7.2, RFC 8705 3
    if (typeof claims.typ === 'string' && claims.typ.toLowerCase() === 'dpop')
      return deny('token_bound', 'its claim typ is DPoP');
    if (!isDeclared)
      return deny('token_type_refused', 'without typ at+jwt, and without a binding, it can be an ID token');
    // RFC 7662 2.2 requires neither sub nor client_id: who has none is counted by its token.
    const who = [claims.sub, client].find(isString) ?? ath;
    return {
      kind: 'known',
      by: 'bearer',
      identity: `${request.facts.issuer} ${who}`,
      scopes,
      claims,
      accessToken: token,
      proofUse: undefined,
      validity,
    };
  };
  const checked = checkAccessToken(token, ath, now, request, context);
  return checked instanceof Promise ? checked.then(accept) : accept(checked);
}
