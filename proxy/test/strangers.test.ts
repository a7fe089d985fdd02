/** What somebody without a good credential, or with another's, must not be able to change for the others. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lru } from '../src/checks/lru.js';
import { wallClock } from '../src/clock.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, seconds, thumbprint } from './support/mint.js';

let fixture: GatewayFixture;
afterEach(() => fixture.stop());
const client = ec();
const signed = (token: string, iat?: number, kid?: string) => ({
  authorization: `DPoP ${token}`,
  dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token, {
    ...(kid === undefined ? {} : { header: { kid } }),
    ...(iat === undefined ? {} : { claims: { iat } }),
  }),
});
const ask = (headers: Record<string, string>, path = '/mcp') =>
  fixture.ask({ method: 'POST', path, headers });

it('the headers of proofs are remembered only of callers whose tokens are good', async () => {
  fixture = await startFixture();
  const { set } = Lru.prototype;
  const remembered: string[] = [];
  Lru.prototype.set = function told(key: unknown, value: unknown) {
    remembered.push(String(key));
    set.call(this, key, value);
  };
  const headersOf = () =>
    remembered.filter((key) => Buffer.from(key, 'base64url').toString().includes('dpop+jwt')).length;
  const forged = accessToken(rsa(), { cnf: { jkt: thumbprint(client) } });
  for (const n of [1, 2, 3]) expect((await ask(signed(forged, undefined, `k${n}`))).status).toBe(401);
  expect(headersOf()).toBe(0);
  const good = () => accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  expect((await ask(signed(good(), undefined, 'x'.repeat(2_000)))).status).toBe(200);
  expect(headersOf()).toBe(0); // nor of whom has much to say
  for (let i = 0; i < 2; i++) expect((await ask(signed(good()))).status).toBe(200);
  expect(headersOf()).toBe(1);
  Lru.prototype.set = set;
});

it('a token that was seen before is no better than another when the key set is too old', async () => {
  let skew = 0;
  let up = true;
  let jwks = '';
  const issuer = http.createServer((_, response) =>
    up ? response.end(jwks) : response.writeHead(500).end(),
  );
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  try {
    fixture = await startFixture({
      clock: () => wallClock() + skew,
      change: (config) => {
        jwks = JSON.stringify({ keys: [] });
        Object.assign(config.issuers[0]!, {
          jwks: {
            url: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/`,
            refreshSeconds: 30,
            maxStaleSeconds: 0,
            cooldownSeconds: 1,
          },
        });
      },
    });
    jwks = JSON.stringify({ keys: [{ ...jwkOf(fixture.as), kid: 'as-1', alg: 'RS256' }] });
    for (let i = 0; i < 200 && (await fixture.admin('/readyz')).status !== 200; i++) await sleep(50);
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, exp: seconds() + 36_000 });
    expect((await ask(signed(token))).status).toBe(200);
    up = false;
    skew = 7_200;
    expect((await ask(signed(token, seconds() + skew))).status).toBe(503);
  } finally {
    issuer.close();
    issuer.closeAllConnections();
  }
}, 20_000);

it('opaque tokens without a subject are counted by their client', async () => {
  const introspection = http.createServer((message, response) => {
    let text = '';
    message
      .on('data', (chunk: Buffer) => {
        text += chunk.toString();
      })
      .on('end', () => {
        const token = new URLSearchParams(text).get('token')!;
        response.end(
          JSON.stringify({
            active: true,
            aud: `${ORIGIN}/mcp`,
            ...(token.startsWith('nobody') ? {} : { client_id: token }),
          }),
        );
      });
  });
  await new Promise<void>((resolve) => introspection.listen(0, '127.0.0.1', resolve));
  try {
    fixture = await startFixture({
      change: (config, { dir }) => {
        writeFileSync(join(dir, 'secret'), 'secret');
        Object.assign(config.issuers[0]!, {
          introspection: {
            url: `http://127.0.0.1:${(introspection.address() as AddressInfo).port}/`,
            clientId: 'gateway',
            clientSecret: { file: join(dir, 'secret') },
          },
        });
        Object.assign(config.routes[0]!, {
          rateLimit: { maxTokens: 1, tokensPerFill: 1, fillIntervalSeconds: 3600 },
          auth: { profile: 'mixed', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        });
      },
    });
    const statuses: number[] = [];
    for (const token of ['one', 'one', 'two', 'nobody-1', 'nobody-1', 'nobody-2'])
      statuses.push((await ask({ authorization: `Bearer ${token}` })).status);
    expect(statuses).toEqual([200, 429, 200, 200, 429, 200]);
  } finally {
    introspection.close();
    introspection.closeAllConnections();
  }
});

it('a preflight is answered by the route that answers the request', async () => {
  fixture = await startFixture({
    change: (config) => {
      const [route] = config.routes;
      config.routes = [
        { ...route!, allowedOrigins: ['https://a.example'] },
        { ...route!, name: 'admin', pathPrefix: '/mcp/admin', allowedOrigins: ['https://b.example'] },
      ] as typeof config.routes;
    },
  });
  const preflight = async (path: string, origin: string) =>
    (
      await fixture.ask({
        method: 'OPTIONS',
        path,
        headers: { origin, 'access-control-request-method': 'POST' },
      })
    ).status;
  expect([
    await preflight('/mcp/admin', 'https://b.example'),
    await preflight('/mcp/admin/x', 'https://a.example'),
    await preflight('/mcp', 'https://a.example'),
    await preflight('/mcp', 'https://b.example'),
  ]).toEqual([204, 405, 204, 405]);
  // And a prefix is one of whole segments, for both.
  expect([
    await preflight('/mcpx', 'https://a.example'),
    (await ask({}, '/mcpx')).status,
    (await ask({}, '/mcp/x')).status,
  ]).toEqual([404, 404, 401]);
});
