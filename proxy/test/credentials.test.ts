/**
 * What the gateway shows of itself to a backend, to whom it shows it, and how long it waits for one that does
 * not even shake hands.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net, { type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { ORIGIN, startFixture, type Answer, type GatewayFixture } from './support/gateway.js';
import { startKube, type Kube } from './support/kube.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const CONNECT_SECONDS = 0.5;
const client = ec();
const SECRET = 'dGhlOmdhdGV3YXk=';
const MINE = 'of-the-client';
/** Header and prefix of a credential, and what the backend is to get. */
const SCHEMES = {
  'api-key': { header: 'x-api-key', prefix: '', want: SECRET },
  basic: { header: 'authorization', prefix: 'Basic ', want: `Basic ${SECRET}` },
  bearer: { header: 'authorization', prefix: 'Bearer ', want: `Bearer ${SECRET}` },
  'of-mcp': { header: 'mcp-key', prefix: 'v1 ', want: `v1 ${SECRET}` }, // a client's mcp-* passes elsewhere
} as const;
let fixture: GatewayFixture;
let kube: Kube;
let mute: net.Server;
const held = new Set<Socket>();

beforeAll(async () => {
  mute = net.createServer((socket) => {
    held.add(socket);
    socket
      .on('error', () => {})
      .on('close', () => held.delete(socket))
      .resume();
  });
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  fixture = await startFixture({
    change: (config, { backendPort, dir }) => {
      config.upstream = { connectTimeoutSeconds: CONNECT_SECONDS };
      const { auth } = config.routes[0]!;
      writeFileSync(join(dir, 'credential'), `${SECRET}\n`);
      const url = `http://127.0.0.1:${backendPort}`;
      for (const [name, { header, prefix }] of Object.entries(SCHEMES)) {
        config.routes.push({
          kind: 'mcp',
          name,
          pathPrefix: `/${name}`,
          auth,
          backend: { url, credential: { kind: 'file', file: join(dir, 'credential'), header, prefix } },
        });
      }
      config.routes.push({
        kind: 'mcp',
        name: 'mute',
        pathPrefix: '/mute',
        auth,
        backend: { url: `https://127.0.0.1:${(mute.address() as AddressInfo).port}` },
      });
    },
  });
  kube = await startKube(fixture.dir);
}, 20_000);
afterAll(async () => {
  await fixture.stop();
  await kube.stop();
  for (const socket of held) socket.destroy();
  await new Promise((resolve) => mute.close(resolve));
});
beforeEach(() => {
  fixture.seen.length = 0;
  kube.seen.length = 0;
  kube.status = undefined;
});

const ask = (
  to: GatewayFixture,
  path: string,
  { method = 'POST', more = {} }: { method?: string; more?: Record<string, string> } = {},
): Promise<Answer> => {
  const token = accessToken(to.as, { cnf: { jkt: thumbprint(client) } });
  return to.ask({
    method,
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, method, ORIGIN + path, token), ...more },
  });
};
const last = async (target: GatewayFixture) => (await target.audit()).at(-1)!;

describe('a credential of the gateway', () => {
  const valuesOf = (name: string) => {
    const { rawHeaders } = fixture.seen[0]!;
    return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name);
  };
  it.each(Object.entries(SCHEMES))(
    "%s goes as its header and prefix say, once, and a client's field of that name never",
    async (name, { header, want }) => {
      const more = header === 'authorization' ? {} : { [header]: MINE };
      expect((await ask(fixture, `/${name}`, { more })).status).toBe(200);
      expect(valuesOf(header)).toEqual([want]);
      expect(fixture.seen[0]!.rawHeaders.join('\n')).not.toContain(MINE);
    },
  );
  it.each(Object.entries(SCHEMES).filter(([, { header }]) => !/^(authorization|mcp-.*)$/.test(header)))(
    '%s goes also where the client lists its header in Connection',
    async (name, { header, want }) => {
      expect((await ask(fixture, `/${name}`, { more: { connection: `close, ${header}` } })).status).toBe(200);
      expect(valuesOf(header)).toEqual([want]);
    },
  );
  it('goes nowhere where the client lists Authorization, which was checked, in Connection', async () => {
    expect((await ask(fixture, '/bearer', { more: { connection: 'close, authorization' } })).status).toBe(
      400,
    );
    expect(fixture.seen).toEqual([]);
  });
  it("goes to its own route alone: elsewhere neither the gateway's nor the client's key passes", async () => {
    expect((await ask(fixture, '/mcp', { more: { 'x-api-key': MINE } })).status).toBe(200);
    expect(valuesOf('x-api-key')).toEqual([]);
    expect(valuesOf('authorization')).toEqual([]);
  });
});

