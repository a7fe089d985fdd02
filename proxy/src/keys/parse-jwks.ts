import { importJwk } from '../checks/jwk.js';
import { parseJsonObject } from '../checks/strict-json.js';
import type { Algorithm } from '../config/index.js';
import type { VerificationKey } from './key-source.js';

export type ParsedJwks =
  | { readonly ok: true; readonly keys: readonly VerificationKey[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** RFC 7518 6: members that give a key away. One of them in a set refuses all of it, whatever the key is for. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const OURS: Readonly<Record<string, readonly string[]>> = {
  RSA: [],
  EC: ['P-256', 'P-384'],
  OKP: ['Ed25519'],
};
const ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] satisfies Algorithm[];
const MAX_KEYS = 100;

/**
 * A JWK Set's text to keys. Keys for another use, or of kinds that we do not have, are skipped (RFC 7517 5);
 * anything wrong with a key of ours, and a private member anywhere, refuses the whole set: it was published or
 * mounted by mistake. Never throws.
 */
export function parseJwks(text: string): ParsedJwks {
  const set = parseJsonObject(text);
  if (set === undefined) return { ok: false, problems: ['must be a JSON object without repeated members'] };
  if (!Array.isArray(set.keys))
    return { ok: false, problems: [`keys: must be an array, got ${typeof set.keys}`] };
  if (set.keys.length > MAX_KEYS)
    return { ok: false, problems: [`keys: must have at most ${MAX_KEYS} keys, got ${set.keys.length}`] };
  const keys: VerificationKey[] = [];
  const problems: string[] = [];
  set.keys.forEach((jwk: unknown, i) => {
    const members = (typeof jwk === 'object' ? (jwk ?? {}) : {}) as Record<string, unknown>;
    const secret = PRIVATE.find((name) => Object.hasOwn(members, name));
    if (secret !== undefined)
      return void problems.push(
        `keys[${i}]: must be public, got member ${secret}; the key is burned: replace it`,
      );
    if (isForeign(members)) return;
    const { kid } = members;
    const imported = importJwk(jwk);
    if (!imported.ok) problems.push(`keys[${i}]: ${imported.why}`);
    else if (kid !== undefined && (typeof kid !== 'string' || kid === ''))
      problems.push(`keys[${i}].kid: must be a non-empty string`);
    else if (kid !== undefined && keys.some((k) => k.kid === kid))
      problems.push(`keys[${i}].kid: must be unique, got ${JSON.stringify(kid)} twice`);
    else keys.push({ kid, key: imported.key, algorithms: imported.algorithms });
  });
  if (problems.length === 0 && keys.length === 0)
    problems.push('keys: must hold at least one signature key of kty RSA, EC or OKP');
  return problems.length > 0 ? { ok: false, problems } : { ok: true, keys };
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
