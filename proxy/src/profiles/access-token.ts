import { isDate, isString, audienceFits, timeProblem } from '../checks/claims.js';
import { decodeJsonPart, splitJws, type JwsParts } from '../checks/compact-jws.js';
import { Lru } from '../checks/lru.js';
import type { JsonObject } from '../checks/strict-json.js';
import type { DpopAuth, MixedAuth, MtlsAuth } from '../config/index.js';
import type { Introspection, Introspector, VerificationKey } from '../keys/key-source.js';
import type { Routed, TokenValidity } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { validityUnder, verifyUnder, type TrustedIssuer } from './issuers.js';
import {
  claimsProblem,
  foreignKind,
  isClient,
  kindProblem,
  presetsThatTake,
  readIntrospection,
  readToken,
  type JwtUse,
  type ReadToken,
} from './token-shapes.js';

/** An access token that is good for this request, and for how long a stream may live by it. */
export interface CheckedToken extends ReadToken {
  readonly claims: JsonObject;
  readonly validity: TokenValidity;
}

/** An access token whose signature verified under the keys of `issuer` as they were at `generation`. */
interface VerifiedToken extends CheckedToken {
  readonly from: TrustedIssuer;
  readonly generation: number;
  /** Of the header. */
  readonly typ: unknown;
  /** What it lacks, whatever it is used for. */
  readonly lacks: string | undefined;
}

/**
 * Verified access tokens by their SHA-256: a client sends one token many times; it is verified again when the
 * issuer's keys change.
 */
export type AccessTokenCache = Lru<string, VerifiedToken>;
export const createAccessTokenCache = (): AccessTokenCache => new Lru(10_000);

/** RFC 9449 5, RFC 6750 6.1.1: `token_type` without regard to case. */
export type TokenType = 'dpop' | 'bearer';

export interface AccessTokenContext {
  readonly auth: DpopAuth | MixedAuth | MtlsAuth;
  readonly issuers: readonly TrustedIssuer[];
  readonly cache: AccessTokenCache;
  /** As what a token is used: with a proof, or as it is. */
  readonly tokenType: TokenType;
  /** What `aud` may name: the route under the origins of this request, and the configured aliases. */
  readonly audiencesOf: (request: Routed) => readonly string[];
}

const RETRY_AFTER_SECONDS = 1;
/** Open streams ask again for all of their networks together: they were proven, and have a share of their own. */
const OPEN_STREAMS = 'open streams';

/** RFC 7800 3.1: what the token is bound to; an odd `cnf` counts as one that names nothing we know. */
export const confirmation = ({ cnf }: JsonObject): JsonObject =>
  typeof cnf === 'object' && cnf !== null && !Array.isArray(cnf) ? (cnf as JsonObject) : {};

/**
 * An access token by RFC 9068 4 and RFC 8725: type, algorithm, issuer, signature, time, audience, scopes; one
 * that is not a JWT by RFC 7662, where an issuer of the route answers for those. What it says of a key is for
 * the caller.
 * @param hash base64url SHA-256 of the token, the `ath` of a proof
 */
export function checkAccessToken(
  token: string,
  hash: string,
  now: number,
  request: Routed,
  context: AccessTokenContext,
): CheckedToken | Denial | Promise<CheckedToken | Denial> {
  const known = context.cache.get(hash);
  if (known !== undefined && isStillVerified(known, context))
    return checkActive(
      checkVerified(known, now, request, context),
      known.from,
      token,
      hash,
      request,
      context,
    );
  const jws = splitJws(token);
  const header = jws === undefined ? undefined : decodeJsonPart(jws.header);
  if (jws === undefined || header === undefined) {
    const from = context.issuers.find((i) => i.introspector !== undefined);
    return from === undefined
      ? deny('token_malformed', 'not a JWT')
      : askIssuer(from, token, hash, now, request, context);
  }
  return checkJwt(token, jws, header, hash, now, request, context);
}

/** A token is good for the issuers of this route, whichever route verified it first. */
const isStillVerified = ({ from, generation }: VerifiedToken, { issuers }: AccessTokenContext): boolean =>
  generation === from.keys.generation() && from.keys.ready() && issuers.includes(from);

