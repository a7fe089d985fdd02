import type { KeyObject } from 'node:crypto';
import type { Algorithm, DpopAuth, MixedAuth } from '../config/index.js';
import { isDate, isLifetime, isString, isTokenId, timeProblem } from '../checks/claims.js';
import { decodeJsonPart, splitJws } from '../checks/compact-jws.js';
import { importJwk } from '../checks/jwk.js';
import { Lru } from '../checks/lru.js';
import { htuFits, withoutQuery } from '../checks/target.js';
import type { Routed } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import type { Nonces } from './nonces.js';
import { VERIFICATION_COST, type Verdict, type Verify } from './verify-queue.js';

/** A proof whose signature, form and fit to the request hold; not yet: that it is unused, and that the access token is bound to `jkt`. */
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
  /** To be called when an access token is bound to `jkt`: its header is worth remembering then. A stranger's is not, who has keys and headers without end. */
  readonly remember: () => void;
}

const RETRY_AFTER_SECONDS = 1;

interface ProofHeader {
  readonly alg: Algorithm;
  readonly key: KeyObject;
  readonly jkt: string;
}

/** Proof headers of clients seen before, by their exact encoded text: a client sends the same header every time. */
/** Characters; a header with a P-384 key has some 250, one with a 4096 bit RSA key some 1 000. */
const MAX_REMEMBERED = 1_024;
export type ProofHeaderCache = Lru<string, ProofHeader>;
export const createProofHeaderCache = (): ProofHeaderCache => new Lru(10_000);

export interface ProofContext {
  readonly auth: DpopAuth | MixedAuth;
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

  const claims = decodeJsonPart(jws.payload);
  if (claims === undefined) return deny('dpop_malformed', 'payload is not a JSON object');
  const { jti, htm, htu, iat } = claims;
  // Item 3: the required claims of 4.2.
  if (!isTokenId(jti)) return deny('dpop_claim_missing', 'jti');
  if (!isString(htm)) return deny('dpop_claim_missing', 'htm');
  if (!isString(htu)) return deny('dpop_claim_missing', 'htu');
  if (!isDate(iat)) return deny('dpop_claim_missing', 'iat');
  request.facts.proofId = jti;
  request.facts.htm = htm;
  request.facts.htu = withoutQuery(htu);
  request.facts.proofAgeSeconds = now - iat;
  // Item 8: methods are case-sensitive (RFC 9110 9.1).
  if (htm !== request.method) return deny('dpop_htm_mismatch', `got ${htm}, want ${request.method}`);
  // Item 9.
  if (!htuFits(htu, request.origins, request.publicPath, auth.strictHtu))
    return deny(
      'dpop_htu_mismatch',
      `got ${withoutQuery(htu)}, want ${request.origins[0]!}${request.publicPath}`,
    );
  // Item 10, and 9: required where we issue them, so that no proof without one passes (11.3).
  const nonceMadeAt =
    nonces === undefined || !isString(claims.nonce) ? undefined : nonces.judge(claims.nonce, now);
  if (nonces !== undefined && nonceMadeAt === undefined)
    return claims.nonce === undefined ? deny('dpop_nonce_missing') : deny('dpop_nonce_refused');
  const byNonce = auth.nonce?.timeFromNonce === true;
  // Item 11 and 11.1: created within a limited window, by its own word or by its nonce's.
  if (!byNonce && iat < now - auth.proofMaxAgeSeconds)
    return deny('dpop_expired', `iat is ${Math.round(now - iat)} s ago`);
  if (!byNonce && iat > now + auth.clockSkewSeconds)
    return deny('dpop_not_yet_valid', `iat is ${Math.round(iat - now)} s ahead`);
  // RFC 7519 4.1.4: honoured where present, never required. Where the nonce says when, a client's clock may be anywhere, but it runs forwards.
  const time = byNonce ? undefined : timeProblem(claims, now, auth.clockSkewSeconds);
  if (time === 'expired') return deny('dpop_expired', 'exp');
  if (!isLifetime(claims)) return deny('dpop_claim_missing', 'exp, nbf or iat');
  if (time !== undefined) return deny('dpop_not_yet_valid', 'nbf');
  // Item 12a.
  if (!isString(claims.ath)) return deny('dpop_claim_missing', 'ath');
  if (claims.ath !== ath) return deny('dpop_ath_mismatch');

  const cost = VERIFICATION_COST[header.alg];
  let limited: Denial | undefined;
  const isLimited = () => (limited = refuseLimited(request, header.jkt, cost)) !== undefined;
  const settle = (holds: Verdict): Proof | Denial => {
    if (limited !== undefined) return limited;
    if (holds === 'unwelcome')
      return deny('address_limited', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    if (holds === 'overloaded')
      return deny('overloaded', undefined, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    request.verificationCost = cost;
    if (!holds) return deny('dpop_signature_bad');
    request.facts.jkt = header.jkt;
    return {
      jti,
      jkt: header.jkt,
      acceptableUntil: byNonce
        ? nonceMadeAt! + auth.nonce!.lifetimeSeconds
        : Math.min(
            iat + auth.proofMaxAgeSeconds,
            isDate(claims.exp) ? claims.exp + auth.clockSkewSeconds : Infinity,
          ),
      madeAt: byNonce ? nonceMadeAt! : iat,
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

/** Items 4, 5 and 7: typ, alg, jwk. kid, jku, x5u, x5c are ignored: the key comes from jwk alone (item 6, RFC 8725 3.10). */
function readHeader(part: string, auth: DpopAuth | MixedAuth): ProofHeader | Denial {
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
