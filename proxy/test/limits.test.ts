/** What bounds a client from outside: its connections, the pace of its bodies, its rate as the answer says it. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';
import { bodyPace } from '../src/http/body-pace.js';

const client = ec();
const MOST = 10;
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      config.limits = {
        maxConnectionsPerAddress: MOST,
        bodyIdleTimeoutSeconds: 1,
        minBodyBytesPerSecond: 100,
      };
      const [mcp] = config.routes;
      config.routes.push(
        {
          ...mcp!,
          name: 'limited',
          pathPrefix: '/limited',
          rateLimit: { maxTokens: 2, tokensPerFill: 1, fillIntervalSeconds: 60 },
        },
        { ...mcp!, name: 'ruled', pathPrefix: '/ruled', allow: [{ method: 'ping' }] } as typeof mcp & object,
      );
    },
  });
});
afterAll(() => fixture.stop());

const credentials = (path: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) };
};
const metric = async (line: string) =>
  Number(
    (await fixture.admin('/metrics')).text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );

it('answers of a limited route say what is left, a refusal when to come again; no backend contradicts', async () => {
  fixture.answer = (_, response) =>
    response.writeHead(200, { RateLimit: '"theirs";r=9', 'RateLimit-Policy': '"theirs";q=9' }).end('{}');
  const answers = [];
  for (let i = 0; i < 3; i++)
    answers.push(await fixture.ask({ method: 'POST', path: '/limited', headers: credentials('/limited') }));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers.map(({ headers }) => headers['ratelimit-policy'])).toEqual(
    Array(3).fill('"limited";q=2;w=120'),
  );
  expect(answers[0]!.headers.ratelimit).toMatch(/^"limited";r=1;t=(59|60)$/);
  expect(answers[2]!.headers.ratelimit).toMatch(/^"limited";r=0;t=(59|60)$/);
  expect(answers[2]!.headers['retry-after']).toMatch(/^(59|60)$/);
  fixture.answer = (_, response) => response.end('{}');
  expect(
    (await fixture.ask({ method: 'POST', path: '/mcp', headers: credentials('/mcp') })).headers.ratelimit,
  ).toBe(undefined);
});

it('one address has so many connections and no more; when one closes another may come', async () => {
  const open = () =>
    net
      .connect(fixture.gateway.port, '127.0.0.1')
      .on('error', () => {})
      .resume();
  await sleep(50);
  const sockets = Array.from({ length: MOST + 5 }, open);
  try {
    const closed = () => sockets.filter(({ destroyed }) => destroyed).length;
    await until(() => closed() >= 5);
    await sleep(150);
    expect(closed()).toBe(5);
    expect(await metric('agentgateway_connections_refused_total{cause="address"}')).toBe(5);
    const another = open();
    await until(() => another.destroyed);
    sockets.find(({ destroyed }) => !destroyed)!.destroy();
    await until(async () => (await fixture.ask({ path: '/healthz' }).catch(() => undefined))?.status === 200);
  } finally {
    for (const socket of sockets) socket.destroy();
    await sleep(50);
  }
});

describe('a body', () => {
  const drip = (path: string, everyMs: number, bytes: number) =>
    new Promise<{ ms: number; got: string }>((resolve) => {
      const began = performance.now();
      let got = '';
      const lines = Object.entries(credentials(path))
        .map(([k, v]) => `${k}: ${v}\r\n`)
        .join('');
      const socket = net.connect(fixture.gateway.port, '127.0.0.1', () =>
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n${lines}\r\n`,
        ),
      );
      const timer = setInterval(() => socket.write('x'.repeat(bytes)), everyMs);
      socket
        .on('data', (chunk) => {
          got += chunk.toString();
        })
        .on('error', () => {})
        .on('close', () => {
          clearInterval(timer);
          resolve({ ms: performance.now() - began, got });
        });
    });
  it.each(['/mcp', '/ruled'])('that drips, never silent, is cut off on %s all the same', async (path) => {
    const { ms, got } = await drip(path, 200, 1);
    expect(got).toMatch(/^HTTP\/1\.1 408 /);
    expect(ms).toBeLessThan(2_000);
  });
  it('that keeps its pace goes on beyond the idle time', async () => {
    const { ms, got } = await drip('/mcp', 100, 50);
    expect(got).toMatch(/^HTTP\/1\.1 200 /);
    expect(ms).toBeGreaterThan(1_500);
  });
  it('has the idle time from byte to byte, and its rate on the whole', async () => {
    const pace = bodyPace({ bodyIdleTimeoutSeconds: 0.2, minBodyBytesPerSecond: 100 } as Parameters<
      typeof bodyPace
    >[0]);
    expect(pace(0)).toBeCloseTo(0.2, 1);
    await sleep(300);
    expect(pace(0)).toBeLessThan(0);
    expect(pace(100)).toBe(0.2);
    expect(
      bodyPace({ bodyIdleTimeoutSeconds: 3, minBodyBytesPerSecond: 0 } as Parameters<typeof bodyPace>[0])(0),
    ).toBe(3);
  });
});
