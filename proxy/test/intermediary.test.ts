/** A further proxy in the pod, as agentgateway is one, between the gateway and a server. */
import { parseConfig, type ConfigInput } from '../src/config/index.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

type RouteInput = Extract<ConfigInput['routes'][number], { kind: 'mcp' }>;

const MARK = 'x-backend-answered';
const client = ec();
let fixture: GatewayFixture;

const routeOf = (name: string, backend: RouteInput['backend']): RouteInput => ({
  kind: 'mcp',
  name,
  pathPrefix: `/${name}`,
  auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
  backend,
});

beforeAll(async () => {
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      const url = `http://127.0.0.1:${backendPort}`;
      config.routes = [
        routeOf('plain', { url }),
        routeOf('bound', { url, localAddress: '127.94.49.1' }),
        routeOf('other', { url, localAddress: '127.94.49.2' }),
        routeOf('behind', { url, answerMark: MARK }),
        routeOf('again', { url, answerMark: MARK }),
        {
          ...routeOf('hasty', { url, answerMark: MARK }),
          timeouts: { firstByteTimeoutSeconds: 1 },
        },
        {
          ...routeOf('rules', { url, answerMark: MARK }),
          allow: [{ method: 'tools/list' }],
        },
      ];
    },
  });
}, 20_000);
afterAll(() => fixture.stop());

const ask = (path: string, method = 'POST', body?: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const headers = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, method, ORIGIN + path, token),
    'content-type': 'application/json',
  };
  return fixture.ask({ method, path, headers, ...(body === undefined ? {} : { body }) });
};
/** As agentgateway 1.4.1 answers by itself. */
const answersItself = (status: number, text: string) => {
  fixture.answer = (_, response) => response.writeHead(status, { 'Content-Type': 'text/plain' }).end(text);
};
const problems = (backend: RouteInput['backend']) => {
  const parsed = parseConfig({
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'x', jwks: { file: '/x' } }],
    replay: { store: 'memory' },
    routes: [routeOf('mcp', backend)],
  });
  return parsed.ok ? [] : parsed.problems;
};
const lastLine = async () => (await fixture.audit()).at(-1)!;
const LIST = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/list' });

