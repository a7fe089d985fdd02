const ALPHABET = /^[A-Za-z0-9_-]*$/;
/** Bits of the last character that stand for nothing, by length modulo 4 (RFC 4648 3.5); no text has a length of 1. */
const UNUSED_BITS = [0, 0, 0b1111, 0b11] as const;

/**
 * Decodes base64url in its one canonical form: no padding, no whitespace, unused bits zero (RFC 7515 2, RFC 4648 3.5).
 * Two spellings of one value would give one proof two replay identities.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const rest = text.length % 4;
  if (!ALPHABET.test(text) || rest === 1) return undefined;
  const unusedBits = UNUSED_BITS[rest]!;
  if (unusedBits !== 0 && (sextet(text.charCodeAt(text.length - 1)) & unusedBits) !== 0) return undefined;
  return Buffer.from(text, 'base64url');
}

/** What a character of the alphabet stands for. */
function sextet(c: number): number {
  if (c === 45) return 62;
  if (c === 95) return 63;
  if (c < 58) return c + 4;
  return c < 91 ? c - 65 : c - 71;
}
