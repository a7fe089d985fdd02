import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseJwks, reportIgnored } from '../../src/keys/parse-jwks.js';
import { openFileKeys } from '../../src/keys/file-keys.js';
import { openRemoteKeys } from '../../src/keys/remote-keys.js';
import { ORIGIN, startFixture } from '../support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../support/mint.js';

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
      'a private member in a key that would be ignored',
      { ...big, use: 'enc', d: 'AA' },
      'keys[1]: must be public, got member d',
    ],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }, 'keys[1]: must be public, got member k'],
  ])('is refused for %s, and says where', (_, bad, problem) => {
    const parsed = parseJwks(setOf(ours, bad));
    expect(parsed).toEqual({ ok: false, problems: [expect.stringContaining(problem)] });
    expect(JSON.stringify(parsed)).not.toContain('c2VjcmV0');
  });
  it.each<[string, unknown, string]>([
    ['RSA of 1024 bits', jwkOf(rsa(1024)), ': n must have 2048 to 4096 bits, got 1024'],
    [
      'RSA of 8192 bits',
      { ...big, n: Buffer.alloc(1024, 0xff).toString('base64url') },
      ': n must have 2048 to 4096',
    ],
    ['RSA with e=3', { ...big, e: 'Aw' }, ': e must be odd and at least 65537'],
    ['an EC key without y', { ...jwkOf(ec()), y: undefined }, ': x and y must be 32 octets'],
    ['a key that has only x5c', { kty: 'RSA', x5c: ['MIIB'] }, ': n and e must be canonical'],
    ['a key without kty', { ...big, kty: undefined }, ': kty must be RSA, EC or OKP'],
    ['a kty that is a number', { ...big, kty: 7 }, ': kty must be RSA, EC or OKP'],
    ['a use that is a list', { ...big, use: ['sig'] }, ': use must be sig'],
    ['an alg of another kty', { ...big, alg: 'ES256' }, ': alg does not fit the key'],
    ['null', null, ': jwk must be an object'],
    ['a text', 'x', ': jwk must be an object'],
    ['a list', [], ': jwk must be an object'],
    ['a kid that is a number', { ...jwkOf(ec()), kid: 1 }, '.kid: must be a non-empty string'],
  ])('ignores %s, says why, and gives us the others', (_, bad, why) => {
    const parsed = parseJwks(setOf(bad, ours));
    const told = [expect.stringContaining(`keys[0]${why}`)];
    expect(parsed).toMatchObject({ ok: true, keys: [{ kid: 'ours' }], ignored: told, invalid: told });
  });
  it('has no fault where a key is for another use, which is told all the same', () => {
    const parsed = parseJwks(setOf({ ...big, use: 'enc' }, ours));
    expect(parsed).toMatchObject({ ignored: ['keys[0]: use must be sig'], invalid: [] });
  });
  it('may list one key twice, for RS256 and for PS256, under one kid', () => {
    const parsed = parseJwks(setOf({ ...big, kid: 'a', alg: 'RS256' }, { ...big, kid: 'a', alg: 'PS256' }));
    expect(parsed).toMatchObject({
      keys: [{ algorithms: ['RS256'] }, { algorithms: ['PS256'] }],
      ignored: [],
    });
  });
  it('is refused when nothing in it is ours', () => {
    const nothing = { ok: false, problems: [expect.any(String), expect.any(String)] };
    for (const bad of [{ kty: 'AKP' }, null, jwkOf(rsa(1024))])
      expect(parseJwks(setOf(bad))).toMatchObject(nothing);
  });
  it('tells of five of its ignored keys, and how many there are more', () => {
    const parsed = parseJwks(setOf(...Array<null>(99).fill(null), ours));
    const told: string[] = [];
    if (parsed.ok) reportIgnored('x', parsed.ignored, (text) => told.push(text));
    reportIgnored('y', [], (text) => told.push(text));
    expect(told).toEqual([
      expect.stringMatching(/^x: ignored .*keys\[4\]: [^;]*; and 94 more; the other keys/),
    ]);
  });
});

