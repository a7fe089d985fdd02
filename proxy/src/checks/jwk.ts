import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import type { Algorithm } from '../config/index.js';
import { decodeBase64url } from './base64url.js';

export type ImportedKey =
  | {
      readonly ok: true;
      readonly key: KeyObject;
      readonly algorithms: readonly Algorithm[];
      /** RFC 7638, SHA-256, base64url. */ readonly thumbprint: string;
    }
  | { readonly ok: false; readonly why: string };

/**
 * RFC 7518 6.2.2, 6.3.2, 6.4.1: members that only a private or symmetric key has; refused even when empty
 * (CVE-2026-54431).
 */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** The member of a JWK that gives its key away, if it has one. */
export const privateMember = (jwk: object): string | undefined => PRIVATE.find((name) => name in jwk);

const CURVES: Readonly<Record<string, { readonly bytes: number; readonly algorithm: Algorithm }>> = {
  'P-256': { bytes: 32, algorithm: 'ES256' },
  'P-384': { bytes: 48, algorithm: 'ES384' },
};

interface PublicKey {
  /** What RFC 7638 3.2 requires of its type, in lexicographic order. */
  readonly members: Record<string, string>;
  /** What it may sign with. */
  readonly algorithms: readonly Algorithm[];
}
/** Or what is wrong with it. */
type ReadKey = PublicKey | string;

/**
 * Checks a public JWK before any library sees it (of a proof: RFC 9449 4.3 item 7), then imports it. Never throws.
 *
 * - RSA: modulus of 2048 (RFC 7518 3.3) to 4096 bits, exponent odd and at least 65537
 * - EC: P-256 or P-384, point on the curve
 * - OKP: Ed25519
 */
export function importJwk(jwk: unknown): ImportedKey {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return refuse('jwk must be an object');
  const key = jwk as Record<string, unknown>;
  const problem = usageProblem(key);
  if (problem !== undefined) return refuse(problem);
  const read = readPublicKey(key);
  if (typeof read === 'string') return refuse(read);
  const algorithms = key.alg === undefined ? read.algorithms : read.algorithms.filter((a) => a === key.alg);
  if (algorithms.length === 0) return refuse('alg does not fit the key');
  try {
    return {
      ok: true,
      key: createPublicKey({ key: read.members, format: 'jwk' }),
      algorithms,
      // RFC 7638 3, 3.1: the required members in lexicographic order, without white space; `members` is built that way.
      thumbprint: createHash('sha256').update(JSON.stringify(read.members)).digest('base64url'),
    };
  } catch {
    return refuse('the point is not on the curve, or the key is otherwise unusable');
  }
}

const refuse = (why: string): ImportedKey => ({ ok: false, why });

/** Why a key, whatever its type, isn't one to verify with. */
function usageProblem(key: Record<string, unknown>): string | undefined {
  const secret = privateMember(key);
  if (secret !== undefined) return `jwk must be public, got member ${secret}`;
  if (key.use !== undefined && key.use !== 'sig') return 'use must be sig';
  const { key_ops: operations } = key;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'key_ops must include verify';
  return undefined;
}

function readPublicKey(key: Record<string, unknown>): ReadKey {
  switch (key.kty) {
    case 'RSA':
      return readRsa(key);
    case 'EC':
      return readEc(key);
    case 'OKP':
      return readOkp(key);
    default:
      return 'kty must be RSA, EC or OKP';
  }
}

function readRsa({ n, e }: Record<string, unknown>): ReadKey {
  const modulus = octets(n);
  const exponent = octets(e);
  if (modulus === undefined || exponent === undefined || modulus[0] === 0 || exponent[0] === 0)
    return 'n and e must be canonical base64url without leading zeros';
  const bits = modulus.length * 8 - Math.clz32(modulus[0]!) + 24;
  if (bits < 2048 || bits > 4096) return `n must have 2048 to 4096 bits, got ${bits}`;
  if (exponent.length > 4) return 'e must be at most 32 bits';
  const value = exponent.readUIntBE(0, exponent.length);
  if (value < 65537 || value % 2 === 0) return 'e must be odd and at least 65537';
  return { members: { e: e as string, kty: 'RSA', n: n as string }, algorithms: ['RS256', 'PS256'] };
}

function readEc({ crv, x, y }: Record<string, unknown>): ReadKey {
  const curve = typeof crv === 'string' && Object.hasOwn(CURVES, crv) ? CURVES[crv]! : undefined;
  if (curve === undefined) return 'crv must be P-256 or P-384';
  if (octets(x)?.length !== curve.bytes || octets(y)?.length !== curve.bytes)
    return `x and y must be ${curve.bytes} octets of canonical base64url`; // RFC 7518 6.2.1.2
  return {
    members: { crv: crv as string, kty: 'EC', x: x as string, y: y as string },
    algorithms: [curve.algorithm],
  };
}

function readOkp({ crv, x }: Record<string, unknown>): ReadKey {
  if (crv !== 'Ed25519') return 'crv must be Ed25519'; // RFC 8037 2; X25519 does not sign
  if (octets(x)?.length !== 32) return 'x must be 32 octets of canonical base64url';
  return { members: { crv: 'Ed25519', kty: 'OKP', x: x as string }, algorithms: ['EdDSA', 'Ed25519'] };
}

const octets = (value: unknown): Buffer | undefined =>
  typeof value === 'string' && value !== '' ? decodeBase64url(value) : undefined;
