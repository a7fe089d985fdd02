/**
 * The two halves of one synthesized gateway, joined: the proxy with its config.json, and behind it what agentgateway's
 * config.yaml asks of who calls it. What the proxy admits, agentgateway admits, whatever token, key or key set it was;
 * nobody else gets an answer there, also on loopback.
 */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { request, type Ask } from '../../proxy/test/support/gateway.js';
import {
  accessToken,
  ec,
  ed25519,
  jwkOf,
  proof,
  rsa,
  seconds,
  selfSignedToken,
  thumbprint,
  type Pair,
} from '../../proxy/test/support/mint.js';
import { until } from '../../proxy/test/support/until.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';
import { synthesized } from './support/synthesized.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-joined-'));
const file = (name: string) => join(dir, name);
const [as, ed, self] = [rsa(), ed25519(), rsa()];
const client = ec();

interface Signing {
  readonly method?: string;
  readonly path?: string;
  readonly pair?: Pair;
  readonly header?: Record<string, unknown>;
}

interface Container {
  readonly name: string;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Items {
  readonly name: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}
interface Volume {
  readonly name: string;
  readonly configMap?: Items;
  readonly projected?: { readonly sources: readonly { readonly configMap?: Items }[] };
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly initContainers: readonly Container[];
        readonly volumes: readonly Volume[];
      };
    };
  };
}
/** As far as this test goes by it. */
interface AgentgatewayConfig {
  readonly frontendPolicies: { readonly networkAuthorization: { readonly rules: readonly string[] } };
  readonly routes: readonly {
    readonly name: string;
    readonly hostnames?: readonly string[];
    readonly matches: readonly { readonly path: { readonly pathPrefix: string }; readonly method: string }[];
    readonly policies: {
      readonly transformations: { readonly response: { readonly set: Readonly<Record<string, string>> } };
    };
  }[];
}

let manifests: readonly Manifest[];
const dataOf = (key: string): string =>
  manifests.find(({ kind, data }) => kind === 'ConfigMap' && data?.[key] !== undefined)!.data![key]!;
/** What a mounted ConfigMap has at a path. */
function textIn({ name, items }: Items, path: string): string | undefined {
  const key = items === undefined ? path : items.find((item) => item.path === path)?.key;
  const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  return key === undefined ? undefined : map?.data?.[key];
}
/** What a container of the pod has at a path, by its mounts. */
function mounted(container: string, path: string): string {
  const { spec } = manifests.find(({ kind }) => kind === 'Deployment')!.spec!.template;
  const { containers, initContainers, volumes } = spec;
  const { volumeMounts } = [...containers, ...initContainers].find((c) => c.name === container)!;
  for (const { name, mountPath } of volumeMounts) {
    if (!path.startsWith(`${mountPath}/`)) continue;
    const volume = volumes.find((v) => v.name === name)!;
    const projected = (volume.projected?.sources ?? []).map(({ configMap }) => configMap);
    const wanted = path.slice(mountPath.length + 1);
    for (const source of [volume.configMap, ...projected]) {
      const text = source && textIn(source, wanted);
      if (text !== undefined) return text;
    }
  }
  throw new Error(`${container} has no ${path}`);
}

let agentgateway: http.Server;
let gateway: GatewayProcess;
let origin: string;
let backendIsDown = false;
/** Of the route with several endpoints, the one that fails. */
let downEndpoint: string | undefined;
/** What came to agentgateway, and the route that matched. */
let arrived: { readonly route: string | undefined; readonly headers: http.IncomingHttpHeaders }[] = [];

/** The one form of rule that we write; agentgateway resets a connection that none of them admits. */
function admits({ networkAuthorization: { rules } }: AgentgatewayConfig['frontendPolicies'], from: string) {
  return rules.some((rule) => {
    const [, address] = /^source\.address == "([0-9.]+)"$/.exec(rule) ?? [];
    if (address === undefined) throw new Error(`a rule of another form: ${rule}`);
    return address === from;
  });
}