describe('keys from a file that is rotated', () => {
  it('are taken beside one that is no good; without a usable one the last good set stays', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-rotated-'));
    const file = join(dir, 'jwks.json');
    const [problems, ignored]: [string[], string[]] = [[], []];
    const kid = (name: string) => ({ ...jwkOf(ec()), kid: name });
    writeFileSync(file, setOf(kid('a'), null));
    const keys = openFileKeys(file, {
      now: () => 0,
      onProblem: (problem) => problems.push(problem),
      onIgnored: (text) => ignored.push(text),
    });
    try {
      expect([keys.find('a').length, keys.ignored(), problems]).toEqual([1, 1, []]);
      expect(ignored).toEqual([`${file}: ignored keys[1]: jwk must be an object; the other keys are in use`]);
      writeFileSync(file, setOf(null, jwkOf(rsa(1024)), kid('b')));
      await keys.refresh();
      expect([keys.find('a').length, keys.find('b').length, keys.ignored()]).toEqual([0, 1, 2]);
      writeFileSync(file, setOf(null));
      await keys.refresh();
      expect([keys.find('b').length, keys.ignored(), problems.length]).toEqual([1, 2, 1]);
      expect(problems[0]).toMatch(/must hold at least one signature key.*keys read before stay in use$/);
    } finally {
      keys.close();
      rmSync(dir, { recursive: true });
    }
  });
});

describe('a gateway whose issuer has a key that is no good', () => {
  it('serves with the others, warns, and counts', async () => {
    const fixture = await startFixture({
      change: (config, { dir }) => {
        const file = join(dir, 'as.json');
        const set = JSON.parse(readFileSync(file, 'utf8')) as { keys: unknown[] };
        writeFileSync(file, setOf({ kty: 'RSA', x5c: ['MIIB'] }, ...set.keys));
        config.issuers[0]!.jwks = { file };
      },
    });
    try {
      const client = ec();
      const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
      const dpop = proof(client, 'POST', `${ORIGIN}/mcp`, token);
      const headers = { authorization: `DPoP ${token}`, dpop };
      expect((await fixture.ask({ method: 'POST', path: '/mcp', headers })).status).toBe(200);
      expect(fixture.warnings).toEqual([
        expect.stringMatching(/^issuer as: .*ignored keys\[0\]: n and e must be/),
      ]);
      const { text } = await fixture.admin('/metrics');
      expect(text).toContain('agentgateway_jwks_ignored_keys{issuer="as"} 1');
      expect(text).toContain('agentgateway_jwks_ignored_keys{issuer="self"} 0');
      expect(text).not.toMatch(/agentgateway_reloads_total\{what="jwks",result="refused"\} [1-9]/);
    } finally {
      await fixture.stop();
    }
  });
});

describe('keys from a URL, fetched again', () => {
  it('are the same while the set is, come after a clock set back, and beside a key that is no good', async () => {
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
      { now: () => now, onProblem: () => {}, onIgnored: () => {} },
    );
    try {
      await keys.refresh();
      const first = keys.generation();
      now += 31;
      await keys.refresh();
      expect([count, keys.generation(), keys.ageSeconds()]).toEqual([2, first, 0]);
      text = setOf(null, { ...jwkOf(ec()), kid: 'new' });
      now -= 3_600;
      await keys.refresh();
      expect(count).toBe(3);
      expect(keys.generation()).not.toBe(first);
      expect([keys.find('new').length, keys.ignored()]).toEqual([1, 1]);
      text = setOf(null);
      now += 31;
      await keys.refresh();
      expect([count, keys.find('new').length, keys.ignored()]).toEqual([4, 1, 1]);
    } finally {
      keys.close();
      server.close();
    }
  });
});
