import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { importJwk } from '../../src/checks/jwk.js';
import { openFileKeys } from '../../src/keys/file-keys.js';
import { parseJwks } from '../../src/keys/parse-jwks.js';
import { openRemoteKeys } from '../../src/keys/remote-keys.js';
import { openRootCertificates, rootsProblem } from '../../src/keys/root-certificates.js';
import { openSecretFile } from '../../src/keys/secret-file.js';
import { pairProblem } from '../../src/keys/tls-files.js';
import { reloadEvents } from '../../src/trust.js';
import { makeCertificate } from '../support/http2.js';
import { ec, ed25519, jwkOf, rsa } from '../support/mint.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-keys-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const set = (...kids: string[]) =>
  JSON.stringify({ keys: kids.map((kid) => ({ ...jwkOf(ec()), kid, use: 'sig' })) });

describe('importJwk', () => {
  const good = jwkOf(ec());
  const big = rsa();
  it.each([
    ['RSA', jwkOf(big)],
    ['P-256', good],
    ['P-384', jwkOf(ec('P-384'))],
    ['Ed25519', jwkOf(ed25519())],
  ])('takes a public %s key, under the thumbprint that jose gives it', async (_, jwk) => {
    const imported = importJwk(jwk);
    expect(imported).toMatchObject({ ok: true, thumbprint: await calculateJwkThumbprint(jwk as JWK) });
  });
  it.each<[string, unknown]>([
    ['a string', 'x'],
    ['an array', [good]],
    ['null', null],
    ['no kty', { ...good, kty: undefined }],
    ['kty oct', { kty: 'oct', k: 'AA' }],
    ['a private member', { ...good, d: '' }],
    ['a symmetric member', { ...good, k: 'AA' }],
    ['an RSA prime', { ...jwkOf(big), p: 'AQ' }],
    ['use enc', { ...good, use: 'enc' }],
    ['key_ops without verify', { ...good, key_ops: ['sign'] }],
    ['an alg of another key type', { ...good, alg: 'RS256' }],
    ['secp256k1', { ...good, crv: 'secp256k1' }],
    ['a crv of Object.prototype', { ...good, crv: 'toString' }],
    ['a short x', { ...good, x: 'AQAB' }],
    ['a padded x', { ...good, x: `${good.x as string}=` }],
    ['a point off the curve', { ...good, y: good.x }],
    ['e = 1', { ...jwkOf(big), e: 'AQ' }],
    ['e = 3', { ...jwkOf(big), e: 'Aw' }],
    ['an even e', { ...jwkOf(big), e: 'AQAC' }],
    ['RSA 1024', jwkOf(rsa(1024))],
    ['RSA 8192', { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(1024, 255).toString('base64url') }],
    [
      'n with a leading zero',
      {
        ...jwkOf(big),
        n: Buffer.concat([Buffer.alloc(1), Buffer.from(jwkOf(big).n as string, 'base64url')]).toString(
          'base64url',
        ),
      },
    ],
    ['X25519', { kty: 'OKP', crv: 'X25519', x: jwkOf(ed25519()).x }],
  ])('refuses %s', (_, jwk) => {
    expect(importJwk(jwk)).toMatchObject({ ok: false, why: expect.any(String) as string });
  });
});

describe('parseJwks', () => {
  it('skips keys that are not for us, refuses a set with a private key in it', () => {
    expect(
      parseJwks(
        JSON.stringify({
          keys: [{ kty: 'oct-x' }, { ...jwkOf(ec()), use: 'enc' }, { ...jwkOf(ec()), kid: 'a' }],
        }),
      ),
    ).toMatchObject({ ok: true, keys: [{ kid: 'a', algorithms: ['ES256'] }] });
    const twice = { ...jwkOf(ec()), kid: 'a' };
    expect(parseJwks(JSON.stringify({ keys: [twice, twice, { ...jwkOf(ec()), d: 'x' }] }))).toEqual({
      ok: false,
      problems: ['keys[2]: must be public, got member d; the key is burned: replace it'],
    });
    expect(parseJwks('{"keys":[]}')).toMatchObject({ ok: false });
    expect(parseJwks('{"keys":{}}')).toMatchObject({ ok: false });
  });
});