describe('a backend that never shakes hands', () => {
  it('has the time to connect and no more: 504, and its connection is closed', async () => {
    const began = performance.now();
    const { status } = await ask(fixture, '/mute');
    const ms = performance.now() - began;
    expect(status).toBe(504);
    expect(ms).toBeGreaterThan(CONNECT_SECONDS * 1000 - 50);
    expect(ms).toBeLessThan(CONNECT_SECONDS * 1000 + 700);
    expect(await last(fixture)).toMatchObject({
      reason: 'upstream_timeout',
      'response.status': 504,
      detail: 'connect',
    });
    expect(held.size).toBe(0);
    expect((await ask(fixture, '/mcp')).status).toBe(200);
  });
});

describe('the Kubernetes API', () => {
  /** A gateway with a secrets route to it. @param caFile whom it believes */
  async function secrets<T>(caFile: string, run: (to: GatewayFixture) => Promise<T>): Promise<T> {
    const to = await startFixture({
      change: (config) => {
        const { auth } = config.routes[0]!;
        const backend = { url: `https://127.0.0.1:${kube.port}`, caFile };
        config.routes = [
          {
            kind: 'secrets',
            name: 'secrets',
            pathPrefix: '/secrets',
            auth,
            backend: { ...backend, tokenFile: kube.tokenFile, namespace: 'aiops', secretNames: ['db'] },
          },
          {
            kind: 'mcp',
            name: 'tls',
            pathPrefix: '/tls',
            auth,
            backend: { ...backend, credential: { kind: 'file', file: kube.tokenFile } },
          },
        ];
      },
    });
    try {
      return await run(to);
    } finally {
      await to.stop();
    }
  }
  const authorizations = () =>
    kube.seen.map(({ headers }) => (headers as Record<string, string>).authorization);

  it('with the right name and a certificate of another CA gets no request and no token', async () => {
    const file = (name: string) => join(fixture.dir, name);
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=test-ca',
        '-keyout',
        file('foreign.key'),
        '-out',
        file('foreign.crt'),
      ],
      { stdio: 'pipe' },
    );
    await secrets(file('foreign.crt'), async (to) => {
      for (const [path, method] of [
        ['/secrets/db', 'GET'],
        ['/tls', 'POST'],
      ] as const) {
        expect((await ask(to, path, { method })).status).toBe(502);
        expect(await last(to)).toMatchObject({ reason: 'upstream_unreachable' });
      }
      expect(kube.seen).toEqual([]);
    });
    await secrets(kube.caFile, async (to) =>
      expect((await ask(to, '/secrets/db', { method: 'GET' })).status).toBe(200),
    );
  });
  it('that refuses a token is asked once where the file has no newer one: 502', async () => {
    await secrets(kube.caFile, async (to) => {
      kube.status = 401;
      expect((await ask(to, '/secrets/db', { method: 'GET' })).status).toBe(502);
      expect(authorizations()).toEqual([`Bearer ${kube.token}`]);
      expect(await last(to)).toMatchObject({ reason: 'upstream_refused', 'response.status': 502 });
    });
  });
  it('that refuses every token, however new, is asked twice and no more: 502', async () => {
    await secrets(kube.caFile, async (to) => {
      let rotations = 0;
      // At every refusal the file has another token.
      Object.defineProperty(kube, 'status', {
        configurable: true,
        get: () => {
          writeFileSync(kube.tokenFile, `next-${++rotations}`);
          return 401;
        },
      });
      try {
        expect((await ask(to, '/secrets/db', { method: 'GET' })).status).toBe(502);
      } finally {
        Object.defineProperty(kube, 'status', { configurable: true, writable: true, value: undefined });
        writeFileSync(kube.tokenFile, kube.token);
      }
      expect(authorizations()).toEqual([`Bearer ${kube.token}`, 'Bearer next-1']);
      expect(await last(to)).toMatchObject({ reason: 'upstream_refused', 'response.status': 502 });
    });
  });
  it('answers HEAD of a whole Secret: the type, nothing of it, and nothing to keep', async () => {
    await secrets(kube.caFile, async (to) => {
      const { status, text, headers } = await ask(to, '/secrets/db', { method: 'HEAD' });
      expect([status, text, headers['content-type'], headers['cache-control']]).toEqual([
        200,
        '',
        'application/json',
        'no-store',
      ]);
      expect(headers).not.toHaveProperty('audit-id');
      expect(kube.seen).toEqual([
        expect.objectContaining({ method: 'HEAD', url: '/api/v1/namespaces/aiops/secrets/db' }),
      ]);
      expect(await last(to)).toMatchObject({
        'request.method': 'HEAD',
        'response.status': 200,
        'response.bytes': 0,
        complete: true,
      });
    });
  });
});
