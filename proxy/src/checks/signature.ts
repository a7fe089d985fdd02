import { constants, verify, type KeyObject } from 'node:crypto';
import type { Algorithm } from '../config/index.js';
import { decodeBase64url } from './base64url.js';

interface Scheme {
  readonly hash: 'sha256' | 'sha384' | null;
  /** Exact length of a signature where the algorithm fixes it (RFC 7518 3.4, RFC 8037 3.1). */
  readonly bytes?: number;
  readonly options: { dsaEncoding?: 'ieee-p1363'; padding?: number; saltLength?: number };
}

const SCHEMES: Record<Algorithm, Scheme> = {
  ES256: { hash: 'sha256', bytes: 64, options: { dsaEncoding: 'ieee-p1363' } },
  ES384: { hash: 'sha384', bytes: 96, options: { dsaEncoding: 'ieee-p1363' } },
  RS256: { hash: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING } },
  PS256: {
    hash: 'sha256',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  },
  EdDSA: { hash: null, bytes: 64, options: {} },
  Ed25519: { hash: null, bytes: 64, options: {} },
};

/**
 * RFC 7515 5.2: whether `signature` (base64url) over `signed` verifies under `key`. Synchronous: on a cached key that is several
 * times cheaper than a trip through WebCrypto. The caller has checked that the key may be used with `alg`.
 */
export function verifies(alg: Algorithm, key: KeyObject, signed: string, signature: string): boolean {
  const { hash, bytes, options } = SCHEMES[alg];
  const decoded = decodeBase64url(signature);
  if (decoded === undefined || (bytes !== undefined && decoded.length !== bytes)) return false;
  try {
    return verify(hash, Buffer.from(signed, 'latin1'), { key, ...options }, decoded);
  } catch {
    return false; // OpenSSL throws on some signatures that are out of range; that is a bad signature, not a fault of ours.
  }
}
