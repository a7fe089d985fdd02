/**
 * Signatures of ECDSA, which we hand to OpenSSL in DER: against node's own conversion, on all that can be odd
 * about a number.
 */
import { createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { derOf, verifies } from '../../src/checks/signature.js';

const CURVES = [
  {
    alg: 'ES256',
    namedCurve: 'P-256',
    hash: 'sha256',
    size: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  {
    alg: 'ES384',
    namedCurve: 'P-384',
    hash: 'sha384',
    size: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
] as const;

const bytesOf = (n: bigint, size: number) => Buffer.from(n.toString(16).padStart(2 * size, '0'), 'hex');
const numberOf = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);

/** X.690 8.3 and 8.9, read byte by byte: two INTEGERs of the shortest form in a SEQUENCE, and nothing behind. */
function numbersOf(der: Buffer): [bigint, bigint] {
  expect(der[0]).toBe(0x30);
  expect(der[1]).toBe(der.length - 2);
  const read = (at: number): [bigint, number] => {
    expect(der[at]).toBe(0x02);
    const content = der.subarray(at + 2, at + 2 + der[at + 1]!);
    expect(content[0]! & 0x80).toBe(0);
    if (content.length > 1 && content[0] === 0) expect(content[1]! & 0x80).toBe(0x80);
    return [numberOf(content), at + 2 + content.length];
  };
  const [r, next] = read(2);
  const [s, end] = read(next);
  expect(end).toBe(der.length);
  return [r, s];
}

describe.each(CURVES)('$alg', ({ alg, namedCurve, hash, size, order }) => {
  const orderBytes = bytesOf(order, size);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const byNode = (key: KeyObject, text: string, signature: Buffer) => {
    try {
      return verify(hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, signature);
    } catch {
      return false;
    }
  };
  const byUs = (key: KeyObject, text: string, signature: Buffer) =>
    verifies(alg, key, text, signature.toString('base64url'));

  /** Numbers of every length, with and without the high bit, 1 and the last one below the order among them. */
  const scalar = fc
    .tuple(fc.integer({ min: 1, max: 8 * size }), fc.bigInt({ min: 0n, max: order }))
    .map(([bits, n]) => {
      const cut = n % (1n << BigInt(bits));
      const high = cut | (1n << BigInt(bits - 1));
      return high < order ? high : 1n + (cut % (order - 1n));
    });

  it('writes any r and s as the DER of the same numbers', () => {
    fc.assert(
      fc.property(
        fc.oneof(scalar, fc.constantFrom(1n, 127n, 128n, 255n, 256n, order - 1n)),
        fc.oneof(scalar, fc.constantFrom(1n, 127n, 128n, 255n, 256n, order - 1n)),
        (r, s) => {
          const der = derOf(Buffer.concat([bytesOf(r, size), bytesOf(s, size)]), orderBytes);
          expect(numbersOf(der!)).toEqual([r, s]);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('takes the signatures that node takes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 200 }), (text) => {
        const signature = sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
        expect(byNode(publicKey, text, signature)).toBe(true);
        expect(byUs(publicKey, text, signature)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses the changed signatures that node refuses', () => {
    const text = 'header.payload';
    const signature = sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    fc.assert(
      fc.property(fc.nat(2 * size - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(signature);
        changed[at]! ^= flip;
        expect(byUs(publicKey, text, changed)).toBe(byNode(publicKey, text, changed));
        expect(byUs(publicKey, text, changed)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('takes real signatures whose r or s begins with a zero byte, or with a set bit', () => {
    const found = { zero: 0, high: 0 };
    for (let i = 0; i < 20_000 && (found.zero < 2 || found.high < 2); i++) {
      const signature = sign(hash, Buffer.from(String(i)), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      if (signature[0] === 0 || signature[size] === 0) found.zero += 1;
      else if (signature[0]! >= 0x80 || signature[size]! >= 0x80) found.high += 1;
      else continue;
      expect(byUs(publicKey, String(i), signature)).toBe(true);
    }
    expect(Math.min(found.zero, found.high)).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['0', 0n],
    ['n', order],
    ['n + 1', order + 1n],
    ['all ones', (1n << BigInt(8 * size)) - 1n],
  ])('refuses r or s of %s', (_, bad) => {
    const text = 'header.payload';
    const good = sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    for (const at of [0, size]) {
      const changed = Buffer.from(good);
      bytesOf(bad, size).copy(changed, at);
      expect(derOf(changed, orderBytes)).toBeUndefined();
      expect(byUs(publicKey, text, changed)).toBe(false);
    }
  });

  it('refuses s + n, which is the same number to whoever does not look', () => {
    const text = 'header.payload';
    for (let i = 0; i < 200_000; i++) {
      const s = 1n + BigInt(i);
      if (s + order >= 1n << BigInt(8 * size)) break;
      const signature = Buffer.concat([bytesOf(1n, size), bytesOf(s + order, size)]);
      expect(derOf(signature, orderBytes)).toBeUndefined();
      if (i === 2)
        return expect(
          byUs(createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })), text, signature),
        ).toBe(false);
    }
  });
});