/** Keys with which agentgateway 1.4.1 loads no set: it would not start. The proxy leaves them out. */
const STRANGE_KEYS = [
  jwkOf(ec()),
  { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA', kid: 'akp' },
  { ...jwkOf(generateKeyPairSync('x25519')), kid: 'x25519' },
  { ...jwkOf(ec('secp256k1')), kid: 'secp256k1' },
];
const keySet = (keys: readonly object[]) => JSON.stringify({ keys });
const USABLE_KEYS = {
  as: [
    { ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' },
    { ...jwkOf(ed), kid: 'ed-1', use: 'sig' },
  ],
  self: [{ ...jwkOf(self), kid: 'my-key-1', alg: 'RS256', use: 'sig' }],
};

beforeAll(async () => {
  for (const [name, keys] of Object.entries(USABLE_KEYS)) writeFileSync(file(`${name}.json`), keySet(keys));
  manifests = synthesized(
    'test/support/agentgateway-app.ts',
    file('manifests'),
    file('as.json'),
    file('self.json'),
  );
  const { frontendPolicies, routes } = parse(dataOf('config.yaml')) as AgentgatewayConfig;

  agentgateway = http.createServer((message, response) => {
    message.resume().on('end', () => {
      const path = message.url!.split('?')[0]!;
      const host = message.headers.host!.replace(/:\d+$/, '');
      const route = routes.find(
        ({ matches, hostnames = [host] }) =>
          hostnames.includes(host) &&
          matches.some(
            (m) =>
              m.method === message.method &&
              (path === m.path.pathPrefix || path.startsWith(`${m.path.pathPrefix}/`)),
          ),
      );
      arrived.push({ route: route?.name, headers: message.headers });
      if (route === undefined) return response.writeHead(404).end('route not found');
      if (backendIsDown || route.name === downEndpoint)
        return response.writeHead(503).end('upstream call failed: SendRequest: 10.1.2.3');
      // Its expression has a value, since a backend answered.
      const marks = Object.keys(route.policies.transformations.response.set).map((name) => [name, '0.002s']);
      const session = message.headers['mcp-session-id'] ?? 'begun-here';
      return response.writeHead(200, { ...Object.fromEntries(marks), 'mcp-session-id': session }).end('{}');
    });
  });
  agentgateway.on('connection', (socket: Socket) => {
    if (!admits(frontendPolicies, socket.remoteAddress!)) socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => agentgateway.listen(0, '0.0.0.0', resolve));

  // Only ports, and where files lie, are changed; what is enforced is what was synthesized.
  const config = JSON.parse(dataOf('config.json')) as ConfigInput & { listen: object };
  origin = config.publicOrigins[0]!;
  for (const issuer of config.issuers) {
    const jwks = issuer.jwks as { file: string };
    const { keys } = JSON.parse(mounted('dpop-proxy', jwks.file)) as { keys: object[] };
    jwks.file = file(`${issuer.name}.jwks.json`);
    // As an issuer may publish it, where it is not read at synth.
    writeFileSync(jwks.file, keySet([...STRANGE_KEYS, ...keys]));
  }
  for (const { backend } of config.routes) {
    expect(backend.url).toBe('http://127.0.0.1:8081');
    const { port } = agentgateway.address() as AddressInfo;
    backend.url = `http://127.0.0.1:${port}`;
    if ('endpoints' in backend)
      backend.endpoints = backend.endpoints?.map((url) => url.replace(/8081$/, `${port}`));
  }
  gateway = await startGatewayProcess(
    { ...config, audit: { file: file('audit.jsonl') }, drainSeconds: 1 },
    { dir, name: 'gateway' },
  );
}, 60_000);
afterAll(async () => {
  await gateway.stop();
  agentgateway.closeAllConnections();
  agentgateway.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  arrived = [];
});

const dpop = (
  claims: Record<string, unknown> = {},
  { method = 'POST', pair = as, header = {}, path = '/mcp' }: Signing = {},
): Ask => {
  const token = accessToken(
    pair,
    { cnf: { jkt: thumbprint(client) }, aud: 'mcp-gateway', ...claims },
    header,
  );
  return {
    method,
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, method, origin + path, token) },
  };
};
const selfSigned = (
  claims: Record<string, unknown> = {},
  { method = 'POST', pair = self, header = {} }: Signing = {},
): Ask => ({
  method,
  path: '/self/mcp',
  headers: { authorization: `Bearer ${selfSignedToken(pair, method, `${origin}/self/mcp`, claims, header)}` },
});
const PROFILES = { dpop: { route: 'mcp', make: dpop }, selfSigned: { route: 'self-mcp', make: selfSigned } };
const ask = async (what: Ask) => (await request(gateway.port, what)).status;

describe.each(Object.entries(PROFILES))('under %s', (_, { route, make }) => {
  it.each(['POST', 'GET', 'DELETE'])(
    'what the proxy admits with %s agentgateway admits, without a token or a proof in it',
    async (method) => {
      expect(await ask(make({}, { method }))).toBe(200);
      expect(arrived).toEqual([expect.objectContaining({ route })]);
      expect(arrived[0]!.headers).not.toHaveProperty('dpop');
      expect(arrived[0]!.headers).not.toHaveProperty('authorization');
    },
  );
  it.each<[string, Record<string, unknown>]>([
    ['of another audience', { aud: 'https://other.example' }],
    ['of no audience', { aud: undefined }],
    ['of an audience that only begins alike', { aud: 'mcp-gateway-2' }],
    ['of another issuer', { iss: 'https://other.example' }],
    ['of no issuer', { iss: undefined }],
    ['that has expired', { exp: seconds() - 600, iat: seconds() - 900 }],
    ['that never expires', { exp: undefined }],
  ])('a token %s never arrives', async (__, claims) => {
    expect(await ask(make(claims))).toBe(401);
    expect(arrived).toEqual([]);
  });
  it('a token of another key never arrives', async () => {
    expect(await ask(make({}, { pair: rsa() }))).toBe(401);
    expect(arrived).toEqual([]);
  });
  it.each(['127.0.0.1', '127.0.0.6'])(
    'a request from %s, as a port-forward or a mesh brings it in, is reset there, whatever it carries',
    async (localAddress) => {
      const { port } = agentgateway.address() as AddressInfo;
      const { path, headers } = make();
      const sent = http.request({ host: '127.0.0.1', port, localAddress, path, method: 'POST', headers });
      sent.end();
      await expect(once(sent, 'response')).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(arrived).toEqual([]);
    },
  );
});

it.each<[string, Signing]>([
  ['without kid', { header: { kid: undefined } }],
  ['with alg EdDSA', { pair: ed, header: { alg: 'EdDSA', kid: 'ed-1' } }],
  ['with alg Ed25519', { pair: ed, header: { alg: 'Ed25519', kid: 'ed-1' } }],
])('a token %s is admitted by both', async (_, signing) => {
  expect(await ask(dpop({}, signing))).toBe(200);
  expect(arrived).toEqual([expect.objectContaining({ route: 'mcp' })]);
});

it('a token of one route never arrives on the other', async () => {
  const [one, other] = [
    dpop().headers as Record<string, string>,
    selfSigned().headers as Record<string, string>,
  ];
  expect(await ask({ method: 'POST', path: '/self/mcp', headers: one })).toBe(401);
  expect(await ask({ method: 'POST', path: '/mcp', headers: other })).toBe(401);
  expect(arrived).toEqual([]);
});

it('what agentgateway says itself is said in our words, and what a backend says goes on without its mark', async () => {
  const answered = await request(gateway.port, dpop());
  expect([answered.status, answered.text, Object.keys(answered.headers)]).toEqual([
    200,
    '{}',
    expect.not.arrayContaining([expect.stringMatching(/answered/)]),
  ]);
  backendIsDown = true;
  const failed = await request(gateway.port, dpop());
  backendIsDown = false;
  expect([failed.status, JSON.parse(failed.text)]).toMatchObject([
    502,
    { error: { data: { reason: 'upstream_unreachable' } } },
  ]);
  expect(failed.text).not.toContain('10.1.2.3');
  await until(() => readFileSync(file('audit.jsonl'), 'utf8').includes('SendRequest: 10.1.2.3'));
});

describe('a route with several endpoints', () => {
  const several = (session?: string): Ask => {
    const { headers } = dpop({ aud: `${origin}/several/mcp` }, { path: '/several/mcp' });
    return {
      method: 'POST',
      path: '/several/mcp',
      headers: { ...headers, ...(session === undefined ? {} : { 'mcp-session-id': session }) },
    };
  };
  const begin = async () => {
    const { status, headers } = await request(gateway.port, several());
    expect(status).toBe(200);
    return { session: headers['mcp-session-id'] as string, endpoint: arrived.at(-1)!.route! };
  };

  it('begins sessions at each of them, and a session stays where it began', async () => {
    const sessions = [await begin(), await begin(), await begin()];
    expect(new Set(sessions.map(({ endpoint }) => endpoint))).toEqual(new Set(['several.0', 'several.1']));
    for (const { session, endpoint } of [...sessions, ...sessions.toReversed()]) {
      expect(await ask(several(session))).toBe(200);
      expect(arrived.at(-1)).toMatchObject({ route: endpoint, headers: { 'mcp-session-id': 'begun-here' } });
    }
  });
  it('leaves out for a while the one that agentgateway does not reach', async () => {
    downEndpoint = 'several.1';
    try {
      const statuses: number[] = [];
      for (let i = 0; i < 20; i += 1) statuses.push(await ask(several()));
      expect(statuses.filter((status) => status === 502)).toHaveLength(5);
      expect(statuses.slice(-5)).toEqual([200, 200, 200, 200, 200]);
    } finally {
      downEndpoint = undefined;
    }
  });
});