function checkJwt(
  token: string,
  jws: JwsParts,
  header: JsonObject,
  hash: string,
  now: number,
  request: Routed,
  context: AccessTokenContext,
): CheckedToken | Denial | Promise<CheckedToken | Denial> {
  const claims = decodeJsonPart(jws.payload);
  if (claims === undefined || header.crit !== undefined || header.b64 !== undefined)
    return deny('token_malformed');
  const from = context.issuers.find((i) => i.issuer.issuer === claims.iss); // RFC 9068 4: exact match
  const use = { typ: header.typ, claims };
  const odd = kindProblem(use, from?.issuer ?? UNKNOWN);
  if (odd !== undefined) return deny('token_type_refused', withPresets(odd, use, from));
  if (header.kid !== undefined && !isString(header.kid)) return deny('token_malformed', 'kid');
  if (from === undefined) return deny('token_issuer_unknown');
  const alg = from.issuer.algorithms.find((a) => a === header.alg);
  if (alg === undefined) return deny('token_algorithm_refused');
  const check = (key: Denial | VerificationKey) => {
    if (key instanceof Denial) return key;
    const verified = verifiedToken(use, from, key);
    context.cache.set(hash, verified);
    const checked = checkVerified(verified, now, request, context);
    return checkActive(checked, from, token, hash, request, context);
  };
  const key = verifyUnder(from, jws, alg, header.kid, request.network);
  return key instanceof Promise ? key.then(check) : check(key);
}

const UNKNOWN = { preset: 'generic', legacyTyp: false } as const;

function verifiedToken(use: JwtUse, from: TrustedIssuer, key: VerificationKey): VerifiedToken {
  const { typ, claims } = use;
  const { preset } = from.issuer;
  return {
    ...readToken(use, preset),
    claims,
    from,
    typ,
    lacks: claimsProblem(claims, preset),
    generation: from.keys.generation(),
    validity: validityUnder(from, key, isDate(claims.exp) ? claims.exp : Infinity),
  };
}

/** For operators: the presets of the issuer under which the token would not have been refused for this problem. */
function withPresets(
  problem: string,
  use: JwtUse,
  from: TrustedIssuer | undefined,
  scopes: readonly string[] = [],
): string {
  if (from === undefined) return problem;
  const others = presetsThatTake(use, scopes);
  return others.length === 0
    ? problem
    : `${problem}; preset ${others.join(' or ')} of issuer ${from.issuer.name} would take it`;
}

/** What can change from request to request on a token that verified: time, audience, and the scopes of the route. */
function checkVerified(
  verified: VerifiedToken,
  now: number,
  request: Routed,
  context: AccessTokenContext,
): CheckedToken | Denial {
  const { from, lacks } = verified;
  request.facts.issuer = from.issuer.issuer;
  if (lacks !== undefined) return deny('token_claim_missing', withPresets(lacks, verified, from));
  const used = checkUse(verified, now, request, context);
  if (!(used instanceof Denial) || used.reason !== 'scope_insufficient') return used;
  const scopes = context.auth.requiredScopes;
  return deny('scope_insufficient', withPresets(used.detail!, verified, from, scopes), { scopes });
}

function checkUse(
  checked: CheckedToken,
  now: number,
  request: Routed,
  { auth, audiencesOf }: AccessTokenContext,
): CheckedToken | Denial {
  const { claims, scopes } = checked;
  const { facts } = request;
  if (isString(claims.sub)) facts.subject = claims.sub;
  if (isString(claims.jti)) facts.tokenId = claims.jti;
  const untimely = timeDenial(claims, now, auth.clockSkewSeconds);
  if (untimely !== undefined) return untimely;
  const audience = audienceOf(checked, audiencesOf(request));
  if (audience instanceof Denial) return audience;
  facts.audience = audience;
  if (isDate(claims.iat)) facts.tokenAgeSeconds = now - claims.iat;
  const missing = lacking(scopes, auth.requiredScopes);
  return missing.length === 0
    ? checked
    : deny('scope_insufficient', `lacks ${missing.join(' ')}`, { scopes: auth.requiredScopes });
}

function timeDenial(claims: JsonObject, now: number, leeway: number): Denial | undefined {
  const time = timeProblem(claims, now, leeway);
  if (time === 'expired') return deny('token_expired');
  if (time === 'malformed') return deny('token_claim_missing', 'exp, nbf or iat');
  if (time !== undefined) return deny('token_not_yet_valid');
  return isDate(claims.iat) && claims.iat > now + leeway ? deny('token_not_yet_valid', 'iat') : undefined;
}

/** OpenID Connect Core 2: an ID token is for its client; so a token that can be one must be for somebody else. */
function audienceOf({ claims, isDeclared }: CheckedToken, accepted: readonly string[]): string | Denial {
  const fits = (audience: string) => audienceFits(claims.aud, [audience]);
  const found = accepted.find((a) => fits(a) && (isDeclared || !isClient(a, claims)));
  if (found !== undefined) return found;
  const isOwn = !isDeclared && accepted.some(fits);
  const gotAndWant = `got ${JSON.stringify(claims.aud)}, want ${accepted.join(' or ')}`;
  return deny('token_audience_refused', isOwn ? 'it is for its own client, as ID tokens are' : gotAndWant);
}

