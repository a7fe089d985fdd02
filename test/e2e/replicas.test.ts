/**
 * Two gateways as processes of their own, from the shipped bundle, on one Redis: a proof that reaches both at
 * once passes once.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasRedis, RedisProcess } from '../../proxy/test/replay/redis-process.js';
import { ORIGIN, request } from '../../proxy/test/support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';

const ROUNDS = 5;

if (!hasRedis()) {
  const why = 'no redis-server or valkey-server in PATH';
  if (process.env.CI)
    it('finds a Redis to test against', () => {
      throw new Error(why);
    });
  else it.skip(`two replicas: ${why}`, () => {});
}

(hasRedis() ? describe : describe.skip)('two replicas on one Redis', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-replicas-'));
  const as = rsa();
  const client = ec();
  const gateways: GatewayProcess[] = [];
  let redis: RedisProcess;
  let backend: http.Server;
  let reached = 0;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    backend = http.createServer((message, response) => {
      reached += 1;
      message.resume().on('end', () => response.end('{}'));
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    writeFileSync(
      join(dir, 'jwks.json'),
      JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
    );
    for (const name of ['one', 'two']) {
      gateways.push(
        await startGatewayProcess(
          {
            version: 1,
            publicOrigins: [ORIGIN],
            replicas: 2,
            issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
            replay: { store: 'redis', url: `redis://127.0.0.1:${redis.port}` },
            routes: [
              {
                kind: 'mcp',
                name: 'mcp',
                pathPrefix: '/mcp',
                auth: { profile: 'dpop', issuers: ['as'] },
                backend: { url: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` },
              },
            ],
            audit: { file: join(dir, `${name}.jsonl`) },
            drainSeconds: 1,
          },
          { dir, name },
        ),
      );
    }
  }, 30_000);
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    backend.closeAllConnections();
    backend.close();
    await redis.stop();
    rmSync(dir, { recursive: true });
  });

  it(`the same proof 100 times at once, to both: one 2xx, 99 401, one upstream; ${ROUNDS} rounds`, async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const token = accessToken(as, { cnf: { jkt: thumbprint(client) } });
      const headers = { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token) };
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          request(gateways[i % 2]!.port, { method: 'POST', path: '/mcp', headers }),
        ),
      );
      expect(answers.filter(({ status }) => status >= 200 && status < 300)).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(99);
      expect(reached).toBe(round);
    }
  }, 30_000);
});
