import { deny, type Denial } from '../pipeline/reason.js';
import type { HeaderFields } from '../pipeline/evidence.js';

export interface Credentials {
  /** Lower case: scheme names are case-insensitive (RFC 9110 11.1). */
  readonly scheme: string;
  readonly token: string;
}

/** Schemes that carry an access token: RFC 9449 7.1, RFC 6750 2.1. */
const TOKEN_SCHEMES = ['dpop', 'bearer'];
/** Schemes of the IANA registry that records name. Anything else may be a secret without its scheme. */
const NAMED_SCHEMES = [...TOKEN_SCHEMES, 'basic', 'digest', 'mutual', 'negotiate', 'gnap', 'hoba'];
const nameOf = (scheme: string) =>
  NAMED_SCHEMES.includes(scheme.toLowerCase()) ? scheme.toLowerCase() : 'another scheme';

/** token68 of RFC 9110 11.2. */
const CREDENTIALS = /^([A-Za-z][A-Za-z0-9-]*) +([A-Za-z0-9._~+/-]+=*)$/;
/** A scheme, and what comes after it. */
const SCHEME = /^([!#$%&'*+.^_`|~A-Za-z0-9-]+)(?: +(.*))?$/;

/** RFC 9449 7.1, RFC 6750 2.1: the one Authorization field; `undefined` when there is none. */
export function readCredentials(headers: HeaderFields): Credentials | Denial | undefined {
  const value = headers.get('authorization');
  if (value === undefined) return undefined;
  if (headers.repeated('authorization'))
    return deny('credentials_ambiguous', 'more than one Authorization header');
  const match = CREDENTIALS.exec(value);
  if (match !== null) return { scheme: match[1]!.toLowerCase(), token: match[2]! };
  const [, scheme, rest = ''] = SCHEME.exec(value) ?? [];
  const unreadable = scheme === undefined && value !== '';
  const hasToken = scheme !== undefined && TOKEN_SCHEMES.includes(scheme.toLowerCase()) && rest !== '';
  return unreadable || hasToken
    ? deny('token_malformed', 'Authorization is not "scheme token68"')
    : deny('token_missing', `got ${scheme === undefined ? 'nothing' : nameOf(scheme)}, and no token`);
}

/**
 * A token under another scheme than the one of the route, or credentials that are no token at all (RFC 6750
 * 3.1: then no error is named).
 */
export const schemeRefused = ({ scheme }: Credentials, want: string): Denial =>
  deny(
    TOKEN_SCHEMES.includes(scheme) ? 'scheme_refused' : 'token_missing',
    `got ${nameOf(scheme)}, want ${want}`,
  );
