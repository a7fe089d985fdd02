/** What an operator reads when something is lost, and when it is back: one line each way. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wallClock } from '../src/clock.js';
import { openFileKeys } from '../src/keys/file-keys.js';
import { openNonceKeys } from '../src/keys/nonce-keys.js';
import { openRootCertificates } from '../src/keys/root-certificates.js';
import { openSecretFile } from '../src/keys/secret-file.js';
import { openTlsFiles } from '../src/keys/tls-files.js';
import { deny } from '../src/pipeline/reason.js';
import { reloadEvents, type Reloaded } from '../src/trust.js';
import { BackendWatch } from '../src/upstream/backend-watch.js';
import type { Outcome } from '../src/upstream/upstream.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { makeCertificate } from './support/http2.js';
import { accessToken, ec, jwkOf, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';

interface Watched {
  refresh(): void | Promise<void>;
  close(): void;
}

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: ({ routes }) => {
      const [mcp] = routes as [(typeof routes)[number]];
      const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: [`${ORIGIN}/other`] };
      routes.push({ ...mcp, name: 'other', pathPrefix: '/other', auth });
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.warnings.length = 0;
  fixture.recoveries.length = 0;
});

const ask = (path = '/mcp') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: ORIGIN + path });
  return fixture.ask({
    method: 'POST',
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
  });
};
const failing = async (): Promise<string | undefined> =>
  /^agentgateway_reload_failed\{what="jwks"\} (\d+)$/m.exec((await fixture.admin('/metrics')).text)?.[1];

it('a key set that is no good is a gauge of 1 for as long as it is mounted, and its return is told', async () => {
  const file = join(fixture.dir, 'as.json');
  const good = readFileSync(file, 'utf8');
  expect(await failing()).toBe('0');
  writeFileSync(file, 'no JSON');
  await until(async () => (await failing()) === '1');
  expect(fixture.warnings.join()).toContain('issuer as: ');
  expect(fixture.recoveries).toEqual([]);
  writeFileSync(file, good);
  await until(() => fixture.recoveries.length > 0);
  expect(fixture.recoveries).toEqual(['keys of issuer as']);
  expect(await failing()).toBe('0');
});

it('a backend that fails five times in a row, on any routes, is told once, and once that it works again', async () => {
  const good = fixture.answer;
  fixture.answer = (_, response) => response.destroy();
  for (let i = 0; i < 7; i++) expect((await ask(i % 2 === 0 ? '/mcp' : '/other')).status).toBe(502);
  expect(fixture.warnings).toEqual([
    expect.stringMatching(/^backend 127\.0\.0\.1:\d+: 5 requests in a row failed: upstream_/),
  ]);
  fixture.answer = good;
  for (let i = 0; i < 2; i++) expect((await ask()).status).toBe(200);
  expect(fixture.recoveries).toEqual([`backend 127.0.0.1:${fixture.backendPort}`]);
});

it('four failures, or what says nothing about a backend, are told to nobody', () => {
  const told: string[] = [];
  const watch = new BackendWatch({ warn: (p) => told.push(p), recovered: (what) => told.push(what) });
  const failed: Outcome = {
    kind: 'refused',
    denial: deny('upstream_timeout'),
    mayHaveReachedBackend: true,
  };
  const answered = {
    kind: 'answered',
    status: 200,
    bytes: 0,
    waitedMs: 1,
    mayHaveReachedBackend: true,
  } as const;
  for (let i = 0; i < 4; i++) watch.saw('a:1', failed);
  watch.saw('a:1', { ...answered, ended: 'client_gone' });
  watch.saw('a:1', { ...answered, ended: undefined });
  for (let i = 0; i < 4; i++) watch.saw('a:1', failed);
  expect(told).toEqual([]);
  watch.saw('a:1', failed);
  expect(told).toEqual(['backend a:1: 5 requests in a row failed: upstream_timeout']);
});

describe('what was replaced is told with what is live now, and what is read first is not', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-replaced-'));
  const file = join(dir, 'mounted');
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const told: string[] = [];
  const events = (what: Reloaded, name: string) => ({
    ...reloadEvents(
      { clock: wallClock, warn: () => {}, replaced: (...said) => told.push(said.join(': ')) },
      what,
      name,
    ),
    onIgnored: () => {},
    now: wallClock,
    clock: wallClock,
    keepSeconds: 60,
  });
  const set = (...kids: string[]) => JSON.stringify({ keys: kids.map((kid) => ({ ...jwkOf(ec()), kid })) });
  const secrets = (count: number) =>
    Array.from({ length: count }, () => randomBytes(32).toString('base64')).join('\n');
  const pem = (name: string, days: number) =>
    readFileSync(makeCertificate(dir, name, undefined, days).certFile, 'utf8');
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

  it.each<
    [string, Reloaded, () => [string, string], (options: ReturnType<typeof events>) => Watched, RegExp]
  >([
    [
      'keys of an issuer',
      'jwks',
      () => [set('a'), set('a', 'b', 'c', 'd', 'e', 'f')],
      (options) => openFileKeys(file, options),
      /^keys of issuer it: kid a, b, c, d, e and 1 more$/,
    ],
    [
      'a key whose kid would fill the log',
      'jwks',
      () => [set('a'), set('k'.repeat(5_000))],
      (options) => openFileKeys(file, options),
      /^keys of issuer it: kid k{100}…$/,
    ],
    [
      'nonce keys',
      'nonce_keys',
      () => [secrets(1), secrets(2)],
      (options) => openNonceKeys(file, options),
      /^nonce keys it: 2 secrets$/,
    ],
    [
      'a credential, of which nothing is said',
      'credential',
      () => ['one', 'two'],
      (options) => openSecretFile(file, options),
      /^credential it: another one$/,
    ],
    [
      'root certificates',
      'roots',
      () => [pem('a', 1), pem('b', 3) + pem('c', 2)],
      (options) => openRootCertificates(file, options),
      new RegExp(`^CA certificates it: 2 certificates, the first ends ${inDays(2)}T[0-9:]{8}Z$`),
    ],
  ])('%s', async (_, what, texts, open, expected) => {
    told.length = 0;
    const [first, second] = texts();
    writeFileSync(file, first);
    const watched = open(events(what, 'it'));
    try {
      expect(told).toEqual([]);
      writeFileSync(file, second);
      await watched.refresh();
      expect(told).toEqual([expect.stringMatching(expected)]);
    } finally {
      watched.close();
    }
  });

  it('a certificate', () => {
    told.length = 0;
    const pair = makeCertificate(dir, 'pair');
    const files = openTlsFiles(pair, events('certificate', 'it'));
    try {
      expect(told).toEqual([]);
      makeCertificate(dir, 'pair', undefined, 5);
      files.refresh();
      expect(told.at(-1)).toMatch(new RegExp(`^certificate it: ends ${inDays(5)}T[0-9:]{8}Z$`));
    } finally {
      files.close();
    }
  });
});
