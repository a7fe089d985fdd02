const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * Decodes base64url in its one canonical form: no padding, no whitespace, unused bits zero (RFC 7515 2, RFC 4648 3.5).
 * Two spellings of one value would give one proof two replay identities.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  if (!ALPHABET.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  const unusedBits = text.length % 4 === 2 ? 15 : text.length % 4 === 3 ? 3 : 0;
  return unusedBits !== 0 && (sextet(text.charCodeAt(text.length - 1)) & unusedBits) !== 0
    ? undefined
    : bytes;
}

function sextet(c: number): number {
  if (c === 45) return 62;
  if (c === 95) return 63;
  if (c < 58) return c + 4;
  return c < 91 ? c - 65 : c - 71;
}
