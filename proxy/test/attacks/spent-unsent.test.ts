/**
 * The attack needs no attacker: a proxy in front sends a request again after 502 or 503, as haproxy does with
 * `retry-on 502 503`, and the client is told that its proof "was used before" though no backend ever had the request.
 * A proof is spent when its request may have reached the backend, and not before. What reached it stays spent.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, ORIGIN, request, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const client = ec();
const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0;
let fixture: GatewayFixture;
let deadPort: number;
let silent: net.Server;
beforeAll(async () => {
  deadPort = await freePort();
  // Takes a request and ends without an answer.
  silent = net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.destroy()));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  fixture = await startFixture({
    change: (config) => {
      const [mcp] = config.routes;
      config.routes = [
        { ...mcp!, name: 'limited', pathPrefix: '/limited', rateLimit: { maxTokens: 1, tokensPerFill: 1 } },
        { ...mcp!, name: 'dead', pathPrefix: '/dead', backend: { url: `http://127.0.0.1:${deadPort}` } },
        {
          ...mcp!,
          name: 'silent',
          pathPrefix: '/silent',
          backend: { url: `http://127.0.0.1:${(silent.address() as net.AddressInfo).port}` },
        },
      ] as typeof config.routes;
      config.routes.forEach((route) => {
        Object.assign(route.auth, { audiences: [`${ORIGIN}/mcp`] });
      });
    },
  });
});
afterAll(async () => {
  silent.close();
  await fixture.stop();
});

const askOf = (path: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const headers = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, 'POST', `${ORIGIN}${path}`, token),
  };
  return { method: 'POST', path, headers };
};

it('a refused connection leaves the proof unspent, and it passes once the backend is there', async () => {
  const ask = askOf('/dead');
  expect((await fixture.ask(ask)).status).toBe(502);
  expect((await fixture.ask(ask)).status).toBe(502);
  const backend = net.createServer((socket) =>
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'),
    ),
  );
  await new Promise<void>((resolve) => backend.listen(deadPort, '127.0.0.1', resolve));
  expect((await fixture.ask(ask)).status).toBe(200);
  expect((await fixture.ask(ask)).status).toBe(401);
  await new Promise((resolve) => backend.close(resolve));
});

it('a rate limit leaves the proof unspent, and it passes when the bucket has filled', async () => {
  expect((await fixture.ask(askOf('/limited'))).status).toBe(200);
  const ask = askOf('/limited');
  expect((await fixture.ask(ask)).status).toBe(429);
  await sleep(1_200);
  expect((await fixture.ask(ask)).status).toBe(200);
  await sleep(1_200);
  expect((await fixture.ask(ask)).status).toBe(401);
});

it('a backend that took the request and said nothing has had it: the proof stays spent', async () => {
  const ask = askOf('/silent');
  expect((await fixture.ask(ask)).status).toBe(502);
  const again = await fixture.ask(ask);
  expect([again.status, again.text]).toEqual([401, expect.stringContaining('used before')]);
});

(hasHaproxy ? it : it.skip)(
  'haproxy with retry-on 502 503 in front gets the request through when the backend comes up meanwhile',
  async () => {
    const front = await freePort();
    const file = join(fixture.dir, 'haproxy.cfg');
    writeFileSync(
      file,
      [
        'defaults',
        '  mode http',
        '  timeout connect 2s',
        '  timeout client 10s',
        '  timeout server 10s',
        '  retries 10',
        '  retry-on 502 503',
        'frontend f',
        `  bind 127.0.0.1:${front}`,
        '  default_backend b',
        'backend b',
        `  server gw 127.0.0.1:${fixture.gateway.port}`,
        '',
      ].join('\n'),
    );
    const haproxy: ChildProcess = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    try {
      for (let i = 0; i < 200; i++) {
        const up = await request(front, { path: '/healthz' }).catch(() => undefined);
        if (up?.status === 200) break;
        await sleep(25);
      }
      const answer = await request(front, askOf('/dead'));
      // Ten attempts at a port on which nobody listens: what the client gets is why, not that its proof was used
      // before.
      expect([answer.status, answer.text]).toEqual([502, expect.stringContaining('cannot be reached')]);
      const lines = (await fixture.audit()).filter(({ reason }) => reason === 'upstream_unreachable');
      expect(lines.length).toBeGreaterThan(3);
    } finally {
      haproxy.kill('SIGTERM');
    }
  },
  20_000,
);
