/** What an operator asks a gateway first: `/status`, and the page that shows it, of the whole gateway. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { STATUS_FIELDS, type GatewayStatus } from '../src/observe/status.js';
import { freePort, ORIGIN, request, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, jwkOf, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';

const HOSTILE = '<img src=x onerror=alert(1)>"\'&';
const client = ec();
const jkt = thumbprint(client);
let fixture: GatewayFixture;
afterEach(() => fixture.stop());

const status = async (): Promise<GatewayStatus> => {
  const answer = await fixture.admin('/status');
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
  return JSON.parse(answer.text) as GatewayStatus;
};
const ask = (path: string, claims: Record<string, unknown> = {}) => {
  const token = accessToken(fixture.as, { cnf: { jkt } });
  const dpop = proof(client, 'POST', ORIGIN + path, token, { claims });
  return fixture.ask({ method: 'POST', path, headers: { authorization: `DPoP ${token}`, dpop } });
};
/** A member of JSON as STATUS_FIELDS writes it. */
function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) =>
    pathsOf(member, path === '' ? key : `${path}.${key}`),
  );
}

it('says what was answered and refused, by route and reason, the latest first', async () => {
  fixture = await startFixture();
  const before = Date.now();
  await ask('/mcp');
  await ask('/mcp', { iat: 1 });
  await ask('/mcp', { iat: 1 });
  await ask('/mcp', { htm: 'PUT' });
  await fixture.ask({ path: '/elsewhere' });
  const { routes, noRoute } = await status();
  expect(routes.map(({ name, answered, refused }) => [name, answered, refused])).toEqual([
    ['mcp', 1, 3],
    ['self', 0, 0],
  ]);
  expect(routes[0]!.refusals.map(({ reason, count }) => [reason, count])).toEqual([
    ['dpop_htm_mismatch', 1],
    ['dpop_expired', 2],
  ]);
  expect(Date.parse(routes[0]!.refusals[0]!.lastAt)).toBeGreaterThanOrEqual(before);
  expect(noRoute).toMatchObject({ answered: 0, refused: 1, refusals: [{ reason: 'no_route', count: 1 }] });
});

it('names nobody, and shows no token', async () => {
  fixture = await startFixture();
  const token = accessToken(fixture.as, { cnf: { jkt }, sub: 'somebody', client_id: 'some-client' });
  const headers = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token, { claims: { jti: 'some-jti' } }),
  };
  for (let i = 0; i < 2; i++) await fixture.ask({ method: 'POST', path: '/mcp', headers });
  const page = await fixture.admin('/');
  const text = JSON.stringify(await status()) + page.text;
  expect(text).toContain('dpop_replayed');
  for (const secret of ['somebody', 'some-client', 'some-jti', jkt, '127.0.0.1', token.split('.')[2]!])
    expect(text).not.toContain(secret);
});

it('is as long after a thousand requests of a client as after one', async () => {
  fixture = await startFixture({
    change: (config) => {
      config.limits = { refusalsPerAddress: { maxTokens: 1_000_000, tokensPerSecond: 1_000_000 } };
    },
  });
  const members = async () => pathsOf(await status()).length;
  const send = (i: number) => fixture.ask({ path: `/nothing-${i}`, headers: { 'x-client': `${i}` } });
  await send(0);
  const once = await members();
  for (let round = 0; round < 20; round++)
    await Promise.all(Array.from({ length: 50 }, (_, i) => send(round * 50 + i)));
  expect((await status()).noRoute.refused).toBe(1001);
  expect(await members()).toBe(once);
});

