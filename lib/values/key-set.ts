import { canonicalJson } from '../support/json';
import { parseJwks } from '../support/parser';
import { refuse } from '../support/text';

/** RFC 7518 6.2.2 and 6.3.2, RFC 8037 2: what only a private key has; `k` is a shared secret. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const PUBLIC_TYPES = ['RSA', 'EC', 'OKP'];

/**
 * The text of a JWKS, checked: public keys only, each with an id of its own, and such as the proxy takes.
 * `where` is the file or prop it came from.
 */
export function canonicalJwks(where: string, text: string): string {
  const set = parse(where, text);
  const keys = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0) {
    return refuse({
      where,
      want: 'must be a JWKS: an object with a non-empty "keys" array',
      got: describe(set),
      next: 'wrap a single JWK as {"keys": [...]}',
    });
  }
  const ids = new Set<string>();
  keys.forEach((key: unknown, at) => {
    const jwk = `${where}: keys[${at}]`;
    if (typeof key !== 'object' || key === null) {
      return refuse({ where: jwk, want: 'must be a JWK object', got: key });
    }
    const { kty, kid } = key as { kty?: unknown; kid?: unknown };
    const secret = PRIVATE_MEMBERS.filter((member) => member in key);
    // Never the value: this text ends up in CI logs.
    if (secret.length > 0) {
      return refuse({
        where: jwk,
        want: 'must be a public key',
        got: `member "${secret[0]}"`,
        next: 'publish the public half only and replace this key: it has left its safe',
      });
    }
    if (!PUBLIC_TYPES.includes(kty as string)) {
      return refuse({
        where: `${jwk}.kty`,
        want: `must be one of ${PUBLIC_TYPES.join(', ')}`,
        got: kty ?? null,
      });
    }
    if (typeof kid !== 'string' || kid === '') {
      return refuse({
        where: `${jwk}.kid`,
        want: 'must be a non-empty string: rotation picks keys by it',
        got: kid ?? null,
      });
    }
    if (ids.has(kid)) return refuse({ where: `${jwk}.kid`, want: 'must be unique in the set', got: kid });
    return ids.add(kid);
  });
  const parsed = parseJwks(text);
  // The proxy ignores a key that is no good; here somebody is there to mend it, and agentgateway reads the set too.
  const problems = parsed.ok ? parsed.invalid : parsed.problems;
  if (problems.length > 0) refuse({ where, want: problems.join('; ') });
  return canonicalJson(set);
}

function parse(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return refuse({
      where,
      want: 'must be JSON',
      next: (cause as Error).message.replace(/"[^"]*"\.\.\.|, ".*" is not valid JSON/g, ''),
    });
  }
}

/** The shape of a value, never its content. */
function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return typeof value;
  return Array.isArray(value)
    ? 'an array'
    : `an object with ${Object.keys(value).join(', ') || 'no members'}`;
}
