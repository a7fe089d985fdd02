import type { JsonObject } from './strict-json.js';

export const isString = (value: unknown): value is string => typeof value === 'string' && value !== '';
/** RFC 7519 2 NumericDate, as iat of a proof is (RFC 9449 4.3 item 3); a bound keeps 1e308 out of the arithmetic. */
export const isDate = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < 1e11;

/** RFC 9449 11.1: the server may bound jti; longer ones are refused rather than cut. */
export const isTokenId = (value: unknown): value is string => isString(value) && value.length <= 256;

/** RFC 7519 4.1.3: aud is a string or an array of strings; one of them must be ours (RFC 9068 4). */
export function audienceFits(aud: unknown, accepted: readonly string[]): boolean {
  if (typeof aud === 'string') return accepted.includes(aud);
  return (
    Array.isArray(aud) && aud.every((a) => typeof a === 'string') && aud.some((a) => accepted.includes(a))
  );
}

/** Whether the times of a claims set, as far as it has them, are NumericDates. */
const areDates = ({ iat, nbf, exp }: JsonObject): boolean =>
  [iat, nbf, exp].every((date) => date === undefined || isDate(date));

/** Whether no lifetime ends before it begins: such a set was never good. */
export function isLifetime(claims: JsonObject): boolean {
  if (!areDates(claims)) return false;
  const { iat, nbf, exp } = claims as { readonly iat?: number; readonly nbf?: number; readonly exp?: number };
  return exp === undefined || ((iat === undefined || iat <= exp) && (nbf === undefined || nbf <= exp));
}

/**
 * RFC 7519 4.1.4, 4.1.5 with leeway: `undefined` if the claims are fine or absent. What has expired is said to
 * have, whatever else is odd about it.
 */
export function timeProblem(
  claims: JsonObject,
  now: number,
  leeway: number,
): 'expired' | 'early' | 'malformed' | undefined {
  if (!areDates(claims)) return 'malformed';
  const { exp, nbf } = claims as { readonly exp?: number; readonly nbf?: number };
  if (exp !== undefined && exp <= now - leeway) return 'expired';
  if (!isLifetime(claims)) return 'malformed';
  return nbf !== undefined && nbf > now + leeway ? 'early' : undefined;
}
