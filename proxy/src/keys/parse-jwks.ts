import { importJwk } from '../checks/jwk.js';
import { parseJsonObject } from '../checks/strict-json.js';
import type { VerificationKey } from './key-source.js';

export type ParsedJwks = { readonly ok: true; readonly keys: readonly VerificationKey[] } | { readonly ok: false; readonly problems: readonly string[] };

/** RFC 7517 5: members of kinds and uses that we do not have are skipped, anything wrong with a key of ours refuses the whole set. */
const OURS = ['RSA', 'EC', 'OKP'];
const MAX_KEYS = 100;

/** A JWK Set's text to keys. Refuses private members: a set with one was published or mounted by mistake, and the key is burned. */
export function parseJwks(text: string): ParsedJwks {
  const set = parseJsonObject(text);
  if (set === undefined) return { ok: false, problems: ['must be a JSON object without repeated members'] };
  if (!Array.isArray(set.keys)) return { ok: false, problems: [`keys: must be an array, got ${typeof set.keys}`] };
  if (set.keys.length > MAX_KEYS) return { ok: false, problems: [`keys: must have at most ${MAX_KEYS} keys, got ${set.keys.length}`] };
  const keys: VerificationKey[] = [];
  const problems: string[] = [];
  set.keys.forEach((jwk: unknown, i) => {
    const { kty, use, kid } = (jwk ?? {}) as Record<string, unknown>;
    if (typeof kty === 'string' && !OURS.includes(kty)) return;
    if (use === 'enc') return;
    const imported = importJwk(jwk);
    if (!imported.ok) problems.push(`keys[${i}]: ${imported.why}`);
    else if (kid !== undefined && (typeof kid !== 'string' || kid === '')) problems.push(`keys[${i}].kid: must be a non-empty string`);
    else if (kid !== undefined && keys.some((k) => k.kid === kid)) problems.push(`keys[${i}].kid: must be unique, got ${JSON.stringify(kid)} twice`);
    else keys.push({ kid, key: imported.key, algorithms: imported.algorithms });
  });
  if (problems.length === 0 && keys.length === 0) problems.push('keys: must hold at least one signature key of kty RSA, EC or OKP');
  return problems.length > 0 ? { ok: false, problems } : { ok: true, keys };
}

/** Keys for a kid; a token without one may be signed by any of the set. */
export function keysFor(keys: readonly VerificationKey[], kid: string | undefined): readonly VerificationKey[] {
  return kid === undefined ? keys : keys.filter((k) => k.kid === kid);
}
