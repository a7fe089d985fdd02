import type { Auth } from '../config/index.js';
import { meaningOf, type Denial } from '../pipeline/reason.js';

export interface ChallengeContext {
  readonly auth: Auth;
  /** RFC 9728 5.1: where the metadata of the resource is, for profiles that have it. */
  readonly resourceMetadata: string | undefined;
  /** Scheme that the client used, lower case; `undefined`: none. */
  readonly scheme: string | undefined;
}

/** Of `ChallengeContext`. @param authorization the field, as the client sent it */
export const schemeOf = (authorization: string | undefined): string | undefined =>
  authorization?.split(' ', 1)[0]!.toLowerCase();

type Scheme = 'DPoP' | 'Bearer';
/** Schemes that a profile takes, the better one first. */
const SCHEMES: Readonly<Record<Auth['profile'], readonly Scheme[]>> = {
  dpop: ['DPoP'],
  mixed: ['DPoP', 'Bearer'],
  mtls: ['Bearer'],
  selfSigned: ['Bearer'],
};

/** Errors of RFC 6750 3.1 and RFC 9470 3 that speak of the client's token. */
const OF_TOKEN = /^(?:invalid_request|invalid_token|insufficient_scope|insufficient_user_authentication)$/;
/** RFC 6749 3.3: scope-tokens with spaces between. */
const SCOPES = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/**
 * The challenge of a backend that got the client's token, as the client can use it: its error and its scopes, in the
 * scheme that the client used, with the metadata of this route. What else the backend says stays here: its own
 * metadata would send the client to a name that only the pod knows.
 */
export function relayedChallenge(said: string, { auth, resourceMetadata, scheme }: ChallengeContext): string {
  const offered = SCHEMES[auth.profile];
  const name = offered.find((each) => each.toLowerCase() === scheme) ?? offered[0]!;
  const params: string[] = [];
  const error = challengeParam(said, 'error');
  const scopes = challengeParam(said, 'scope');
  if (error !== undefined && OF_TOKEN.test(error)) params.push(`error="${error}"`);
  if (scopes !== undefined && SCOPES.test(scopes)) params.push(`scope="${scopes}"`);
  if (name === 'DPoP' && 'proofAlgorithms' in auth) params.push(`algs="${auth.proofAlgorithms.join(' ')}"`);
  if (resourceMetadata !== undefined) params.push(`resource_metadata="${resourceMetadata}"`);
  return `${name} ${params.length === 0 ? 'realm="agentgateway"' : params.join(', ')}`;
}

/** RFC 9110 11.2: a parameter as a token or a quoted string; the first one of that name. */
export const challengeParam = (challenge: string, name: string): string | undefined => {
  const found = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*(?:"([^"\\\\]*)"|([^\\s",]+))`, 'i').exec(challenge);
  return found?.[1] ?? found?.[2];
};

/** The scheme whose challenge carries the error. */
function blamedScheme(error: string | undefined, used: string | undefined): string | undefined {
  if (error === 'invalid_dpop_proof' || error === 'use_dpop_nonce') return 'DPoP';
  return error === 'invalid_request' ? undefined : used;
}

/**
 * The WWW-Authenticate values of a refusal: RFC 9449 7.1 and 7.2, RFC 6750 3, RFC 9728 5.1. Where several
 * schemes are offered the error stands in the one that the client used, or in all if that is not clear. No
 * error when no credentials were sent; never a word of the client's.
 */
export function challenges(
  { reason, scopes, error }: Denial,
  { auth, resourceMetadata, scheme }: ChallengeContext,
): string[] {
  const { status, say } = meaningOf(reason);
  if (error === undefined && status !== 401) return [];
  const offered = SCHEMES[auth.profile];
  const used = offered.find((name) => name.toLowerCase() === scheme);
  const blamed = blamedScheme(error, used);
  const wanted = scopes ?? (auth.profile === 'selfSigned' ? [] : auth.requiredScopes);
  return offered.map((name) => {
    const params: string[] = [];
    if (error !== undefined && (blamed === undefined || blamed === name))
      params.push(`error="${error}"`, `error_description="${say}"`);
    if (wanted.length > 0) params.push(`scope="${wanted.join(' ')}"`);
    if (name === 'DPoP' && 'proofAlgorithms' in auth) params.push(`algs="${auth.proofAlgorithms.join(' ')}"`);
    if (resourceMetadata !== undefined) params.push(`resource_metadata="${resourceMetadata}"`);
    return `${name} ${params.length === 0 ? 'realm="agentgateway"' : params.join(', ')}`;
  });
}
