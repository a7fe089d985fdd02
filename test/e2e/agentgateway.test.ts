/**
 * The two halves of one synthesized gateway, joined: the proxy with its config.json, and behind it what
 * agentgateway's jwtAuth demands by its config.yaml. What the first lets through, the second accepts; what the
 * second would refuse, the first never sends.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { parse } from 'yaml';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { request, type Ask } from '../../proxy/test/support/gateway.js';
import {
  accessToken,
  ec,
  jwkOf,
  proof,
  rsa,
  seconds,
  selfSignedToken,
  thumbprint,
} from '../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';
import { synthesized } from './support/synthesized.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-joined-'));
const file = (name: string) => join(dir, name);
const [as, self] = [rsa(), rsa()];
const client = ec();

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
interface JwtAuth {
  readonly mode: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly jwks: { readonly file: string };
  readonly jwtValidationOptions: { readonly requiredClaims: string[] };
}
interface AgentgatewayRoute {
  readonly name: string;
  readonly matches: readonly { readonly path: { readonly pathPrefix: string }; readonly method: string }[];
  readonly policies: { readonly jwtAuth: JwtAuth };
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

let routes: readonly AgentgatewayRoute[];
let agentgateway: http.Server;
let gateway: GatewayProcess;
let origin: string;
/** What came to agentgateway: the route that matched, and what jwtAuth says. */
let arrived: {
  readonly route: string | undefined;
  readonly decision: string;
  readonly headers: http.IncomingHttpHeaders;
}[] = [];

/**
 * jwtAuth, mode strict: a Bearer token, of this issuer, for one of these audiences, signed by one of these
 * keys, with these claims.
 */
async function decisionOf(
  { mode, issuer, audiences, jwks, jwtValidationOptions: { requiredClaims } }: JwtAuth,
  authorization: string | undefined,
): Promise<string> {
  expect(mode).toBe('strict');
  const token = /^Bearer ([^ ]+)$/.exec(authorization ?? '')?.[1];
  if (token === undefined) return 'no token';
  const keys = createLocalJWKSet(JSON.parse(mounted('agentgateway', jwks.file)) as JSONWebKeySet);
  return jwtVerify(token, keys, { issuer, audience: [...audiences], requiredClaims }).then(
    () => 'accepted',
    (cause: Error) => cause.message,
  );
}

