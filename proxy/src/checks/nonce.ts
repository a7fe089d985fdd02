import { createHmac, timingSafeEqual } from 'node:crypto';
import { decodeBase64url } from './base64url.js';

/** Separates these tags from anything else that the same secret might ever sign. */
const PURPOSE = 'agw dpop nonce 1\0';
const TIME_BYTES = 6;
const TAG_BYTES = 16;

/**
 * RFC 9449 8: a nonce that nobody can predict and any replica with the key can check: a whole Unix second and
 * an HMAC-SHA-256 tag of 128 bits over it, base64url, 30 characters (NQCHAR).
 */
export function makeNonce(key: Buffer, second: number): string {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(second, 0, TIME_BYTES);
  return Buffer.concat([time, tag(key, time)]).toString('base64url');
}

/** The second that a nonce of one of `keys` was made in; `undefined` if none of them made it. */
export function timeOfNonce(nonce: string, keys: readonly Buffer[]): number | undefined {
  if (nonce.length !== ((TIME_BYTES + TAG_BYTES) * 8 + 4) / 6) return undefined;
  const bytes = decodeBase64url(nonce);
  if (bytes === undefined) return undefined;
  const time = bytes.subarray(0, TIME_BYTES);
  const found = bytes.subarray(TIME_BYTES);
  return keys.some((key) => timingSafeEqual(tag(key, time), found))
    ? time.readUIntBE(0, TIME_BYTES)
    : undefined;
}

const tag = (key: Buffer, time: Buffer): Buffer =>
  createHmac('sha256', key).update(PURPOSE).update(time).digest().subarray(0, TAG_BYTES);
