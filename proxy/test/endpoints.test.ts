/** Several endpoints of one backend, with sessions in their memory; a backend that asks for a certificate. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClock } from '../src/clock.js';
import { hasRedis, RedisProcess } from './replay/redis-process.js';
import { ORIGIN, freePort, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { refusalIn } from './support/refusal.js';

const client = ec();
const ask = (fixture: GatewayFixture, headers: Record<string, string> = {}, method = 'POST') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return fixture.ask({
    method,
    path: '/mcp',
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, method, `${ORIGIN}/mcp`, token),
      ...headers,
    },
  });
};
const listen = (server: http.Server, port = 0) =>
  new Promise<number>((resolve) =>
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
const shut = (server: http.Server) =>
  new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });

describe('several endpoints', () => {
  const EJECT = 30;
  let ahead = 0;
  let fixture: GatewayFixture;
  let servers: http.Server[];
  let ports: number[];
  let status = [200, 200, 200];
  /** Which endpoint got what session, in order. */
  let got: [number, string | undefined][];
  const server = (i: number) =>
    http.createServer((message, response) => {
      got.push([i, message.headers['mcp-session-id'] as string | undefined]);
      message
        .resume()
        .on('end', () =>
          response.writeHead(status[i]!, { 'Mcp-Session-Id': `session-of-${i}` }).end(String(i)),
        );
    });
  beforeEach(async () => {
    [ahead, got, status] = [0, [], [200, 200, 200]];
    servers = [0, 1, 2].map(server);
    ports = await Promise.all(servers.map((s) => listen(s)));
    fixture = await startFixture({
      clock: () => wallClock() + ahead,
      change: (config) => {
        const route = config.routes[0] as Extract<(typeof config.routes)[number], { kind: 'mcp' }>;
        route.backend = {
          url: `http://127.0.0.1:${ports[0]!}`,
          endpoints: ports.map((port) => `http://127.0.0.1:${port}`),
          outlier: { consecutiveFailures: 2, ejectSeconds: EJECT },
        };
        config.upstream = { firstByteTimeoutSeconds: 1 };
      },
    });
  });
  afterEach(async () => {
    await fixture.stop();
    await Promise.all(servers.map(shut));
  });

  it('share new sessions', async () => {
    for (let i = 0; i < 9; i++)
      expect(await ask(fixture)).toMatchObject({ status: 200, text: expect.stringMatching(/^[012]$/) });
    expect([0, 1, 2].map((i) => got.filter(([at]) => at === i).length)).toEqual([3, 3, 3]);
  });
  it('leave out one that does not answer, whether or not its clients wait', async () => {
    servers[0]!.removeAllListeners('request').on('request', (message) => {
      got.push([0, undefined]);
      message.resume();
    });
    const leave = (port: number) =>
      new Promise<void>((resolve) => {
        const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
        const out = http.request({
          host: '127.0.0.1',
          port,
          method: 'POST',
          path: '/mcp',
          agent: false,
          headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token) },
        });
        out.on('error', () => resolve()).end();
        setTimeout(() => out.destroy(), 100);
        out.on('close', () => resolve());
      });
    const mute = () => got.filter(([at]) => at === 0).length;
    // A timeout, clients that leave, a timeout: two failures in a row.
    while (mute() < 1) await ask(fixture);
    for (const before = mute(); mute() < before + 2;) await leave(fixture.gateway.port);
    for (const before = mute(); mute() < before + 1;) await ask(fixture);
    const after = mute();
    for (let i = 0; i < 9; i++) expect((await ask(fixture)).status).toBe(200);
    expect(mute()).toBe(after);
  }, 15_000);
  it('leave out one that cuts its answers off', async () => {
    servers[0]!.removeAllListeners('request').on('request', (_, response) => {
      got.push([0, undefined]);
      response
        .writeHead(200, { 'Content-Length': 10 })
        .write('x', () => setTimeout(() => response.destroy(), 10));
    });
    for (let i = 0; i < 12; i++) await ask(fixture).catch(() => {});
    expect(got.filter(([at]) => at === 0)).toHaveLength(2);
  });
  it('keep their sessions, which the backend sees under its own name', async () => {
    const first = await ask(fixture);
    const session = first.headers['mcp-session-id'] as string;
    expect(session).toMatch(/^[\w-]{22}\.[\w-]{8}\.session-of-\d$/);
    for (const method of ['POST', 'GET', 'POST', 'DELETE', 'POST'])
      expect((await ask(fixture, { 'mcp-session-id': session }, method)).text).toBe(first.text);
    expect(got.slice(1)).toEqual(Array(5).fill([Number(first.text), `session-of-${first.text}`]));
  });
  (hasRedis() ? it : it.skip)(
    'keep them over replicas that share a Redis, and know nothing else of each other',
    async () => {
      const redis = await RedisProcess.start();
      const replica = (order: readonly number[]) =>
        startFixture({
          change: (config) => {
            config.replay = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, epochMarginSeconds: 0 };
            (config.routes[0] as { backend: unknown }).backend = {
              url: `http://127.0.0.1:${ports[0]!}`,
              endpoints: order.map((port) => `http://127.0.0.1:${port}`),
            };
          },
        });
      const [one, two] = await Promise.all([replica(ports), replica([...ports].reverse())]);
      try {
        while ((await one.admin('/readyz')).status !== 200 || (await two.admin('/readyz')).status !== 200)
          await sleep(20);
        await sleep(1_000); // both have asked for the key, and the second in which the store began is over
        const first = await ask(one);
        const session = first.headers['mcp-session-id'] as string;
        for (let i = 0; i < 4; i++)
          expect((await ask(two, { 'mcp-session-id': session })).text).toBe(first.text);
      } finally {
        await Promise.all([one.stop(), two.stop()]);
        await redis.stop();
      }
    },
  );
  it.each(['session-of-0', 'AAAAAAAA.session-of-0', '', '.'])(
    'know no session %j: 404, so that the client begins anew',
    async (session) => {
      const answer = await ask(fixture, { 'mcp-session-id': session });
      expect([answer.status, refusalIn(answer.text), got]).toEqual([404, 'mcp_session_gone', []]);
    },
  );
  it('that fail twice in a row are left out for a while, and then tried again', async () => {
    status[1] = 503;
    const texts = [];
    for (let i = 0; i < 30; i++) texts.push((await ask(fixture)).text);
    expect(texts.filter((text) => text === '1')).toHaveLength(2);
    status[1] = 200;
    ahead = EJECT + 1;
    for (let i = 0; i < 9; i++) texts.push((await ask(fixture)).text);
    expect(texts.slice(30).filter((text) => text === '1')).toHaveLength(3);
  });
  it('that cannot be reached are left out too; with none that works all are tried', async () => {
    await shut(servers[2]!);
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push((await ask(fixture)).status);
    expect(answers.filter((s) => s === 502)).toHaveLength(2);
    status = [503, 503, 503];
    for (let i = 0; i < 10; i++) await ask(fixture);
    servers[2] = server(2);
    await listen(servers[2], ports[2]);
    const before = got.length;
    for (let i = 0; i < 6; i++) await ask(fixture);
    expect(got.length - before).toBe(6);
  });
  it('that are busy with a slow request get fewer', async () => {
    const held: (() => void)[] = [];
    await shut(servers[0]!);
    servers[0] = http.createServer((message, response) =>
      message.resume().on('end', () => {
        held.push(() => response.end('0'));
      }),
    );
    await listen(servers[0], ports[0]);
    const slow: Promise<unknown>[] = [];
    while (held.length === 0) {
      slow.push(ask(fixture));
      await sleep(20);
    }
    for (let i = 0; i < 10; i++) expect((await ask(fixture)).text).not.toBe('0');
    for (const answer of held) answer();
    await Promise.all(slow);
  });
});

