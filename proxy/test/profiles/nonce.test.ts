/** RFC 9449 8, 9, 11.3: nonces over two replicas that share nothing but a mounted file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeNonce, timeOfNonce } from '../../src/checks/nonce.js';
import { openNonceKeys, parseNonceKeys } from '../../src/keys/nonce-keys.js';
import { ORIGIN, startFixture, type Ask, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-nonce-'));
const file = join(dir, 'keys');
const client = ec();
const jkt = thumbprint(client);
const [OLD, NEW] = ['old-secret-'.padEnd(40, 'o'), 'new-secret-'.padEnd(40, 'n')];
/**
 * Seconds that both replicas are ahead of the wall: more and more, as a clock that goes back begins a new epoch
 * of the replay store.
 */
let ahead = 0;
const clock = () => Date.now() / 1000 + ahead;
let fixtures: [GatewayFixture, GatewayFixture];

beforeAll(async () => {
  writeFileSync(file, `${OLD}\n`);
  const start = () =>
    startFixture({
      clock,
      change: (config, { backendPort }) => {
        const nonce = { keys: { file }, lifetimeSeconds: 60 };
        const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: [`${ORIGIN}/mcp`] };
        const backend = { url: `http://127.0.0.1:${backendPort}` };
        config.routes = [
          { kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth: { ...auth, nonce }, backend },
          {
            kind: 'mcp',
            name: 'timed',
            pathPrefix: '/timed',
            auth: { ...auth, nonce: { ...nonce, timeFromNonce: true } },
            backend,
          },
        ];
      },
    });
  fixtures = [await start(), await start()];
});
beforeEach(() => {
  ahead += 100; // past every nonce of the test before
});
afterAll(async () => {
  await Promise.all(fixtures.map((fixture) => fixture.stop()));
  rmSync(dir, { recursive: true });
});

const ask = (
  fixture: GatewayFixture,
  nonce: unknown,
  { path = '/mcp', iat }: { path?: string; iat?: number } = {},
): Ask => {
  const token = accessToken(fixture.as, { cnf: { jkt }, exp: Math.floor(clock()) + 300 });
  return {
    method: 'POST',
    path,
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, 'POST', ORIGIN + path, token, {
        claims: { nonce, iat: iat ?? Math.floor(clock()) },
      }),
    },
  };
};
const offered = async (fixture: GatewayFixture, path = '/mcp') => {
  const answer = await fixture.ask(ask(fixture, undefined, { path }));
  expect([answer.status, answer.headers['cache-control']]).toEqual([401, 'no-store']);
  expect(answer.headers['www-authenticate']).toMatch(/^DPoP error="use_dpop_nonce"/);
  return answer.headers['dpop-nonce'] as string;
};

