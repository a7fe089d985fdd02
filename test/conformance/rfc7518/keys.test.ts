import { generateKeyPairSync } from 'node:crypto';
import { importJwk } from '../../../proxy/src/checks/jwk.js';
import { ec, jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { client, conforms, publicJwk } from '../support.js';

const isImported = (jwk: unknown) => importJwk(jwk).ok;
conforms('RFC 7518 3.3, 3.4, 6', ({ decision }) => {
  it('takes RSA of 2048 to 4096 bits with an odd exponent of at least 65537 (FIPS 186-5)', () => {
    expect([isImported(jwkOf(rsa(2048))), isImported(jwkOf(rsa(4096)))]).toEqual([true, true]);
    const { n } = jwkOf(rsa()) as { n: string };
    expect(
      ['AQ', 'Aw', 'AQAA', 'AAEAAQ', 'AQAAAAAAAQ', '', 7].map((e) => isImported({ kty: 'RSA', n, e })),
    ).toEqual(Array.from({ length: 7 }, () => false));
    expect([
      isImported({ kty: 'RSA', e: 'AQAB', n: `AA${n}` }),
      isImported({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 255).toString('base64url') }),
      isImported({ kty: 'RSA', e: 'AQAB', n: Buffer.alloc(1024, 255).toString('base64url') }),
    ]).toEqual([false, false, false]);
  });
  it('takes points on P-256 and P-384 in octets of the right number', () => {
    const jwk = jwkOf(ec()) as Record<string, string>;
    const off = Buffer.from(jwk.x!, 'base64url');
    off[5]! ^= 1;
    expect([isImported(jwk), isImported(jwkOf(ec('P-384')))]).toEqual([true, true]);
    expect([
      isImported({ ...jwk, x: off.toString('base64url') }),
      isImported({ ...jwk, x: `AA${jwk.x!}` }),
      isImported({ ...jwk, x: '' }),
      isImported({ ...jwk, y: undefined }),
      isImported({ ...jwk, crv: 'P-384' }),
    ]).toEqual([false, false, false, false, false]);
    expect([isImported(jwkOf(ec('P-521'))), isImported(jwkOf(ec('secp256k1')))]).toEqual([false, false]);
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
      ].map(isImported),
    ).toEqual(Array.from({ length: 6 }, () => false));
    expect(isImported(generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }))).toBe(false);
  });
  it('refuses a proof whose alg does not fit its key', async () => {
    expect(await decision({ header: { jwk: jwkOf(rsa()) } })).toBe('dpop_key_refused');
    expect(await decision({ header: { jwk: jwkOf(ec('P-384')) } })).toBe('dpop_key_refused');
  });
});