it('says why it is not ready, which files it did not take, what is weakened, and is described in full', async () => {
  const away = await freePort();
  let keys = '';
  fixture = await startFixture({
    http2: true,
    change: (config, { dir }) => {
      keys = join(dir, 'self.json');
      const [mcp] = config.routes;
      config.routes.push({
        ...mcp!,
        name: 'loose',
        pathPrefix: '/loose',
        auth: { ...mcp!.auth, mode: 'permissive' },
      });
    },
  });
  await ask('/loose', { iat: 1 });
  await ask('/mcp', { iat: 1 });
  await fixture.ask({ path: '/elsewhere' });
  writeFileSync(keys, '{}');
  fixture.gateway.refresh();
  await until(async () => (await status()).notTaken.length > 0);
  const here = await status();
  expect(here).toMatchObject({
    ready: true,
    notTaken: ['jwks self'],
    weakenings: [expect.stringContaining('"loose" refuses nothing')],
    certificates: [{ file: expect.stringContaining('fixture') }],
    replay: { store: 'memory', reachable: true, entries: 0 },
  });
  expect(here.routes.at(-1)).toMatchObject({
    name: 'loose',
    mode: 'permissive',
    answered: 1,
    wouldRefuse: [{ reason: 'dpop_expired', count: 1 }],
  });
  expect(here.issuers[0]).toMatchObject({
    name: 'as',
    issuer: 'https://as.example',
    keys: 1,
    kids: ['as-1'],
  });
  await fixture.stop();
  fixture = await startFixture({
    change: (config) => {
      config.replay = { store: 'redis', url: `redis://127.0.0.1:${away}`, timeoutSeconds: 0.1 };
    },
  });
  const lonely = await status();
  expect(lonely).toMatchObject({
    ready: false,
    waitingFor: ['replay store'],
    replay: { store: 'redis', server: `127.0.0.1:${away}`, reachable: false },
  });
  const told = [...pathsOf(here), ...pathsOf(lonely)].filter((path) => path !== 'memory.limitBytes');
  const described = Object.keys(STATUS_FIELDS).filter((path) => path !== 'memory.limitBytes');
  expect([...new Set(told)].sort()).toEqual(described.sort());
});

it('says which config is in use, and since when', async () => {
  fixture = await startFixture();
  const { config } = await status();
  expect(config.hash).toMatch(/^[0-9a-f]{12}$/);
  expect(Date.now() - Date.parse(config.loadedAt)).toBeLessThan(10_000);
});

describe('the page', () => {
  const hostileKid = (kid = HOSTILE) =>
    startFixture({
      change: (_, { dir }) => {
        const jwk = { ...jwkOf(ec()), kid, alg: 'ES256', use: 'sig' };
        writeFileSync(join(dir, 'self.json'), JSON.stringify({ keys: [jwk] }));
      },
    });

  it('has no script, loads nothing, is not kept, and goes into no frame', async () => {
    fixture = await startFixture();
    const { status: code, headers, text } = await fixture.admin('/');
    expect([code, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(headers['content-security-policy']).toMatch(
      new RegExp(
        [
          /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; base-uri 'none'; form-action /,
          /'none'; frame-ancestors 'none'$/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    );
    expect(text).not.toMatch(/<script|javascript:| on[a-z]+=|https?:\/\/(?!as\.example)/i);
  });

  it('shows what came from elsewhere as text', async () => {
    fixture = await hostileKid();
    const { text } = await fixture.admin('/');
    expect(text).not.toContain('<img');
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;');
    expect((await status()).issuers[1]!.kids).toEqual([HOSTILE]);
  });
  it('is no longer for a kid of 100 kB', async () => {
    fixture = await hostileKid(HOSTILE.repeat(3_000));
    expect((await status()).issuers[1]!.kids).toEqual([`${HOSTILE.repeat(4).slice(0, 100)}…`]);
    expect((await fixture.admin('/')).text.length).toBeLessThan(10_000);
  });

  it('says what is refused, and why it is not ready', async () => {
    const away = await freePort();
    fixture = await startFixture({
      change: (config) => {
        config.replay = { store: 'redis', url: `redis://127.0.0.1:${away}`, timeoutSeconds: 0.1 };
      },
    });
    await ask('/mcp');
    const { text } = await fixture.admin('/');
    expect(text).toContain('<h1>Agent gateway: not ready: waits for replay store</h1>');
    expect(text).toMatch(/<td>mcp<\/td><td>replay_store_down<\/td><td>1<\/td><td>\d s ago<\/td>/);
  });

  it('is answered to GET and HEAD only, like the rest of the port', async () => {
    fixture = await startFixture();
    const { adminPort } = fixture.gateway;
    for (const path of ['/', '/status']) {
      expect((await request(adminPort, { method: 'POST', path })).status).toBe(405);
      expect(await request(adminPort, { method: 'HEAD', path })).toMatchObject({ status: 200, text: '' });
    }
    expect((await request(fixture.gateway.port, { path: '/status' })).status).toBe(404);
  });
});
