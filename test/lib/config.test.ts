import { createRequire } from 'node:module';
import { existsSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import { Duration } from 'cdk8s';
import { parse } from 'yaml';
import {
  AgentgatewayVersion,
  AuthProfile,
  CaBundle,
  DataPlane,
  Image,
  JwksSource,
  RateLimit,
  ReplayStore,
  Peer,
  SecretSource,
} from '../../lib';
import {
  all,
  backendPeer,
  dataOf,
  gatewayChart,
  GatewayOptions,
  manifests,
  pod,
  problems,
  root,
} from '../support/synth';

// The parser that the proxy runs at start, from the bundle.
const { parseConfig } = createRequire(__filename)(join(root, 'assets', 'config.cjs')) as {
  parseConfig: (raw: unknown) => { ok: boolean; problems?: string[]; config?: any };
};
const config = (options?: GatewayOptions) => JSON.parse(dataOf(manifests(options), 'config.json'));
const redis = ReplayStore.redis({
  host: 'redis.aiops.svc',
  peer: Peer.pods({ app: 'redis' }),
  password: SecretSource.existing('redis', 'password'),
});
const everything: GatewayOptions = {
  gateway: { replayStore: redis },
  mcp: { credential: SecretSource.existing('backend', 'token') },
  secrets: ['db'],
};
const v012 = DataPlane.agentgateway({
  version: AgentgatewayVersion.V0_12,
  image: Image.fromDigest(`ghcr.io/agentgateway/agentgateway:0.12.0@sha256:${'a'.repeat(64)}`),
});

describe('config.json', () => {
  it.each([
    ['the smallest', {}],
    ['everything', everything],
    ['direct', { gateway: { dataPlane: DataPlane.direct() } }],
  ])('of %s gateway is what the proxy accepts', (_, options) => {
    expect(parseConfig(config(options))).toMatchObject({ ok: true });
  });
  it('carries props in the units of the schema', () => {
    const {
      routes: [mcp],
    } = config({
      mcp: {
        auth: AuthProfile.dpop({ proofMaxAge: Duration.minutes(1) }),
        rateLimit: RateLimit.tokenBucket({
          maxTokens: 7,
          tokensPerFill: 3,
          fillInterval: Duration.millis(500),
        }),
      },
    });
    expect([mcp.auth.proofMaxAgeSeconds, mcp.rateLimit]).toEqual([
      60,
      { maxTokens: 7, tokensPerFill: 3, fillIntervalSeconds: 0.5 },
    ]);
  });
  it('carries which keys of a Secret can be read', () => {
    expect(
      config({ secrets: ['db', 'tls'], secretKeys: { db: ['password'] } }).routes.find(
        (r: any) => r.kind === 'secrets',
      ).backend,
    ).toMatchObject({ secretNames: ['db', 'tls'], secretKeys: { db: ['password'] } });
    expect(() => manifests({ secrets: ['db'], secretKeys: { other: ['x'] } })).toThrow(
      /must name Secrets of secretNames, got "other"/,
    );
  });
  it('carries a shared limit, and bounds', () => {
    const made = config({
      gateway: { replayStore: redis, limits: { maxConnectionsPerAddress: 5, minBodyRate: 0 } },
      mcp: { rateLimit: RateLimit.tokenBucket({ maxTokens: 7, tokensPerFill: 3, shared: true }) },
    });
    expect(made.routes[0].rateLimit).toEqual({ maxTokens: 7, tokensPerFill: 3, shared: true });
    expect(made.limits).toMatchObject({ maxConnectionsPerAddress: 5, minBodyBytesPerSecond: 0 });
  });
  it("carries threads, which ask for a core's share and memory each", () => {
    const objects = manifests({
      gateway: { workers: 3, limits: { requestsPerAddress: { maxTokens: 9, tokensPerSecond: 2 } } },
    });
    expect(JSON.parse(dataOf(objects, 'config.json'))).toMatchObject({
      workers: 3,
      limits: { requestsPerAddress: { maxTokens: 9, tokensPerSecond: 2 } },
    });
    expect(pod(objects).containers[0].resources).toMatchObject({
      requests: { cpu: '300m', memory: '384Mi' },
      limits: { memory: '384Mi' },
    });
    expect(() => manifests({ gateway: { workers: 65 } })).toThrow(/workers: must be/);
  });
  it('carries when an endpoint is left out', () => {
    const made = config({
      gateway: { dataPlane: DataPlane.direct() },
      mcp: {
        backendEndpoints: ['http://mcp-0:5000', 'http://mcp-1:5000'],
        outlierEjection: { consecutiveFailures: 2, ejectFor: Duration.minutes(1) },
      },
    });
    expect(made.routes[0].backend.outlier).toEqual({ consecutiveFailures: 2, ejectSeconds: 60 });
  });
  it('carries a credential in any header and form', () => {
    const credentialOf = (props: object) =>
      config({
        gateway: { dataPlane: DataPlane.direct() },
        mcp: { credential: SecretSource.existing('backend', 'key'), ...props },
      }).routes[0].backend.credential;
    expect(credentialOf({ credentialHeader: 'x-api-key', credentialPrefix: '' })).toMatchObject({
      kind: 'file',
      header: 'x-api-key',
      prefix: '',
    });
    expect(credentialOf({ credentialPrefix: 'Basic ' })).toMatchObject({ kind: 'file', prefix: 'Basic ' });
  });
  it('leaves defaults to the one place that has them', () => {
    expect(config().routes[0].auth).not.toHaveProperty('proofMaxAgeSeconds');
    expect(config()).not.toHaveProperty('limits.maxUrlBytes');
  });
  it('names files that are mounted', () => {
    const objects = manifests({
      ...everything,
      gateway: { ...everything.gateway, dataPlane: DataPlane.direct() },
    });
    const text = dataOf(objects, 'config.json');
    const pathsIn = ({ configMap, secret, serviceAccountToken }: any): string[] => {
      if (serviceAccountToken !== undefined) return [serviceAccountToken.path];
      const items = (configMap ?? secret).items?.map(({ path }: any) => path);
      return items ?? Object.keys(all(objects, 'ConfigMap').find(isNamed(configMap?.name))?.data ?? {});
    };
    const isNamed = (name: string) => (o: any) => o.metadata.name === name;
    const mounted = new Set<string>();
    for (const { name, mountPath } of pod(objects).containers[0].volumeMounts) {
      const volume = pod(objects).volumes.find((v: any) => v.name === name);
      const paths: string[] = (volume.projected?.sources ?? []).flatMap(pathsIn);
      for (const path of paths) mounted.add(`${mountPath}/${path}`);
    }
    const named = [...text.matchAll(/"(\/(?:etc|var)\/[^"]+)"/g)].map(([, file]) => file);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((file) => !mounted.has(file))).toEqual([]);
  });
});

describe('ConfigMaps', () => {
  it('are immutable and named by their content', () => {
    const maps = all(manifests(everything), 'ConfigMap');
    expect(maps.map((o) => o.metadata.name.replace(/-[0-9a-f]{10}$/, ''))).toEqual(
      expect.arrayContaining([
        'agentgateway-config',
        'agentgateway-code',
        'agentgateway-code-checks',
        'agentgateway-code-http',
        'agentgateway-code-stores',
        'agentgateway-code-config',
        'agentgateway-vendor',
        'agentgateway-redis-client',
        'agentgateway-agentgateway',
      ]),
    );
    for (const map of maps) {
      expect(map.immutable).toBe(true);
    }
  });
  it('carry the bundle of this package to the byte, and the Redis client only where Redis is used', () => {
    for (const chunk of ['proxy.mjs', 'stages.mjs', 'http.mjs', 'stores.mjs', 'config.mjs']) {
      expect(dataOf(manifests(), chunk)).toBe(readFileSync(join(root, 'assets', chunk), 'utf8'));
    }
    expect(all(manifests(), 'ConfigMap').filter((o) => 'vendor-ioredis.mjs' in o.data)).toEqual([]);
  });
  it('get another name when their content changes, so that the pods roll', () => {
    const name = (audience: string) =>
      all(manifests({ gateway: { audience } }), 'ConfigMap').find((o) => 'config.json' in o.data)!.metadata
        .name;
    expect(name('a')).not.toBe(name('b'));
    expect(name('a')).toBe(name('a'));
  });
  it('hold no private key', () => {
    const dir = mkdtempSync(join(tmpdir(), 'jwks-'));
    try {
      const file = join(dir, 'jwks.json');
      writeFileSync(
        file,
        JSON.stringify({ keys: [{ kty: 'RSA', kid: 'a', n: 'x', e: 'AQAB', d: 'secret' }] }),
      );
      expect(() => JwksSource.fromFile(file)).toThrow(`${file}: keys[0]: must be a public key`);
      writeFileSync(file, 'not json');
      expect(() => JwksSource.fromFile(file)).toThrow(file);
      expect(() => JwksSource.fromFile(join(dir, 'none.json'))).toThrow(/jwks: must be a readable file, got/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("agentgateway's config", () => {
  const schemas = join(root, '..', 'shared', 'agentgateway');
  const schemaTest = existsSync(schemas) ? it : it.skip;
  if (!existsSync(schemas)) {
    process.stderr.write(`skipped: agentgateway's config schemas are not at ${schemas}\n`);
  }
  const yaml = (options: GatewayOptions) => dataOf(manifests(options), 'config.yaml');

  schemaTest.each([
    ['v1.4.1', 'config-schema-v1.4.1.json', {}],
    ['v1.4.1, everything', 'config-schema-v1.4.1.json', everything],
    ['v0.12', 'config-schema-v0.12.json', { gateway: { dataPlane: v012 } }],
    [
      'v0.12, everything',
      'config-schema-v0.12.json',
      { ...everything, gateway: { ...everything.gateway, dataPlane: v012 } },
    ],
  ])('%s is valid against its schema, and a bogus key is not', (_, file, options) => {
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    const validate = ajv.compile(JSON.parse(readFileSync(join(schemas, file), 'utf8')));
    const value = parse(yaml(options));
    validate(value);
    expect(validate.errors ?? []).toEqual([]);
    expect(validate({ ...value, bogus: 1 })).toBe(false);
  });
  it('listens beside the proxy, admits its address alone, and has no dollar sign', () => {
    const text = yaml({});
    const value = parse(text);
    const { backend } = config({}).routes[0];
    expect(backend.url).toBe(`http://127.0.0.1:${value.gateways.default.port}`);
    expect(value.frontendPolicies.networkAuthorization.rules).toEqual([
      `source.address == "${backend.localAddress}"`,
    ]);
    expect(text).not.toContain('$');
  });
  it('admits the same address on each route at v0.12, which cannot restrict the listener', () => {
    const options = { gateway: { dataPlane: v012 } };
    const [{ routes }] = parse(yaml(options)).binds[0].listeners;
    expect(routes.map(({ policies }: any) => policies.authorization.rules)).toEqual([
      [`source.address == "${config(options).routes[0].backend.localAddress}"`],
    ]);
  });
  it("marks a backend's answers with the field that the proxy asks its errors for, at v1.4", () => {
    const value = parse(yaml({}));
    const { answerMark } = config({}).routes[0].backend;
    expect(answerMark).toMatch(/^x-/);
    expect(value.routes.map(({ policies }: any) => policies.transformations)).toEqual([
      // A duration is no header value; where there is none the expression fails, and the field is taken off.
      { response: { set: { [answerMark]: 'string(proxy.upstreamDuration)' } } },
    ]);
  });
  it('marks none at v0.12, which does not know what a backend answered, nor is it asked for there', () => {
    const options = { gateway: { dataPlane: v012 } };
    expect(yaml(options)).not.toContain('transformations');
    for (const each of [options, { gateway: { dataPlane: DataPlane.direct() } }])
      expect(config(each).routes[0].backend.answerMark).toBeUndefined();
  });
  it("is called from an address that nothing else has that brings traffic into the pod's loopback", () => {
    const { localAddress } = config({}).routes[0].backend;
    expect(localAddress).toMatch(/^127\./);
    // port-forward, Istio, what Debian and systemd give to host names and resolvers
    for (const taken of ['127.0.0.1', '127.0.0.6', '127.0.1.1', '127.0.0.53', '127.0.0.54'])
      expect(localAddress).not.toBe(taken);
  });
  it('knows no issuer, no key and no token: a key set that it could not read is no matter to it', () => {
    const fetched = {
      gateway: { jwks: JwksSource.fromUrl('https://idp.example/jwks', { peer: backendPeer }) },
    };
    for (const text of [yaml(fetched), yaml({}), yaml({ gateway: { dataPlane: v012 } })])
      expect(text).not.toMatch(/jwt|jwks|issuer|audience|idp\.example/i);
    expect(config({}).routes[0].backend.credential).toBeUndefined();
    const volume = pod(manifests()).volumes.find(({ name }: any) => name === 'agentgateway-config');
    expect(JSON.stringify(volume)).not.toContain('jwks');
    const map = all(manifests(), 'ConfigMap').find(({ data }) => data['config.yaml'] !== undefined);
    expect(Object.keys(map!.data)).toEqual(['config.yaml']);
  });
  it('never knows the way to the Kubernetes API', () => {
    expect(yaml(everything)).not.toMatch(/kubernetes|serviceaccount|secrets/);
  });
});

describe('a backend of another name', () => {
  const mcp = { backend: 'https://mcp.tools.svc:5443/inner/', backendHost: 'localhost:5000' };
  const backendOf = (options: GatewayOptions) => config(options).routes[0].backend;
  it('is asked by it, and its path keeps its slash', () => {
    expect(backendOf({ gateway: { dataPlane: DataPlane.direct() }, mcp })).toEqual({
      url: mcp.backend,
      host: mcp.backendHost,
    });
  });
  it('is asked by it through agentgateway, and its redirects are known', () => {
    expect(backendOf({ mcp })).toMatchObject({
      redirectBases: ['https://localhost:5000/inner/'],
    });
    const { policies } = parse(dataOf(manifests({ mcp }), 'config.yaml')).routes[0];
    expect(policies.urlRewrite).toEqual({
      authority: { full: 'localhost:5000' },
      path: { prefix: '/inner/' },
    });
    expect(backendOf({}).redirectBases).toEqual([
      `${backendOf({ gateway: { dataPlane: DataPlane.direct() } }).url}/`,
    ]);
  });
});

describe('patience and heartbeats of a route', () => {
  it('reach the config in seconds', () => {
    const timeouts = { connect: Duration.seconds(1), firstByte: Duration.minutes(10) };
    const {
      routes: [mcp],
      limits,
    } = config({
      mcp: { timeouts, heartbeat: Duration.seconds(15) },
      gateway: { limits: { keepAliveTimeout: Duration.seconds(620), maxIdleConnections: 500 } },
    });
    expect(mcp).toMatchObject({
      timeouts: { connectTimeoutSeconds: 1, firstByteTimeoutSeconds: 600 },
      heartbeatSeconds: 15,
    });
    expect(limits).toMatchObject({ keepAliveTimeoutSeconds: 620, maxIdleConnections: 500 });
  });
});

describe('several endpoints, a client certificate, another name', () => {
  const mcp = {
    backend: 'https://mcp.tools.svc:5443',
    backendEndpoints: ['https://mcp-0.tools.svc:5443', 'https://mcp-1.tools.svc:5443'],
    backendServerName: 'mcp.internal',
    backendCertificateSecret: 'gateway-client',
  };
  const gateway = { dataPlane: DataPlane.direct() };
  it('reach the config, and the files are mounted', () => {
    const objects = manifests({ gateway, mcp });
    const { backend } = JSON.parse(dataOf(objects, 'config.json')).routes[0];
    expect(backend).toMatchObject({ endpoints: mcp.backendEndpoints, serverName: 'mcp.internal' });
    expect(backend.clientCertificate.certFile).toMatch(/\/routes\/mcp\/client\.crt$/);
    const secrets = pod(objects)
      .volumes.flatMap((v: any) => v.projected?.sources ?? [])
      .map((s: any) => s.secret)
      .filter(Boolean);
    expect(
      secrets
        .find((s: any) => s.name === 'gateway-client')
        .items.map((i: any) => i.key)
        .sort(),
    ).toEqual(['tls.crt', 'tls.key']);
  });
  it.each([
    ['https://mcp-0.tools.svc:1', 'backendEndpoints[0]: must be https:// with the port of backend, 5443'],
    ['http://mcp-0.tools.svc:5443', 'backendEndpoints[0]: must be https:// with the port of backend, 5443'],
    ['https://mcp-0.tools.svc:5443/mcp', 'backendEndpoints[0]: must be an http(s) origin'],
    ['mcp-0.tools.svc:5443', 'backendEndpoints[0]: must be an http(s) origin'],
  ])('are refused where one is %s', (endpoint, problem) => {
    for (const dataPlane of [DataPlane.direct(), DataPlane.agentgateway()]) {
      const ask = () =>
        manifests({ gateway: { dataPlane }, mcp: { ...mcp, backendEndpoints: [endpoint, endpoint] } });
      expect(ask).toThrow(problem);
    }
  });
  it('are refused where one stands twice, and where none is', () => {
    const [endpoint] = mcp.backendEndpoints as [string];
    const asked = (backendEndpoints: string[]) => () => manifests({ mcp: { ...mcp, backendEndpoints } });
    expect(asked([endpoint, endpoint])).toThrow(
      `backendEndpoints[1]: must not be backendEndpoints[0] again, got "${endpoint}"`,
    );
    expect(asked([])).toThrow('backendEndpoints: must list at least one item');
  });
  it('are told apart by agentgateway by the Host of an address of their own, with how it calls the backend', () => {
    const objects = manifests({ mcp: { ...mcp, backend: 'https://mcp.tools.svc:5443/inner' } });
    const { backend } = JSON.parse(dataOf(objects, 'config.json')).routes[0];
    expect(backend).toMatchObject({
      url: 'http://127.0.0.1:8081',
      endpoints: ['http://127.94.50.1:8081', 'http://127.94.50.2:8081'],
      localAddress: '127.94.49.1',
      redirectBases: ['https://mcp-0.tools.svc:5443/inner', 'https://mcp-1.tools.svc:5443/inner'],
    });
    const { routes } = parse(dataOf(objects, 'config.yaml'));
    expect(routes).toEqual(
      [0, 1].map((i) =>
        expect.objectContaining({
          name: `mcp.${i}`,
          hostnames: [`127.94.50.${i + 1}`],
          policies: expect.objectContaining({ urlRewrite: { path: { prefix: '/inner' } } }),
          backends: [
            {
              host: `mcp-${i}.tools.svc:5443`,
              policies: { backendTLS: expect.objectContaining({ hostname: 'mcp.internal' }) },
            },
          ],
        }),
      ),
    );
    const limited = { outlierEjection: { consecutiveFailures: 2 } };
    const [limitedRoute] = JSON.parse(
      dataOf(manifests({ mcp: { ...mcp, ...limited } }), 'config.json'),
    ).routes;
    expect(limitedRoute.backend.outlier).toMatchObject({ consecutiveFailures: 2 });
  });
});

describe('tracing', () => {
  const tracing = {
    url: 'https://collector.observability.svc:4318/v1/traces',
    peer: Peer.pods(
      { app: 'collector' },
      { namespaceLabels: { 'kubernetes.io/metadata.name': 'observability' } },
    ),
    ca: CaBundle.fromConfigMap('collector-ca'),
    authorization: SecretSource.existing('collector', 'header'),
    sampleRatio: 0.1,
    timeout: Duration.millis(500),
  };
  it('reaches the config, its files are mounted, and the NetworkPolicy opens the way to the collector alone', () => {
    const objects = manifests({ gateway: { tracing } });
    const made = JSON.parse(dataOf(objects, 'config.json')).tracing;
    expect(made).toEqual({
      url: tracing.url,
      caFile: '/etc/gateway/ca/tracing.crt',
      authorization: { file: '/etc/gateway/credentials/tracing' },
      sampleRatio: 0.1,
      timeoutSeconds: 0.5,
    });
    const mounted = pod(objects)
      .volumes.flatMap((v: any) => v.projected?.sources ?? [])
      .flatMap((s: any) => [s.secret, s.configMap])
      .filter((s: any) => s?.name.startsWith('collector'));
    expect(mounted).toEqual(
      expect.arrayContaining([
        { name: 'collector', items: [{ key: 'header', path: 'credentials/tracing' }] },
        { name: 'collector-ca', items: [{ key: 'ca.crt', path: 'ca/tracing.crt' }] },
      ]),
    );
    expect(mounted).toHaveLength(2);
    const rules = objects
      .filter((o) => o.kind === 'NetworkPolicy')
      .flatMap((o) => o.spec.egress)
      .filter((rule: any) => JSON.stringify(rule.to).includes('collector'));
    expect(rules.map((rule: any) => rule.ports)).toEqual([[{ port: 4318, protocol: 'TCP' }]]);
  });
  it('carries its library, in a ConfigMap of its own, only where there is a collector', () => {
    const chunk = (options: GatewayOptions) =>
      all(manifests(options), 'ConfigMap').filter((o) => 'vendor-opentelemetry.mjs' in o.data);
    const [map, ...more] = chunk({ gateway: { tracing } });
    expect(more).toEqual([]);
    expect(Object.keys(map.data)).toEqual(['vendor-opentelemetry.mjs']);
    expect(map.data['vendor-opentelemetry.mjs']).toBe(
      readFileSync(join(root, 'assets', 'vendor-opentelemetry.mjs'), 'utf8'),
    );
    expect(JSON.stringify(pod(manifests({ gateway: { tracing } })).volumes)).toContain(map.metadata.name);
    expect(chunk(everything)).toEqual([]);
    expect(JSON.stringify(pod(manifests(everything)).volumes)).not.toContain('opentelemetry');
  });
  it("is refused with a CA and no TLS, with a ratio beyond 1, and its secret is nobody else's to read", () => {
    expect(() =>
      manifests({ gateway: { tracing: { ...tracing, url: 'http://collector:4318/v1/traces' } } }),
    ).toThrow(/\[test\/Gateway\] tracing\.ca: must go with an https url/);
    expect(() => manifests({ gateway: { tracing: { ...tracing, sampleRatio: 2 } } })).toThrow(
      /tracing\.sampleRatio: must be a number from 0 to 1, got 2/,
    );
    expect(() => manifests({ gateway: { tracing }, secrets: ['collector'] })).toThrow(
      /must not name a credential of the gateway itself/,
    );
  });
});

describe('a token exchange', () => {
  const gateway = { dataPlane: DataPlane.direct() };
  const tokenExchange = {
    url: 'https://idp.tools.svc:8443/token',
    peer: Peer.pods({ app: 'idp' }),
    clientId: 'gateway',
    clientSecret: SecretSource.existing('exchange', 'secret'),
    audience: 'tools',
  };
  it.each([
    ['alone', gateway],
    ['in front of agentgateway', {}],
  ])(
    'reaches the config of the proxy, %s, its secret is mounted, and the NetworkPolicy opens the way',
    (_, props) => {
      const objects = manifests({ gateway: props, mcp: { tokenExchange } });
      const { credential } = JSON.parse(dataOf(objects, 'config.json')).routes[0].backend;
      expect(credential).toMatchObject({
        kind: 'exchange',
        url: tokenExchange.url,
        clientId: 'gateway',
        audience: 'tools',
      });
      const volumes = pod(objects).volumes.filter((volume: any) =>
        JSON.stringify(volume).includes('"exchange"'),
      );
      expect(volumes.map((volume: any) => volume.name)).toEqual(['config']);
      expect(credential.clientSecret.file).toMatch(/routes\/mcp\/exchange-secret$/);
      const policy = objects.find(
        (o: any) => o.kind === 'NetworkPolicy' && JSON.stringify(o).includes('"app":"idp"'),
      ) as any;
      expect(policy.spec.egress.find((rule: any) => JSON.stringify(rule.to).includes('idp')).ports).toEqual([
        { port: 8443, protocol: 'TCP' },
      ]);
    },
  );
  it('is refused beside a credential, and without a name for the backend', () => {
    expect(() =>
      manifests({ gateway, mcp: { tokenExchange, credential: SecretSource.existing('backend', 'token') } }),
    ).toThrow(/must not stand beside a credential/);
    const nameless = { mcp: { tokenExchange: { ...tokenExchange, audience: undefined } } };
    for (const props of [gateway, {}])
      expect(problems(() => gatewayChart({ gateway: props, ...nameless }))).toEqual([
        expect.stringContaining('tokenExchange: must name the backend by audience or resource'),
      ]);
  });
});