const lacking = (scopes: readonly string[], required: readonly string[]): readonly string[] =>
  required.length === 0 ? required : required.filter((s) => !scopes.includes(s));

/** RFC 7662 4: of an issuer that revokes, a JWT that verified is good while the issuer says that it is active. */
function checkActive(
  checked: CheckedToken | Denial,
  from: TrustedIssuer,
  token: string,
  hash: string,
  request: Routed,
  context: AccessTokenContext,
): CheckedToken | Denial | Promise<CheckedToken | Denial> {
  if (checked instanceof Denial || !from.issuer.introspection?.always) return checked;
  const { validity } = checked;
  return askActive(from, token, hash, request, context, () => {
    const asked = activeAt(from.introspector!, token, hash, validity.expiresAt);
    const isActive = () => validity.isActive() && asked.isActive();
    return { ...checked, validity: { ...validity, isActive } };
  });
}

/** RFC 7662 2.2: the issuer's word for a token that we cannot read. */
function askIssuer(
  from: TrustedIssuer,
  token: string,
  hash: string,
  now: number,
  request: Routed,
  context: AccessTokenContext,
): CheckedToken | Denial | Promise<CheckedToken | Denial> {
  return askActive(from, token, hash, request, context, (claims) => {
    request.facts.issuer = from.issuer.issuer;
    const until = isDate(claims.exp) ? claims.exp : Infinity;
    const validity = activeAt(from.introspector!, token, hash, until);
    return checkUse({ ...readIntrospection(claims), claims, validity }, now, request, context);
  });
}

/** Asks an issuer about a token. @param use of its answer, where that says that the token is active */
function askActive(
  from: TrustedIssuer,
  token: string,
  hash: string,
  { network }: Routed,
  { tokenType }: AccessTokenContext,
  use: (claims: JsonObject) => CheckedToken | Denial,
): CheckedToken | Denial | Promise<CheckedToken | Denial> {
  const check = (said: Introspection) => {
    const active = activeToken(said, from, tokenType);
    return active instanceof Denial ? active : use(active);
  };
  const said = from.introspector!.introspect(token, hash, network);
  return said instanceof Promise ? said.then(check) : check(said);
}

/** What an issuer said of an active token of its own, which is used as its type says. */
function activeToken(said: Introspection, from: TrustedIssuer, used: TokenType): JsonObject | Denial {
  if (said === 'unavailable')
    return deny('introspection_unavailable', `issuer ${from.issuer.name}`, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  if (said === 'busy')
    return deny('introspection_unavailable', 'too many requests of this network wait for an answer', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      addressIsToBlame: true,
    });
  if (said === 'inactive') return deny('token_inactive');
  if (said.iss !== undefined && said.iss !== from.issuer.issuer)
    return deny('token_issuer_unknown', 'the introspection names another issuer');
  return introspectedProblem(said, used) ?? said;
}

/**
 * RFC 7662 answers for refresh tokens too (2.1), and RFC 9449 6.2 and 7.2 tie how a token may be used to its
 * type: a server that says what a token is, is believed. One that says nothing of it is not refused for that:
 * `token_type` is optional (2.2).
 */
function introspectedProblem(said: JsonObject, used: TokenType): Denial | undefined {
  const foreign = foreignKind(said);
  if (foreign !== undefined)
    return deny('token_type_refused', `${foreign} of the introspection says that it is no access token`);
  const type = said.token_type;
  if (type === undefined || (typeof type === 'string' && type.toLowerCase() === used)) return undefined;
  return typeof type === 'string' && type.toLowerCase() === 'dpop'
    ? deny('token_bound', 'token_type of the introspection is DPoP')
    : deny('token_type_refused', `token_type of the introspection is not ${used}`);
}

/**
 * RFC 7662 4: asked again as often as answers are kept; one that is under way counts at the next look, one that
 * did not come does not.
 */
function activeAt(introspector: Introspector, token: string, hash: string, until: number): TokenValidity {
  let active = true;
  const hear = (said: Introspection) => {
    if (said === 'inactive') active = false;
  };
  return {
    expiresAt: until,
    isActive() {
      const said = introspector.introspect(token, hash, OPEN_STREAMS);
      if (said instanceof Promise) void said.then(hear);
      else hear(said);
      return active;
    },
  };
}