describe('keys from a file', () => {
  it('follow the symlink swap of a ConfigMap volume, and keep the last good set through a broken one', async () => {
    const volume = join(dir, 'volume');
    mkdirSync(volume);
    const publish = (name: string, text: string) => {
      mkdirSync(join(volume, name));
      writeFileSync(join(volume, name, 'jwks.json'), text);
      symlinkSync(name, join(volume, '..data_tmp'));
      renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
    };
    publish('..1', set('a'));
    symlinkSync('..data/jwks.json', join(volume, 'jwks.json'));
    const problems: string[] = [];
    const keys = openFileKeys(join(volume, 'jwks.json'), {
      now: () => Date.now() / 1000,
      onProblem: (problem) => problems.push(problem),
      onIgnored: () => {},
    });
    try {
      expect([
        keys.ready(),
        keys.find('a').length,
        keys.find('b').length,
        keys.find(undefined).length,
      ]).toEqual([true, 1, 0, 1]);
      const first = keys.generation();
      publish('..2', set('a', 'b'));
      await wait(1500);
      expect(keys.find('b')).toHaveLength(1);
      expect(keys.generation()).toBeGreaterThan(first);
      publish('..3', '{"keys":');
      await wait(1500);
      expect(keys.find('b')).toHaveLength(1);
      expect(problems).toEqual([expect.stringContaining('the keys read before stay in use')]);
    } finally {
      keys.close();
    }
  });
});

