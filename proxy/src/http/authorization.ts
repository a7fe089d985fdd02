import { deny, type Denial } from '../pipeline/reason.js';
import type { HeaderFields } from '../pipeline/evidence.js';

export interface Credentials {
  /** Lower case: scheme names are case-insensitive (RFC 9110 11.1). */
  readonly scheme: string;
  readonly token: string;
}

/** token68 of RFC 9110 11.2. */
const CREDENTIALS = /^([A-Za-z][A-Za-z0-9-]*) +([A-Za-z0-9._~+/-]+=*)$/;

/** RFC 9449 7.1, RFC 6750 2.1: the one Authorization field; `undefined` when there is none. */
export function readCredentials(headers: HeaderFields): Credentials | Denial | undefined {
  const value = headers.get('authorization');
  if (value === undefined) return undefined;
  if (headers.repeated('authorization'))
    return deny('credentials_ambiguous', 'more than one Authorization header');
  const match = CREDENTIALS.exec(value);
  if (match === null) return deny('token_malformed', 'Authorization is not "scheme token68"');
  return { scheme: match[1]!.toLowerCase(), token: match[2]! };
}
