import type { Auth } from '../config/index.js';
import { meaningOf, type Denial } from '../pipeline/reason.js';

export interface ChallengeContext {
  readonly auth: Auth;
  /** RFC 9728 5.1: where the metadata of the resource is, for profiles that have it. */
  readonly resourceMetadata: string | undefined;
  /** Scheme that the client used, lower case; `undefined`: none. */
  readonly scheme: string | undefined;
}

type Scheme = 'DPoP' | 'Bearer';
/** Schemes that a profile takes, the better one first. */
const SCHEMES: Readonly<Record<Auth['profile'], readonly Scheme[]>> = {
  dpop: ['DPoP'],
  mixed: ['DPoP', 'Bearer'],
  mtls: ['Bearer'],
  selfSigned: ['Bearer'],
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
