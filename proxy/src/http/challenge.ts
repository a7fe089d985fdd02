import type { Auth } from '../config/index.js';
import { meaningOf, type Reason } from '../pipeline/reason.js';

/**
 * The WWW-Authenticate value of a refusal: RFC 9449 7.1 for the dpop profile, RFC 6750 3 for self-signed tokens.
 * No error when no credentials were sent; never a word of the client's.
 */
export function challenge(auth: Auth, reason: Reason): string | undefined {
  const { status, error, say } = meaningOf(reason);
  if (status !== 401) return undefined;
  const params = error === undefined ? [] : [`error="${error}"`, `error_description="${say}"`];
  if (auth.profile === 'dpop') params.push(`algs="${auth.proofAlgorithms.join(' ')}"`);
  const scheme = auth.profile === 'dpop' ? 'DPoP' : 'Bearer';
  return params.length === 0 ? `${scheme} realm="agentgateway"` : `${scheme} ${params.join(', ')}`;
}