describe('an error that what stands in between made itself', () => {
  it.each([
    [503, 'upstream call failed: SendRequest: connection error 10.1.2.3:5000', 'upstream_unreachable', 502],
    [503, 'invalid peer certificate: certificate not valid for name "mcp"', 'upstream_unreachable', 502],
    [502, 'bad gateway', 'upstream_unreachable', 502],
    [504, 'request timeout', 'upstream_timeout', 504],
    [500, 'processing failed', 'upstream_failed', 502],
    [400, 'bad request', 'upstream_not_asked', 502],
    [401, 'authentication failure: no bearer token found', 'upstream_not_asked', 502],
    [403, 'authorization failed', 'upstream_not_asked', 502],
    [404, 'route not found', 'upstream_not_asked', 502],
    [429, 'rate limit exceeded', 'upstream_not_asked', 502],
  ])('%i "%s" is %s, and its words are for the operator alone', async (status, text, reason, told) => {
    answersItself(status, text);
    for (const path of ['/behind', '/rules']) {
      const answer = await ask(path, 'POST', LIST);
      expect([answer.status, answer.headers['content-type']]).toEqual([told, 'application/json']);
      expect(answer.text).toContain(reason);
      expect(answer.text).not.toContain(text);
      const line = await lastLine();
      expect(line).toMatchObject({ reason, 'response.status': told });
      expect(line.detail).toBe(`between gateway and backend, status ${status}: ${text}`);
    }
    expect((await fixture.admin('/metrics')).text).toMatch(
      new RegExp(`^agentgateway_refusals_total\\{route="behind",reason="${reason}"\\} [1-9]`, 'm'),
    );
  });
  it('is an error of JSON-RPC with the id of the request, where its body was read', async () => {
    answersItself(503, 'upstream call failed');
    expect(JSON.parse((await ask('/rules', 'POST', LIST)).text)).toMatchObject({ jsonrpc: '2.0', id: 7 });
  });
  it('is shown to operators on one line of ASCII, cut, however long it is and whatever it repeats', async () => {
    answersItself(503, `a\r\nb\u001b[31m\u2028\0"${'x'.repeat(100_000)}`);
    expect((await ask('/behind')).status).toBe(502);
    const { detail } = (await lastLine()) as { detail: string };
    expect(detail).toMatch(/^between gateway and backend, status 503: a b \[31m "x+…$/);
    expect(detail.length).toBeLessThanOrEqual(201);
  });
  it('is one without a body, too, and one that is cut off', async () => {
    answersItself(503, '');
    expect((await ask('/behind')).status).toBe(502);
    expect(await lastLine()).toMatchObject({ detail: 'between gateway and backend, status 503: ' });
    fixture.answer = (_, response) => {
      response.writeHead(503, { 'Content-Length': '100' }).write('upstream');
      setTimeout(() => response.destroy(), 20);
    };
    expect((await ask('/behind')).status).toBe(502);
    expect(await lastLine()).toMatchObject({
      reason: 'upstream_unreachable',
      detail: 'between gateway and backend, status 503: upstream',
    });
  });
  it('that is short leaves its connection for the next request, one that is long does not', async () => {
    const ports = new Set<number | undefined>();
    const answersWith = (text: string) => {
      fixture.answer = (message, response) => {
        ports.add(message.socket.remotePort);
        response.writeHead(503).end(text);
      };
    };
    answersWith('upstream call failed');
    for (let i = 0; i < 5; i++) expect((await ask('/again')).status).toBe(502);
    expect(ports.size).toBe(1);
    answersWith('x'.repeat(1_000_000));
    for (let i = 0; i < 3; i++) expect((await ask('/again')).status).toBe(502);
    expect(ports.size).toBe(3);
  });
  it('that does not end is not waited for longer than a backend is', async () => {
    fixture.answer = (_, response) => {
      response.writeHead(503, { 'Content-Length': '100' }).write('upstream');
    };
    const began = performance.now();
    expect((await ask('/hasty')).status).toBe(504);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(await lastLine()).toMatchObject({ reason: 'upstream_timeout' });
  });
});

describe("a backend's own answer behind it", () => {
  it.each([200, 202, 400, 403, 404, 405, 500, 503])(
    '%i reaches the client, without the mark',
    async (status) => {
      fixture.answer = (_, response) => {
        response.writeHead(status, { 'X-Backend-Answered': '0.002s', 'Content-Type': 'application/json' });
        response.end(status === 202 ? undefined : '{"own":true}');
      };
      const answer = await ask('/behind');
      expect(answer.status).toBe(status);
      expect(answer.headers).not.toHaveProperty(MARK);
      if (status !== 202) expect(answer.text).toBe('{"own":true}');
      expect(await lastLine()).toMatchObject({ reason: 'ok', 'response.status': status });
    },
  );
  it('that is no error passes without the mark, too: what stands in between makes errors only', async () => {
    fixture.answer = (_, response) => response.writeHead(200).end('{}');
    expect((await ask('/behind')).status).toBe(200);
  });
  it('goes to the client as it is, mark or not, where nothing stands in between', async () => {
    answersItself(503, 'busy');
    const answer = await ask('/plain');
    expect([answer.status, answer.text]).toEqual([503, 'busy']);
  });
  it.each(['X-Mark', 'mark', 'x-', 'x_mark', 'content-type', ''])(
    'is not marked by a field %j',
    (answerMark) => {
      expect(problems({ url: 'http://127.0.0.1:8081', answerMark })).toEqual([
        expect.stringMatching(/^routes\[0\]\.backend\.answerMark: must be a lower-case field name/),
      ]);
    },
  );
});

describe('the address that a backend is called from', () => {
  it("is the route's, on every connection, and of no other route", async () => {
    const from: (string | undefined)[] = [];
    fixture.answer = (message, response) => {
      from.push(message.socket.remoteAddress);
      response.writeHead(200, { Connection: 'close' }).end('{}');
    };
    for (const path of ['/bound', '/plain', '/other', '/bound']) expect((await ask(path)).status).toBe(200);
    expect(from).toEqual(['127.94.49.1', '127.0.0.1', '127.94.49.2', '127.94.49.1']);
  });
  it.each(['10.0.0.1', '127.0.0', '::1', 'localhost', '127.1', '127.0.0.1 ', ''])(
    'is not %j',
    (localAddress) => {
      expect(problems({ url: 'http://127.0.0.1:8081', localAddress })).toEqual([
        expect.stringMatching(/^routes\[0\]\.backend\.localAddress: must be an IPv4 loopback address/),
      ]);
    },
  );
  it.each<RouteInput['backend']>([
    { url: 'http://mcp:5000' },
    { url: 'http://127.0.0.1:8081', endpoints: ['http://127.0.0.1:8081', 'http://mcp:5000'] },
  ])('is for a backend on loopback alone, not for %j', (backend) => {
    expect(problems({ ...backend, localAddress: '127.94.49.1' })).toEqual([
      'routes[0].backend.localAddress: must go with a backend on loopback: nothing else can be reached from ' +
        'there, got "http://mcp:5000"; leave it out',
    ]);
  });
});

it('the URLs that redirects begin with have one path', () => {
  const redirectBases = ['https://a.svc/inner', 'https://b.svc/inner'];
  const url = 'http://127.0.0.1:8081';
  expect(problems({ url, redirectBases })).toEqual([]);
  expect(problems({ url, redirectBases: [...redirectBases, 'https://c.svc/other'] })).toEqual([
    'routes[0].backend.redirectBases: must have the same path in each URL, got "https://a.svc/inner" and ' +
      '"https://c.svc/other"',
  ]);
  expect(problems({ url, redirectBases: [] })).toEqual([
    expect.stringContaining('routes[0].backend.redirectBases: must list at least one item'),
  ]);
});
