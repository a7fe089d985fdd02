import { isString } from '../checks/claims.js';
import { importJwk, privateMember } from '../checks/jwk.js';
import { parseJsonObject } from '../checks/strict-json.js';
import type { Algorithm } from '../config/index.js';
import type { VerificationKey } from './key-source.js';

export type ParsedJwks =
  | {
      readonly ok: true;
      readonly keys: readonly VerificationKey[];
      /** Which keys of the set are not used, and why. */
      readonly ignored: readonly string[];
      /** Those of them that nobody could use: whoever made the set made a mistake. */
      readonly invalid: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

const OURS: Readonly<Record<string, readonly string[]>> = {
  RSA: [],
  EC: ['P-256', 'P-384'],
  OKP: ['Ed25519'],
};
const ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] satisfies Algorithm[];
const MAX_KEYS = 100;

/** Longest list of keys that is told. */
const MAX_REPORTED = 5;
/** Longest `kid` that is told whole: an issuer may write a MiB there. */
const MAX_SHOWN_KID = 100;

/**
 * A JWK Set's text to keys. A key that is not for us, or that is no good, is ignored (RFC 7517 5): the others of
 * its set still verify. A private member anywhere refuses the whole set: it was published or mounted by mistake.
 * So does a set without a usable key. Never throws.
 */
export function parseJwks(text: string): ParsedJwks {
  const set = parseJsonObject(text);
  if (set === undefined) return { ok: false, problems: ['must be a JSON object without repeated members'] };
  if (!Array.isArray(set.keys))
    return { ok: false, problems: [`keys: must be an array, got ${typeof set.keys}`] };
  if (set.keys.length > MAX_KEYS)
    return { ok: false, problems: [`keys: must have at most ${MAX_KEYS} keys, got ${set.keys.length}`] };
  const burned = set.keys.flatMap((jwk: unknown, i) => privateProblem(jwk, i));
  if (burned.length > 0) return { ok: false, problems: burned };
  const keys: VerificationKey[] = [];
  const ignored: string[] = [];
  const invalid: string[] = [];
  set.keys.forEach((jwk: unknown, i) => {
    const key = readKey(jwk);
    if (typeof key !== 'string') return void keys.push(key);
    ignored.push(`keys[${i}]${key}`);
    if (!isForeign(membersOf(jwk))) invalid.push(`keys[${i}]${key}`);
  });
  if (keys.length > 0) return { ok: true, keys, ignored, invalid };
  const none = 'keys: must hold at least one signature key of kty RSA, EC or OKP';
  return { ok: false, problems: [...ignored.slice(0, MAX_REPORTED), none] };
}

/** What is told of a set's ignored keys. */
export function reportIgnored(where: string, ignored: readonly string[], tell: (text: string) => void): void {
  if (ignored.length === 0) return;
  const more = ignored.length > MAX_REPORTED ? `; and ${ignored.length - MAX_REPORTED} more` : '';
  tell(`${where}: ignored ${ignored.slice(0, MAX_REPORTED).join('; ')}${more}; the other keys are in use`);
}

/** For people: its beginning, where it is long. */
export const shownKid = (kid: string): string =>
  kid.length > MAX_SHOWN_KID ? `${kid.slice(0, MAX_SHOWN_KID)}…` : kid;

/** What keys there are, for a log. */
export function describeKeys(keys: readonly VerificationKey[]): string {
  const kids = keys.slice(0, MAX_REPORTED).map(({ kid }) => (kid === undefined ? '(no kid)' : shownKid(kid)));
  return `kid ${kids.join(', ')}${keys.length > MAX_REPORTED ? ` and ${keys.length - MAX_REPORTED} more` : ''}`;
}

const membersOf = (jwk: unknown): Record<string, unknown> =>
  (typeof jwk === 'object' ? (jwk ?? {}) : {}) as Record<string, unknown>;

/** A private member refuses the whole set, whatever its key is for. */
function privateProblem(jwk: unknown, i: number): string[] {
  const secret = privateMember(membersOf(jwk));
  if (secret === undefined) return [];
  return [`keys[${i}]: must be public, got member ${secret}; the key is burned: replace it`];
}

/** Or why it is not used. */
function readKey(jwk: unknown): VerificationKey | string {
  const imported = importJwk(jwk);
  if (!imported.ok) return `: ${imported.why}`;
  const { kid } = membersOf(jwk);
  if (kid !== undefined && !isString(kid)) return '.kid: must be a non-empty string';
  return { kid, key: imported.key, algorithms: imported.algorithms };
}

/** What another consumer of the set may well use, and we never could: not a fault. */
function isForeign({ kty, crv, alg, use, key_ops: operations }: Record<string, unknown>): boolean {
  if (typeof kty === 'string' && !Object.hasOwn(OURS, kty)) return true;
  if (typeof crv === 'string' && typeof kty === 'string' && kty !== 'RSA' && !OURS[kty]!.includes(crv))
    return true;
  if (typeof alg === 'string' && !ALGORITHMS.some((a) => a === alg)) return true;
  return (
    (typeof use === 'string' && use !== 'sig') ||
    (Array.isArray(operations) && !operations.includes('verify'))
  );
}

/** Keys for a kid, a text to look up (RFC 9068 4, RFC 8725 3.10); without one any of the set may have signed. */
export function keysFor(
  keys: readonly VerificationKey[],
  kid: string | undefined,
): readonly VerificationKey[] {
  return kid === undefined ? keys : keys.filter((k) => k.kid === kid);
}