describe('a backend that asks for a certificate', () => {
  it("gets the gateway's, and the new one after a rotation; its own must have the name of the config", async () => {
    const port = await freePort();
    const seen: (string | undefined)[] = [];
    let backend!: https.Server;
    const fixture = await startFixture({
      change: (config, { dir }) => {
        const file = (name: string) => join(dir, name);
        const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
        const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
        openssl(
          'req',
          '-x509',
          ...ecKey,
          '-days',
          '1',
          '-subj',
          '/CN=ca',
          '-keyout',
          file('ca.key'),
          '-out',
          file('ca.crt'),
        );
        const sign = (name: string, cn: string) => {
          writeFileSync(file('ext'), `subjectAltName=DNS:${cn}\n`);
          openssl('req', ...ecKey, '-subj', `/CN=${cn}`, '-keyout', file(`${name}.key`), '-out', file('csr'));
          openssl(
            'x509',
            '-req',
            '-in',
            file('csr'),
            '-CA',
            file('ca.crt'),
            '-CAkey',
            file('ca.key'),
            '-CAcreateserial',
            '-days',
            '1',
            '-extfile',
            file('ext'),
            '-out',
            file(`${name}.crt`),
          );
        };
        sign('server', 'mcp.internal');
        sign('client', 'gateway-1');
        sign('next', 'gateway-2');
        backend = https.createServer(
          {
            cert: readFileSync(file('server.crt')),
            key: readFileSync(file('server.key')),
            ca: readFileSync(file('ca.crt')),
            requestCert: true,
            rejectUnauthorized: true,
          },
          (message, response) => {
            seen.push((message.socket as TLSSocket).getPeerX509Certificate()?.subject);
            message.resume().on('end', () => response.writeHead(200, { Connection: 'close' }).end('{}'));
          },
        );
        const url = `https://127.0.0.1:${port}`;
        const backendOf = {
          url,
          caFile: file('ca.crt'),
          clientCertificate: { certFile: file('client.crt'), keyFile: file('client.key') },
          serverName: 'mcp.internal',
        };
        (config.routes[0] as { backend: unknown }).backend = backendOf;
        const { serverName: _, ...unnamed } = backendOf;
        const { clientCertificate: __, ...bare } = backendOf;
        config.routes.push(
          { ...config.routes[0]!, name: 'unnamed', pathPrefix: '/unnamed', backend: unnamed } as never,
          { ...config.routes[0]!, name: 'bare', pathPrefix: '/bare', backend: bare } as never,
        );
      },
    });
    try {
      await listen(backend, port);
      const to = (path: string) => {
        const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
        return fixture.ask({
          method: 'POST',
          path,
          headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
        });
      };
      expect((await to('/mcp')).status).toBe(200);
      expect((await to('/unnamed')).status).toBe(502); // the certificate is not for 127.0.0.1
      expect((await to('/bare')).status).toBe(502);
      for (const half of ['crt', 'key'])
        writeFileSync(join(fixture.dir, `client.${half}`), readFileSync(join(fixture.dir, `next.${half}`)));
      await sleep(1_300);
      expect((await to('/mcp')).status).toBe(200);
      expect(seen).toEqual(['CN=gateway-1', 'CN=gateway-2']);
    } finally {
      await fixture.stop();
      await shut(backend);
    }
  }, 15_000);
});
