import type { JsonObject } from './strict-json.js';

export const isString = (value: unknown): value is string => typeof value === 'string' && value !== '';
/** RFC 7519 2 NumericDate; a bound keeps 1e308 out of the arithmetic. */
export const isDate = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < 1e11;

/** RFC 9449 11.1: the server may bound jti; longer ones are refused rather than cut. */
export const isTokenId = (value: unknown): value is string => isString(value) && value.length <= 256;

/** RFC 7519 4.1.3: aud is a string or an array of strings; one of them must be ours. */
export function audienceFits(aud: unknown, accepted: readonly string[]): boolean {
  if (typeof aud === 'string') return accepted.includes(aud);
  return (
    Array.isArray(aud) &&
    aud.every((a) => typeof a === 'string') &&
    aud.some((a) => accepted.includes(a as string))
  );
}

/** Whether the times of a claims set, as far as it has them, are NumericDates and none ends before it begins: such a set was never good. */
export function isLifetime({ iat, nbf, exp }: JsonObject): boolean {
  if ([iat, nbf, exp].some((date) => date !== undefined && !isDate(date))) return false;
  return exp === undefined || [iat, nbf].every((begin) => begin === undefined || begin! <= exp!);
}

/** RFC 7519 4.1.4, 4.1.5 with leeway: `undefined` if the claims are fine or absent. */
export function timeProblem(
  claims: JsonObject,
  now: number,
  leeway: number,
): 'expired' | 'early' | 'malformed' | undefined {
  if (!isLifetime(claims)) return 'malformed';
  const { exp, nbf } = claims as { readonly exp?: number; readonly nbf?: number };
  if (exp !== undefined && exp <= now - leeway) return 'expired';
  return nbf !== undefined && nbf > now + leeway ? 'early' : undefined;
}
