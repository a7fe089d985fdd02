import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseJwks } from '../../src/keys/parse-jwks.js';
import { openRemoteKeys } from '../../src/keys/remote-keys.js';
import { ec, jwkOf, rsa } from '../support/mint.js';

const ours = { ...jwkOf(ec()), kid: 'ours', use: 'sig' };
const setOf = (...keys: unknown[]) => JSON.stringify({ keys });

describe('a set that others use too', () => {
  const big = jwkOf(rsa());
  it.each<[string, unknown]>([
    ['an unknown kty', { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' }],
    ['P-521', jwkOf(ec('P-521'))],
    ['X25519', jwkOf({ ...generateKeyPairSync('x25519') })],
    ['alg RS512', { ...big, alg: 'RS512' }],
    ['alg RSA-OAEP', { ...big, alg: 'RSA-OAEP' }],
    ['use enc', { ...big, use: 'enc' }],
    ['key_ops encrypt', { ...big, key_ops: ['encrypt'] }],
  ])('gives us our keys beside one of %s (RFC 7517 5)', (_, foreign) => {
    expect(parseJwks(setOf(foreign, ours))).toMatchObject({ ok: true, keys: [{ kid: 'ours' }] });
  });
  it.each<[string, unknown, string]>([
    [
      'a private member in a key that we would skip',
      { ...big, use: 'enc', d: 'AA' },
      'keys[1]: must be public, got member d',
    ],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, 'keys[1]: must be public, got member k'],
    ['a weak key of ours', jwkOf(rsa(1024)), 'keys[1]: n must have 2048 to 4096 bits'],
    ['null', null, 'keys[1]: jwk must be an object'],
    ['a text', 'x', 'keys[1]: jwk must be an object'],
    ['a kid that is a number', { ...jwkOf(ec()), kid: 1 }, 'keys[1].kid: must be a non-empty string'],
  ])('is refused for %s, and says where', (_, bad, problem) => {
    const parsed = parseJwks(setOf(ours, bad));
    expect(parsed).toEqual({ ok: false, problems: [expect.stringContaining(problem)] });
    expect(JSON.stringify(parsed)).not.toContain('c2VjcmV0');
  });
  it('is refused when nothing in it is ours', () => {
    expect(parseJwks(setOf({ kty: 'AKP' }))).toMatchObject({ ok: false });
  });
});

describe('keys from a URL, fetched again', () => {
  it('keep their generation while the set is the same, and do not wait for an old time when the clock is set back', async () => {
    let text = setOf(ours);
    let count = 0;
    const server = createServer((_, response) => {
      count += 1;
      response.end(text);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    let now = 100_000;
    const keys = openRemoteKeys(
      {
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        refreshSeconds: 600,
        cooldownSeconds: 30,
        maxStaleSeconds: 60,
        timeoutSeconds: 1,
      },
      { now: () => now, onProblem: () => {} },
    );
    try {
      await keys.refresh();
      const first = keys.generation();
      now += 31;
      await keys.refresh();
      expect([count, keys.generation(), keys.ageSeconds()]).toEqual([2, first, 0]);
      text = setOf({ ...jwkOf(ec()), kid: 'new' });
      now -= 3_600;
      await keys.refresh();
      expect(count).toBe(3);
      expect(keys.generation()).not.toBe(first);
      expect(keys.find('new')).toHaveLength(1);
    } finally {
      keys.close();
      server.close();
    }
  });
});