describe('RFC 9449 9: a route that requires nonces', () => {
  it('challenges a proof without one, and takes the next with the nonce it gave', async () => {
    const nonce = await offered(fixtures[0]);
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{30}$/); // RFC 9449 8.1: NQCHAR
    const answer = await fixtures[0].ask(ask(fixtures[0], nonce));
    expect([answer.status, answer.headers['dpop-nonce']]).toEqual([200, undefined]);
  });
  it('takes the nonce of another replica, and the same nonce with another proof', async () => {
    const nonce = await offered(fixtures[0]);
    expect((await fixtures[1].ask(ask(fixtures[1], nonce))).status).toBe(200);
    expect((await fixtures[1].ask(ask(fixtures[1], nonce))).status).toBe(200);
  });
  it('does not spend a proof that it challenges', async () => {
    const once = ask(fixtures[0], undefined);
    expect((await fixtures[0].ask(once)).status).toBe(401);
    expect((await fixtures[0].ask(once)).headers['www-authenticate']).toMatch(/use_dpop_nonce/);
  });
  it.each([
    ['a made-up one', 'A'.repeat(30)],
    ['one with a flipped bit', 'flip'],
    ['a number', 7],
    ['an empty one', ''],
  ])('refuses %s, and offers a fresh one', async (_, nonce) => {
    const real = await offered(fixtures[0]);
    const used = nonce === 'flip' ? `${real[0] === 'A' ? 'B' : 'A'}${real.slice(1)}` : nonce;
    const answer = await fixtures[0].ask(ask(fixtures[0], used));
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/use_dpop_nonce/);
    expect(answer.headers['dpop-nonce']).toBeDefined();
  });
  it('offers a fresh one early, on an answer that must not be cached, and refuses the old one in the end', async () => {
    const nonce = await offered(fixtures[0]);
    ahead += 40;
    fixtures[0].answer = (_, response) =>
      response.writeHead(200, { 'Cache-Control': 'max-age=60' }).end('{}');
    const answer = await fixtures[0].ask(ask(fixtures[0], nonce));
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(answer.headers['dpop-nonce']).not.toBe(nonce);
    ahead += 30;
    expect((await fixtures[0].ask(ask(fixtures[0], nonce))).status).toBe(401);
    expect((await fixtures[0].ask(ask(fixtures[0], answer.headers['dpop-nonce']))).status).toBe(200);
  });
  it('gives whoever comes without credentials a nonce for the first proof', async () => {
    const answer = await fixtures[0].ask({ method: 'POST', path: '/mcp' });
    expect(answer.headers['www-authenticate']).not.toMatch(/error=/);
    expect((await fixtures[0].ask(ask(fixtures[0], answer.headers['dpop-nonce']))).status).toBe(200);
  });
  it('with timeFromNonce takes a client whose clock is a day off, and its proof once', async () => {
    const nonce = await offered(fixtures[0], '/timed');
    const late = ask(fixtures[0], nonce, { path: '/timed', iat: Math.floor(clock()) - 86_400 });
    expect((await fixtures[0].ask(late)).status).toBe(200);
    expect((await fixtures[0].ask(late)).headers['www-authenticate']).toMatch(/used before/);
    ahead += 61;
    expect((await fixtures[0].ask(ask(fixtures[0], nonce, { path: '/timed' }))).status).toBe(401);
  });
  it('rotates its key without refusing a nonce: append, wait, delete the first', async () => {
    const early = await offered(fixtures[0]);
    writeFileSync(file, `${OLD}\n${NEW}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1300));
    const middle = await offered(fixtures[0]);
    writeFileSync(file, `${NEW}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1300));
    const late = await offered(fixtures[1]);
    for (const nonce of [early, middle, late])
      for (const fixture of fixtures) expect((await fixture.ask(ask(fixture, nonce))).status).toBe(200);
    writeFileSync(file, 'short\n');
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect(fixtures[0].warnings.join()).toMatch(/line 1: must be at least 32/);
    expect((await fixtures[0].ask(ask(fixtures[0], late))).status).toBe(200);
    writeFileSync(file, `${OLD}\n`);
  }, 15_000);
});

describe('nonces', () => {
  const key = Buffer.alloc(32, 1);
  it('say when they were made to whoever has the key, and nothing to others', () => {
    expect(timeOfNonce(makeNonce(key, 1_800_000_000), [Buffer.alloc(32, 2), key])).toBe(1_800_000_000);
    expect(timeOfNonce(makeNonce(key, 1_800_000_000), [Buffer.alloc(32, 2)])).toBeUndefined();
  });
  it('have one spelling', () => {
    const nonce = makeNonce(key, 1);
    for (const other of [`${nonce}=`, ` ${nonce}`, `${nonce.slice(0, -1)}${nonce.endsWith('B') ? 'C' : 'B'}`])
      expect(timeOfNonce(other, [key])).toBeUndefined();
  });
  it('have keys of enough text, each once', () => {
    expect(parseNonceKeys('')).toMatchObject({ ok: false });
    expect(parseNonceKeys(`${OLD}\n${OLD}`)).toMatchObject({ ok: false });
    expect(parseNonceKeys(`${OLD} x`)).toMatchObject({ ok: false });
    expect(parseNonceKeys(`${OLD}\n\n${NEW}\n`)).toMatchObject({ ok: true });
  });
  it('of a key that left the file are good as long as they live, and no longer', async () => {
    let now = 1_000;
    writeFileSync(file, `${OLD}\n`);
    const ring = openNonceKeys(file, { now: () => now, keepSeconds: 60, onProblem: () => {} });
    const [old] = ring.accepted();
    writeFileSync(file, `${NEW}\n`);
    await new Promise((resolve) => setTimeout(resolve, 1300));
    expect(ring.accepted()).toContainEqual(old);
    expect(ring.current()).not.toEqual(old);
    now += 60;
    expect(ring.accepted()).not.toContainEqual(old);
    ring.close();
  });
});