beforeAll(async () => {
  for (const [name, pair, kid] of [
    ['as', as, 'as-1'],
    ['self', self, 'my-key-1'],
  ] as const)
    writeFileSync(
      file(`${name}.json`),
      JSON.stringify({ keys: [{ ...jwkOf(pair), kid, alg: 'RS256', use: 'sig' }] }),
    );
  manifests = synthesized(
    'test/support/agentgateway-app.ts',
    file('manifests'),
    file('as.json'),
    file('self.json'),
  );
  routes = (parse(dataOf('config.yaml')) as { routes: AgentgatewayRoute[] }).routes;

  agentgateway = http.createServer((message, response) => {
    message.resume().on('end', () => {
      const path = message.url!.split('?')[0]!;
      const route = routes.find(({ matches }) =>
        matches.some(
          (m) =>
            m.method === message.method &&
            (path === m.path.pathPrefix || path.startsWith(`${m.path.pathPrefix}/`)),
        ),
      );
      void (
        route === undefined
          ? Promise.resolve('no route')
          : decisionOf(route.policies.jwtAuth, message.headers.authorization)
      ).then((decision) => {
        arrived.push({ route: route?.name, decision, headers: message.headers });
        const statuses: Record<string, number> = { accepted: 200, 'no route': 404 };
        response.writeHead(statuses[decision] ?? 401).end('{}');
      });
    });
  });
  await new Promise<void>((resolve) => agentgateway.listen(0, '127.0.0.1', resolve));

  // Only addresses, and where files lie, are changed; what is enforced is what was synthesized.
  const config = JSON.parse(dataOf('config.json')) as ConfigInput & { listen: object };
  origin = config.publicOrigins[0]!;
  for (const issuer of config.issuers) {
    const jwks = issuer.jwks as { file: string };
    writeFileSync(file(`${issuer.name}.jwks.json`), mounted('dpop-proxy', jwks.file));
    jwks.file = file(`${issuer.name}.jwks.json`);
  }
  for (const { backend } of config.routes) {
    expect(backend.url).toMatch(/^http:\/\/(127\.0\.0\.1|localhost):8081$/);
    backend.url = `http://127.0.0.1:${(agentgateway.address() as AddressInfo).port}`;
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

const dpop = (claims: Record<string, unknown> = {}, method = 'POST', pair = as): Ask => {
  const token = accessToken(pair, { cnf: { jkt: thumbprint(client) }, aud: 'mcp-gateway', ...claims });
  return {
    method,
    path: '/mcp',
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, method, `${origin}/mcp`, token) },
  };
};
const selfSigned = (claims: Record<string, unknown> = {}, method = 'POST', pair = self): Ask => ({
  method,
  path: '/self/mcp',
  headers: { authorization: `Bearer ${selfSignedToken(pair, method, `${origin}/self/mcp`, claims)}` },
});
const PROFILES = { dpop: { route: 'mcp', make: dpop }, selfSigned: { route: 'self-mcp', make: selfSigned } };
const ask = async (what: Ask) => (await request(gateway.port, what)).status;

describe.each(Object.entries(PROFILES))('under %s', (profile, { route, make }) => {
  it.each(['POST', 'GET', 'DELETE'])(
    'what the proxy lets through with %s agentgateway accepts',
    async (method) => {
      expect(await ask(make({}, method))).toBe(200);
      expect(arrived).toEqual([expect.objectContaining({ route, decision: 'accepted' })]);
      expect(arrived[0]!.headers).not.toHaveProperty('dpop');
      expect(arrived[0]!.headers.authorization).toMatch(/^Bearer /);
    },
  );
  it('both take the same audiences, each of them, alone or among others', async () => {
    const { audiences } = routes.find(({ name }) => name === route)!.policies.jwtAuth;
    expect(audiences.length).toBe(profile === 'dpop' ? 4 : 1); // RFC 8707: the route itself, under each origin
    for (const audience of audiences)
      for (const aud of [audience, ['https://other.example', audience]])
        expect(await ask(make({ aud }))).toBe(200);
    expect(arrived.map(({ decision }) => decision)).toEqual(Array(2 * audiences.length).fill('accepted'));
  });
  it.each<[string, Record<string, unknown>]>([
    ['of another audience', { aud: 'https://other.example' }],
    ['of no audience', { aud: undefined }],
    ['of an audience that only begins alike', { aud: 'mcp-gateway-2' }],
    ['of another issuer', { iss: 'https://other.example' }],
    ['of no issuer', { iss: undefined }],
    ['that has expired', { exp: seconds() - 600, iat: seconds() - 900 }],
    ['that never expires', { exp: undefined }],
  ])('a token %s never arrives, and would be refused there too', async (_, claims) => {
    const what = make(claims);
    expect(await ask(what)).toBe(401);
    expect(arrived).toEqual([]);
    const { authorization } = what.headers as Record<string, string>;
    expect(
      await decisionOf(
        routes.find(({ name }) => name === route)!.policies.jwtAuth,
        authorization!.replace(/^DPoP/, 'Bearer'),
      ),
    ).not.toBe('accepted');
  });
  it('a token of another key never arrives', async () => {
    expect(await ask(make({}, 'POST', rsa()))).toBe(401);
    expect(arrived).toEqual([]);
  });
  it('a request that does not come through the proxy, without a token, is refused there', async () => {
    const { port } = agentgateway.address() as AddressInfo;
    for (const headers of [{}, make().headers as Record<string, string>]) {
      const { authorization, ...rest } = headers;
      expect((await request(port, { method: 'POST', path: make().path!, headers: rest })).status).toBe(401);
      if (authorization?.startsWith('DPoP'))
        expect(
          (await request(port, { method: 'POST', path: make().path!, headers: { authorization } })).status,
        ).toBe(401);
    }
  });
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
