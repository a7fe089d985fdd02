/** A further proxy in the pod, as agentgateway is one, between the gateway and a server. */
import { parseConfig, type ConfigInput } from '../src/config/index.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

type RouteInput = Extract<ConfigInput['routes'][number], { kind: 'mcp' }>;

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
      ];
    },
  });
}, 20_000);
afterAll(() => fixture.stop());

const ask = (path: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const dpop = proof(client, 'POST', ORIGIN + path, token);
  return fixture.ask({ method: 'POST', path, headers: { authorization: `DPoP ${token}`, dpop } });
};

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
      'routes[0].backend.localAddress: must go with a backend on loopback: nothing else can be reached from there, got "http://mcp:5000"; leave it out',
    ]);
  });
});
