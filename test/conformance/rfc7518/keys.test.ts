import { generateKeyPairSync } from 'node:crypto';
import { importJwk } from '../../../proxy/src/checks/jwk.js';
import { ec, jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { client, conforms, publicJwk } from '../support.js';

const judged = (jwk: unknown) => importJwk(jwk).ok;
conforms('RFC 7518 3.3, 3.4, 6', ({ verdict }) => {
  it('takes RSA of 2048 to 4096 bits with an odd exponent of at least 65537 (FIPS 186-5)', () => {
    expect([judged(jwkOf(rsa(2048))), judged(jwkOf(rsa(4096)))]).toEqual([true, true]);
    const { n } = jwkOf(rsa()) as { n: string };
    expect(
      ['AQ', 'Aw', 'AQAA', 'AAEAAQ', 'AQAAAAAAAQ', '', 7].map((e) => judged({ kty: 'RSA', n, e })),
    ).toEqual(Array.from({ length: 7 }, () => false));
    expect([
      judged({ kty: 'RSA', e: 'AQAB', n: `AA${n}` }),
      judged({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 255).toString('base64url') }),
      judged({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(1024, 255).toString('base64url') }),
    ]).toEqual([false, false, false]);
  });
  it('takes points on P-256 and P-384 in octets of the right number', () => {
    const jwk = jwkOf(ec()) as Record<string, string>;
    const off = Buffer.from(jwk.x!, 'base64url');
    off[5]! ^= 1;
    expect([judged(jwk), judged(jwkOf(ec('P-384')))]).toEqual([true, true]);
    expect([
      judged({ ...jwk, x: off.toString('base64url') }),
      judged({ ...jwk, x: `AA${jwk.x!}` }),
      judged({ ...jwk, x: '' }),
      judged({ ...jwk, y: undefined }),
      judged({ ...jwk, crv: 'P-384' }),
    ]).toEqual([false, false, false, false, false]);
    expect([judged(jwkOf(ec('P-521'))), judged(jwkOf(ec('secp256k1')))]).toEqual([false, false]);
  });
  it('takes no other kty, curve or use', () => {
    expect(
      [
        { kty: 'oct', k: 'AA' },
        { kty: 'AKP' },
        { ...publicJwk(client), kty: 'ec' },
        { ...publicJwk(client), use: 'enc' },
        { ...publicJwk(client), key_ops: ['sign'] },
        { ...publicJwk(client), alg: 'ES384' },
      ].map(judged),
    ).toEqual(Array.from({ length: 6 }, () => false));
    expect(judged(generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }))).toBe(false);
  });
  it('refuses a proof whose alg does not fit its key', async () => {
    expect(await verdict({ header: { jwk: jwkOf(rsa()) } })).toBe('dpop_key_refused');
    expect(await verdict({ header: { jwk: jwkOf(ec('P-384')) } })).toBe('dpop_key_refused');
  });
});