describe('keys from a URL', () => {
  interface Served {
    status: number;
    text: string;
    count: number;
    headers: Record<string, string>;
  }
  async function served(run: (url: string, state: Served) => Promise<void>) {
    const state: Served = { status: 200, text: set('a'), count: 0, headers: {} };
    const server = http.createServer((_, response) => {
      state.count += 1;
      response.writeHead(state.status, state.headers).end(state.text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, state);
    } finally {
      server.close();
    }
  }
  const options = { refreshSeconds: 600, cooldownSeconds: 30, maxStaleSeconds: 86_400, timeoutSeconds: 1 };

  it('are fetched once a cooldown, whatever kids come, also while the issuer fails', () =>
    served(async (url, state) => {
      let now = 1000;
      const keys = openRemoteKeys(
        { url, ...options },
        { now: () => now, onProblem: () => {}, onIgnored: () => {} },
      );
      try {
        await keys.refresh();
        expect([state.count, keys.find('a').length]).toEqual([1, 1]);
        for (let i = 0; i < 1000; i++) await keys.refresh();
        expect(state.count).toBe(1);
        state.status = 500;
        now += 31;
        for (let i = 0; i < 1000; i++) await keys.refresh();
        expect([state.count, keys.find('a').length]).toEqual([2, 1]);
        now += 31;
        state.status = 200;
        state.text = set('b');
        await keys.refresh();
        expect([keys.find('a').length, keys.find('b').length]).toEqual([0, 1]);
      } finally {
        keys.close();
      }
    }));
  it('that are only there again after a failure were not replaced', () =>
    served(async (url, state) => {
      let now = 1000;
      const told: string[] = [];
      const events = reloadEvents(
        {
          clock: () => now,
          warn: () => told.push('failed'),
          recovered: () => told.push('recovered'),
          replaced: (_, live) => told.push(live),
        },
        'jwks',
        'as',
      );
      const keys = openRemoteKeys({ url, ...options }, { now: () => now, onIgnored: () => {}, ...events });
      await keys.refresh();
      for (const [status, text] of [
        [500, state.text],
        [200, state.text],
        [200, set('b')],
      ] as const) {
        Object.assign(state, { status, text });
        now += 31;
        await keys.refresh();
      }
      keys.close();
      expect(told).toEqual(['failed', 'recovered', 'kid b']);
    }));
  it('are used stale for a while, then not', () =>
    served(async (url) => {
      let now = 1000;
      const keys = openRemoteKeys(
        { url, ...options },
        { now: () => now, onProblem: () => {}, onIgnored: () => {} },
      );
      await keys.refresh();
      keys.close();
      now += 600 + 86_400;
      expect(keys.ready()).toBe(true);
      now += 1;
      expect([keys.ready(), keys.find('a').length]).toEqual([false, 0]);
    }));
  it.each<[string, Partial<Served>, string]>([
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1/' } }, 'status 302'],
    ['a megabyte too much', { text: ' '.repeat((1 << 20) + 1) }, 'more than'],
    ['no set', { text: '{}' }, 'keys: must be an array'],
  ])('are not taken from %s', (_, change, problem) =>
    served(async (url, state) => {
      Object.assign(state, change);
      const problems: string[] = [];
      const keys = openRemoteKeys(
        { url, ...options },
        { now: () => 1000, onProblem: (p) => problems.push(p), onIgnored: () => {} },
      );
      await keys.refresh();
      keys.close();
      expect(keys.ready()).toBe(false);
      expect(problems.join()).toContain(problem);
    }),
  );
});

describe('a secret file', () => {
  it('is read again when it changes, and not when what it holds could not be a header', async () => {
    const file = join(dir, 'token');
    const problems: string[] = [];
    writeFileSync(file, 'one\n');
    const secret = openSecretFile(file, {
      onProblem: (problem) => problems.push(problem),
    });
    try {
      expect(secret.value()).toBe('one');
      writeFileSync(file, 'two');
      secret.refresh();
      expect(secret.value()).toBe('two');
      writeFileSync(file, 'three\r\nX-Injected: 1');
      secret.refresh();
      expect([secret.value(), problems.length]).toEqual(['two', 1]);
      expect(problems[0]).not.toContain('three');
    } finally {
      secret.close();
    }
  });
});

/** The same, whose end is the 99th day of the 99th month: UTCTime is tag 0x17, and 13 bytes. */
function undated(pem: string): string {
  const der = Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64');
  const begin = der.indexOf('\x17\x0d');
  der.write('999999999999Z', der.indexOf('\x17\x0d', begin + 15) + 2, 'latin1');
  return `-----BEGIN CERTIFICATE-----\n${der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END CERTIFICATE-----\n`;
}

describe('root certificates', () => {
  const DAY = 86_400;
  it('end with the next one of them that has not ended yet', () => {
    const file = join(dir, 'roots.pem');
    const pems = [3, 1, 2].map((days) =>
      readFileSync(makeCertificate(dir, `root-${days}`, undefined, days).certFile, 'utf8'),
    );
    writeFileSync(file, pems.join('\n'));
    const made = Date.now() / 1000;
    let now = made;
    const roots = openRootCertificates(file, { clock: () => now, onProblem: () => {} });
    const endsInDays = () => roots.expiry().map(([, at]) => Math.round((at - made) / DAY));
    try {
      expect(roots.expiry().map(([name]) => name)).toEqual([file]);
      expect(endsInDays()).toEqual([1]);
      now = made + 1.5 * DAY;
      expect(endsInDays()).toEqual([2]);
      now = made + 9 * DAY;
      expect(endsInDays()).toEqual([3]); // all of them have ended
    } finally {
      roots.close();
    }
  });
  it('and pairs must end at a date: OpenSSL takes what has none', () => {
    const { certFile, keyFile } = makeCertificate(dir, 'undated');
    const pem = undated(readFileSync(certFile, 'utf8'));
    expect(rootsProblem(pem)).toBe('must hold PEM certificates, got something else in place 1 of 1');
    expect(pairProblem({ cert: pem, key: readFileSync(keyFile, 'utf8') })).toBe(
      'the certificate ends at no date: Bad time value',
    );
  });
  it('that are no good are told of once', () => {
    const file = join(dir, 'undated.pem');
    writeFileSync(file, undated(readFileSync(makeCertificate(dir, 'undated').certFile, 'utf8')));
    const told: string[] = [];
    const roots = openRootCertificates(file, { clock: () => 0, onProblem: (problem) => told.push(problem) });
    roots.refresh();
    roots.refresh();
    roots.close();
    expect(told).toEqual([expect.stringContaining('in place 1 of 1; no backend is trusted')]);
  });
  it('say nothing while there are none', () => {
    const roots = openRootCertificates(join(dir, 'absent.pem'), { clock: () => 0, onProblem: () => {} });
    expect(roots.expiry()).toEqual([]);
    roots.close();
  });
});
