/** Where each bound lies exactly, whom it counts together, and what the refused one is told. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClock } from '../src/clock.js';
import { ORIGIN, startFixture, type Answer, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, seconds, thumbprint, type Pair } from './support/mint.js';
import { refusalIn } from './support/refusal.js';

const [alice, bob] = [ec(), ec()];
let ahead = 0;
let fixture: GatewayFixture;
const start = async (change: NonNullable<Parameters<typeof startFixture>[0]>['change']) => {
  fixture = await startFixture({ clock: () => wallClock() + ahead, change: change! });
};
beforeEach(() => {
  ahead = 0;
});
afterEach(() => fixture.stop());

const credentials = (client: Pair, path = '/mcp') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return {
    authorization: `DPoP ${token}`,
    dpop: proof(client, 'POST', ORIGIN + path, token, { claims: { iat: seconds() + ahead } }),
  };
};
const ask = (client: Pair, path = '/mcp', from?: string): Promise<Answer> =>
  fixture.ask({
    method: 'POST',
    path,
    headers: { ...credentials(client, path), ...(from === undefined ? {} : { 'x-forwarded-for': from }) },
  });
const metric = async (line: string) =>
  Number(
    (await fixture.admin('/metrics')).text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );

describe('a rate limit', () => {
  it.each([
    ['route', [200, 200, 429, 429]],
    ['caller', [200, 200, 200, 200]],
  ] as const)('per %s', async (per, want) => {
    await start((config) => {
      config.routes[0]!.rateLimit = { maxTokens: 2, tokensPerFill: 1, fillIntervalSeconds: 60, per };
    });
    const statuses = [];
    for (const client of [alice, bob, alice, bob]) statuses.push((await ask(client)).status);
    expect(statuses).toEqual(want);
    expect((await ask(alice)).status).toBe(429); // the third of her own
    expect(fixture.seen).toHaveLength(want.filter((status) => status === 200).length);
  });
  it('tells the refused one when to come again, and nothing of credentials; then it may', async () => {
    await start((config) => {
      config.routes[0]!.rateLimit = { maxTokens: 1, tokensPerFill: 1, fillIntervalSeconds: 30 };
    });
    expect((await ask(alice)).status).toBe(200);
    const { status, headers, text } = await ask(alice);
    expect([status, headers['cache-control'], headers['content-type'], refusalIn(text)]).toEqual([
      429,
      'no-store',
      'application/json',
      'rate_limited',
    ]);
    expect(headers['retry-after']).toMatch(/^(29|30)$/);
    expect(headers['ratelimit-policy']).toBe('"mcp";q=1;w=30');
    expect(headers.ratelimit).toBe(`"mcp";r=0;t=${headers['retry-after']}`);
    expect(headers).not.toHaveProperty('www-authenticate');
    ahead = Number(headers['retry-after']);
    expect((await ask(alice)).status).toBe(200);
  });
});

describe('an address that keeps being refused', () => {
  it('is told when to come again, and nothing of the limits of a route; then it may', async () => {
    await start((config) => {
      config.limits = { refusalsPerAddress: { maxTokens: 2, tokensPerSecond: 1 } };
      config.routes[0]!.rateLimit = { maxTokens: 9, tokensPerFill: 1 };
    });
    for (let i = 0; i < 2; i++)
      expect(
        (await fixture.ask({ method: 'POST', path: '/mcp', headers: { authorization: 'DPoP x' } })).status,
      ).toBe(401);
    const { status, headers, text } = await ask(alice);
    expect([status, headers['retry-after'], headers['cache-control'], refusalIn(text)]).toEqual([
      429,
      '1',
      'no-store',
      'address_limited',
    ]);
    for (const name of ['ratelimit', 'ratelimit-policy', 'www-authenticate'])
      expect(headers).not.toHaveProperty(name);
    ahead = 1;
    expect((await ask(alice)).status).toBe(200);
  });
});

describe('requests of one address', () => {
  beforeEach(() =>
    start((config) => {
      config.trustedPeers = ['127.0.0.0/8'];
      config.limits = { requestsPerAddress: { maxTokens: 3, tokensPerSecond: 1 } };
    }),
  );
  it('count whatever becomes of them, and are refused before anything is looked at', async () => {
    const from = '203.0.113.1';
    const other = { 'x-forwarded-for': from };
    expect((await ask(alice, '/mcp', from)).status).toBe(200);
    expect((await fixture.ask({ path: '/nowhere', headers: other })).status).toBe(404);
    expect((await fixture.ask({ path: '/mcp', headers: other })).status).toBe(401);
    const spared = { method: 'POST', path: '/mcp', headers: { ...credentials(alice), ...other } };
    const { status, headers, text } = await fixture.ask(spared);
    expect([status, headers['retry-after'], refusalIn(text)]).toEqual([429, '1', 'address_limited']);
    for (const bad of ['/nowhere', '/mcp/..%2fx', `/mcp/${'a'.repeat(9000)}`])
      expect((await fixture.ask({ path: bad, headers: other })).status).toBe(429);
    expect((await fixture.audit()).at(-1)).toMatchObject({
      reason: 'address_limited',
      'client.address': from,
    });
    ahead = 1;
    expect((await fixture.ask(spared)).status).toBe(200); // its proof was not spent
    expect((await ask(alice, '/mcp', from)).status).toBe(429);
  });
  it.each([
    ['IPv4 addresses', ['203.0.113.1', '203.0.113.1', '203.0.113.1'], '203.0.113.1', '203.0.113.2'],
    [
      'IPv6 addresses of one /64',
      ['2001:db8:1:2::1', '2001:DB8:1:2:ffff:0:0:9', '2001:0db8:0001:0002::a'],
      '2001:db8:1:2:3:4:5:6',
      '2001:db8:1:3::1',
    ],
  ])('are counted together for %s, and for no other', async (_, those, same, another) => {
    for (const from of those) expect((await ask(alice, '/mcp', from)).status).toBe(200);
    expect((await ask(alice, '/mcp', same)).status).toBe(429);
    expect((await ask(alice, '/mcp', another)).status).toBe(200);
  });
  it('leave the probe of whoever balances load alone', async () => {
    for (let i = 0; i < 5; i++) expect((await fixture.ask({ path: '/healthz' })).status).toBe(200);
  });
});

describe('a header block', () => {
  const MAX = 4096;
  beforeEach(() =>
    start((config) => {
      config.limits = { maxHeaderBytes: MAX };
    }),
  );
  /**
   * What node:http counts (node_http_parser.cc, TrackHeader): the target, the names and the values, not what
   * stands between them; as many as the bound are too many.
   */
  const ofSize = (size: number) => {
    const fields = { host: 'gw.example', connection: 'close', ...credentials(alice), 'content-length': '0' };
    const counted =
      '/mcp'.length +
      Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    const name = 'x-filler';
    const lines = Object.entries({ ...fields, [name]: 'x'.repeat(size - counted - name.length) })
      .map(([k, v]) => `${k}: ${v}\r\n`)
      .join('');
    return `POST /mcp HTTP/1.1\r\n${lines}\r\n`;
  };
  it.each([
    [MAX - 1, 200],
    [MAX, 431],
    [MAX + 1, 431],
  ])('that counts %i bytes: %i', async (size, status) => {
    expect(await fixture.raw(ofSize(size))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(fixture.seen).toHaveLength(status === 200 ? 1 : 0);
  });
  it('that is too large closes its connection: nothing behind it is a request', async () => {
    const got = await fixture.raw(`${ofSize(MAX)}${ofSize(1500)}`);
    expect(got.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(fixture.seen).toEqual([]);
  });
});

describe('connections altogether', () => {
  const MOST = 5;
  it('are so many and no more; when one closes another may come', async () => {
    await start((config) => {
      config.limits = { maxConnections: MOST };
    });
    const open = (): Promise<net.Socket | undefined> =>
      new Promise((resolve) => {
        const socket = net.connect(fixture.gateway.port, '127.0.0.1');
        socket
          .on('error', () => {})
          .on('close', () => resolve(undefined))
          .resume();
        setTimeout(() => resolve(socket.destroyed ? undefined : socket), 150);
      });
    const sockets = await Promise.all(Array.from({ length: MOST + 3 }, open));
    expect(sockets.filter((s) => s !== undefined)).toHaveLength(MOST);
    expect(await metric('agentgateway_connections_refused_total{cause="total"}')).toBe(3);
    expect(await metric('agentgateway_connections_refused_total{cause="address"}')).toBe(0);
    await expect(ask(alice)).rejects.toThrow();
    sockets.find((s) => s !== undefined)!.destroy();
    await sleep(50);
    expect((await ask(alice)).status).toBe(200);
    for (const socket of sockets) socket?.destroy();
  });
});
