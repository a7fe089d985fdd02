/**
 * Not ready while something is missing, by name, and ready when it comes; alive all the while: no outage of a
 * dependency restarts a replica.
 */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasRedis, RedisProcess } from './replay/redis-process.js';
import { freePort, ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, jwkOf, proof, thumbprint } from './support/mint.js';

const client = ec();
let fixture: GatewayFixture;
afterEach(() => fixture.stop());

const waitingFor = async (): Promise<string[]> => {
  const [alive, ready, health] = [
    await fixture.admin('/livez'),
    await fixture.admin('/readyz'),
    await fixture.ask({ path: '/healthz' }),
  ];
  expect([alive.status, alive.text, health.status]).toEqual([200, '{"status":"ok"}', 200]);
  const said = JSON.parse(ready.text) as { status: string; waitingFor: string[] };
  expect([ready.status, said.status]).toEqual(
    said.waitingFor.length === 0 ? [200, 'ok'] : [503, 'not ready'],
  );
  return said.waitingFor;
};
const waitsFor = async (want: string[]) => {
  for (let i = 0; i < 200 && JSON.stringify(await waitingFor()) !== JSON.stringify(want); i++)
    await sleep(25);
  expect(await waitingFor()).toEqual(want);
  expect(await measured()).toEqual(want);
};
/** The same by the metrics, which alerts read. */
const measured = async () => {
  const { text } = await fixture.admin('/metrics');
  const what = [...text.matchAll(/^agentgateway_waiting_for\{what="(.+)"\} 1$/gm)].map(([, name]) => name);
  expect(/^agentgateway_ready (\d)$/m.exec(text)?.[1]).toBe(what.length === 0 ? '1' : '0');
  return what;
};
/** As a client does it: the nonce of a refusal goes into the next proof. */
const ask = async (path = '/mcp', nonce?: unknown): Promise<number | undefined> => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const dpop = proof(client, 'POST', ORIGIN + path, token, { claims: nonce === undefined ? {} : { nonce } });
  const { status, headers } = await fixture.ask({
    method: 'POST',
    path,
    headers: { authorization: `DPoP ${token}`, dpop },
  });
  const given = headers['dpop-nonce'];
  return status === 401 && given !== undefined && nonce === undefined ? ask(path, given) : status;
};

if (!hasRedis()) {
  if (process.env.CI)
    it('finds a Redis to wait for', () => {
      throw new Error('no redis-server or valkey-server in PATH');
    });
  else it.skip('Redis: no redis-server or valkey-server in PATH', () => {});
}
(hasRedis() ? it : it.skip)(
  'without Redis, at the start and later',
  async () => {
    const redis = await RedisProcess.start();
    await redis.kill();
    try {
      fixture = await startFixture({
        change: (config) => {
          config.replay = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeoutSeconds: 0.2 };
        },
      });
      expect(await waitingFor()).toEqual(['replay store']);
      expect(await ask()).toBe(503);
      for (let round = 0; round < 2; round++) {
        await redis.restart();
        await waitsFor([]);
        expect(await ask()).toBe(200);
        await redis.kill();
        await waitsFor(['replay store']);
        expect(await ask()).toBe(503);
      }
    } finally {
      await redis.stop();
    }
  },
  20_000,
);

it('with a nonce file that is empty', async () => {
  let file = '';
  fixture = await startFixture({
    change: (config, { dir }) => {
      file = join(dir, 'nonce-keys');
      writeFileSync(file, '');
      const [mcp] = config.routes;
      config.routes.push({
        ...mcp!,
        name: 'nonce',
        pathPrefix: '/nonce',
        auth: { ...mcp!.auth, nonce: { keys: { file } } },
      } as typeof mcp & object);
    },
  });
  expect(await waitingFor()).toEqual([`nonce keys ${file}`]);
  expect(fixture.warnings.join()).toContain('there is no nonce key');
  expect(await ask('/nonce')).toBeGreaterThanOrEqual(401);
  expect(fixture.seen).toEqual([]);
  expect(await ask('/mcp')).toBe(200); // what needs no nonce goes on
  writeFileSync(file, 'n'.repeat(32));
  await waitsFor([]);
});

it('with a key set whose server is away', async () => {
  const port = await freePort();
  fixture = await startFixture({
    change: (config) => {
      config.issuers.push({
        name: 'away',
        issuer: 'https://away.example',
        jwks: { url: `http://127.0.0.1:${port}/jwks`, cooldownSeconds: 1, timeoutSeconds: 0.5 },
      });
      const [mcp] = config.routes;
      config.routes.push({
        ...mcp!,
        name: 'away',
        pathPrefix: '/away',
        auth: { ...mcp!.auth, issuers: ['away'] },
      });
    },
  });
  await waitsFor(['keys of issuer away']);
  expect(await ask('/mcp')).toBe(200);
  const server = http.createServer((_, response) =>
    response.end(JSON.stringify({ keys: [{ ...jwkOf(fixture.as), kid: 'as-1', alg: 'RS256', use: 'sig' }] })),
  );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await waitsFor([]);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await sleep(1_200);
  expect(await waitingFor()).toEqual([]); // what was fetched stays in use
}, 15_000);
