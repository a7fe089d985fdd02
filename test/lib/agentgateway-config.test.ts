/** The config that agentgateway is given, by what is known of it; nothing here needs its program. */
import { parse } from 'yaml';
import { Duration } from 'cdk8s';
import {
  AgentgatewayVersion,
  CaBundle,
  DataPlane,
  Image,
  McpRoute,
  Peer,
  SecretSource,
  SecretsRoute,
} from '../../lib';
import { problemsIn, unknownVariables } from '../support/agentgateway-schema';
import {
  apiServer,
  backendPeer,
  container,
  dataOf,
  gatewayChart,
  GatewayOptions,
  Manifest,
  manifests,
  newChart,
  newGateway,
  only,
  pod,
  problems,
  synth,
} from '../support/synth';

const image = Image.fromDigest(`ghcr.io/agentgateway/agentgateway:0.12.0@sha256:${'0'.repeat(64)}`);
const old = DataPlane.agentgateway({ version: AgentgatewayVersion.V0_12, image });
const metricsPeer = Peer.pods({ app: 'prometheus' });
const credential = SecretSource.existing('backend', 'key');
const full: GatewayOptions = {
  secrets: ['db'],
  gateway: { metricsPeer, dataPlane: DataPlane.agentgateway({ ipv6: false }) },
  mcp: {
    backend: 'https://mcp.tools.svc:5443/inner/',
    backendEndpoints: ['https://mcp-0.tools.svc:5443', 'https://mcp-1.tools.svc:5443'],
    backendCa: CaBundle.fromConfigMap('mcp-ca'),
    backendHost: 'localhost:5000',
    backendHeaders: { 'x-tenant': 'acme', 'user-agent': 'gateway' },
    backendServerName: 'mcp.internal',
    backendCertificateSecret: 'gateway-client',
    credential,
    credentialHeader: 'x-api-key',
    credentialPrefix: '',
  },
};
const { credentialHeader: _header, credentialPrefix: _prefix, ...mcpOfOld } = full.mcp!;
const CONFIGS = [
  ['v1_4', 'the default', {}],
  ['v1_4', 'one with everything', full],
  ['v0_12', 'the default', { gateway: { dataPlane: old } }],
  ['v0_12', 'one with everything', { ...full, gateway: { metricsPeer, dataPlane: old }, mcp: mcpOfOld }],
] as const satisfies readonly (readonly [string, string, GatewayOptions])[];

const configOf = (options: GatewayOptions = {}) => parse(dataOf(manifests(options), 'config.yaml'));

/** Every object in it, with the path that leads there. */
function objectsIn(value: unknown, path = ''): { readonly path: string; readonly object: object }[] {
  if (typeof value !== 'object' || value === null) return [];
  const inside = Object.entries(value).flatMap(([key, each]) => objectsIn(each, `${path}/${key}`));
  return Array.isArray(value) ? inside : [{ path, object: value }, ...inside];
}
/** Where agentgateway itself takes whatever it is given, or this test knows nothing. */
const isOpen = (path: string) => /\/(add|set|gateways)(\/|$)/.test(path);

describe.each(CONFIGS)('the config of %s, %s,', (dialect, _, options) => {
  it('has the fields that agentgateway knows', () => {
    expect(problemsIn(dialect, configOf(options))).toEqual([]);
  });
  it('is refused with another field, wherever it stands', () => {
    const paths = objectsIn(configOf(options))
      .map(({ path }) => path)
      .filter((path) => !isOpen(path));
    expect(paths.length).toBeGreaterThan(10);
    for (const path of paths) {
      const changed = configOf(options);
      objectsIn(changed).find((each) => each.path === path)!.object['bogus' as never] = 1 as never;
      expect([path, problemsIn(dialect, changed)]).toEqual([
        path,
        expect.arrayContaining([expect.stringContaining('"bogus"')]),
      ]);
    }
  });
  it('has expressions of variables that agentgateway sets', () => {
    const expressions = objectsIn(configOf(options)).flatMap(({ path, object }) =>
      /\/(add|response\/set)$/.test(path)
        ? Object.values(object as Record<string, string>)
        : ((object as { rules?: string[] }).rules ?? []),
    );
    expect(expressions.length).toBeGreaterThan(2);
    expect(expressions.flatMap(unknownVariables)).toEqual([]);
    expect(unknownVariables('request.header["a"] == "source.addr" || client.address in jwt.aud')).toEqual([
      'request.header',
      'client.address',
      'jwt.aud',
    ]);
  });
  it('logs the path without its query, and the id of the request as the audit log has it', () => {
    expect(configOf(options).frontendPolicies.accessLog.add).toEqual({
      'http.path': 'request.path',
      'request.id': 'request.headers["x-request-id"]',
    });
  });
});

describe('agentgateway', () => {
  it('opens metrics to whom may scrape, and says where each of its servers listens', () => {
    const addresses = (options: GatewayOptions) => {
      const { adminAddr, statsAddr, readinessAddr } = configOf(options).config;
      return [adminAddr, statsAddr, readinessAddr];
    };
    expect(addresses({})).toEqual(['off', 'off', '[::]:15021']);
    expect(addresses({ gateway: { metricsPeer } })).toEqual(['off', '[::]:15020', '[::]:15021']);
    expect(addresses(full)).toEqual(['off', '0.0.0.0:15020', '0.0.0.0:15021']);
    expect(addresses({ gateway: { dataPlane: old } })).toEqual([
      'localhost:15000',
      'localhost:15020',
      '[::]:15021',
    ]);
    expect(addresses({ gateway: { dataPlane: old, metricsPeer } })[1]).toBe('[::]:15020');
  });
  it('has a port for its metrics that the scraper alone reaches, where there is one', () => {
    const portsOf = (objects: Manifest[]) =>
      container(objects, 'agentgateway').ports.map((port: { name: string }) => port.name);
    const ingressOf = (objects: Manifest[]) =>
      only(objects, 'NetworkPolicy', 'agentgateway-allow').spec.ingress;
    expect([portsOf(manifests()), ingressOf(manifests())]).toEqual([['readiness'], undefined]);
    const scraped = manifests({ gateway: { metricsPeer } });
    expect(portsOf(scraped)).toEqual(['readiness', 'stats']);
    expect(ingressOf(scraped)).toEqual([
      {
        from: [{ podSelector: { matchLabels: { app: 'prometheus' } } }],
        ports: [9090, 15_020].map((port) => ({ port, protocol: 'TCP' })),
      },
    ]);
    const direct = manifests({ gateway: { metricsPeer, dataPlane: DataPlane.direct() } });
    expect(ingressOf(direct)[0].ports).toEqual([{ port: 9090, protocol: 'TCP' }]);
  });
  it('has threads by the work that it gets, not by the cores of its node', () => {
    const threads = [1, 4, 7].map((workers) => configOf({ gateway: { workers } }).config.workerThreads);
    expect(threads).toEqual(['2', '2', '4']);
  });
  it("samples no trace, so that the backend's parent is the proxy's span", () => {
    const tracing = { url: 'http://collector:4318/v1/traces', peer: backendPeer };
    for (const gateway of [{}, { tracing }])
      expect(configOf({ gateway }).frontendPolicies.tracing).toMatchObject({
        randomSampling: false,
        clientSampling: false,
      });
  });
  it('gets no two routes of one name, which it would take in silence', () => {
    expect(
      problems(() => {
        const chart = newChart();
        const gateway = newGateway(chart);
        for (const path of ['a', 'b']) {
          const pathPrefix = `/${path}`;
          new McpRoute(chart, path, { gateway, name: 'mcp', pathPrefix, backend: 'mcp:5000', backendPeer });
        }
        return chart;
      }).join('\n'),
    ).toMatch(/name: must be unique.*got "mcp"/);
  });
  describe('connects to backends', () => {
    const connectionsOf = (options: GatewayOptions) => configOf(options).config.backend;
    it.each([
      ['v1_4', DataPlane.agentgateway()],
      ['v0_12', old],
    ])('as patiently as the gateway says, and as the proxy by default, %s', (_, dataPlane) => {
      expect(connectionsOf({ gateway: { dataPlane } })).toEqual({
        connectTimeout: '5s',
        poolIdleTimeout: '1500ms',
      });
      const upstream = { connect: Duration.millis(250), maxIdleTime: Duration.seconds(90) };
      expect(connectionsOf({ gateway: { dataPlane, upstream } })).toEqual({
        connectTimeout: '250ms',
        poolIdleTimeout: '90s',
      });
    });
    it('within the longest time of its routes, since it has one for all', () => {
      const connect = (...seconds: number[]) => {
        const chart = newChart();
        const gateway = newGateway(chart, { upstream: { connect: Duration.seconds(4) } });
        const mcp = { gateway, backend: 'mcp:5000', backendPeer };
        new McpRoute(chart, 'plain', { ...mcp, pathPrefix: '/plain' });
        for (const each of seconds) {
          const timeouts = { connect: Duration.seconds(each) };
          new McpRoute(chart, `own${each}`, { ...mcp, pathPrefix: `/own${each}`, timeouts });
        }
        return parse(dataOf(synth(chart), 'config.yaml')).config.backend.connectTimeout;
      };
      expect([connect(), connect(2), connect(2, 9)]).toEqual(['4s', '4s', '9s']);
    });
    it('of which a gateway without MCP routes has none', () => {
      const chart = newChart();
      const gateway = newGateway(chart, { apiServer });
      new SecretsRoute(chart, 'Secrets', { gateway, secretNames: ['a'], insecurePlainHttp: true });
      expect(parse(dataOf(synth(chart), 'config.yaml')).config.backend.connectTimeout).toBe('5s');
    });
  });
  describe('sets headers of requests to a backend', () => {
    const headersOf = (mcp: GatewayOptions['mcp'], dataPlane = DataPlane.agentgateway()) => {
      const { routes, binds } = configOf({ gateway: { dataPlane }, mcp });
      return (routes ?? binds[0].listeners[0].routes)[0].backends[0].policies?.requestHeaderModifier;
    };
    it.each([
      ['v1_4', DataPlane.agentgateway()],
      ['v0_12', old],
    ])('as the route says, and none by itself, %s', (_, dataPlane) => {
      const backendHeaders = { 'x-tenant': 'true', 'user-agent': 'a b' };
      expect(headersOf({ backendHeaders }, dataPlane)).toEqual({ set: backendHeaders });
      expect(headersOf({}, dataPlane)).toBeUndefined();
    });
    const refusal = (backendHeaders: Record<string, string>, mcp: GatewayOptions['mcp'] = {}) => {
      try {
        gatewayChart({ mcp: { ...mcp, backendHeaders } });
      } catch (error) {
        return (error as Error).message;
      }
      return undefined;
    };
    const TAKEN =
      'must be left out: HTTP, MCP, the proxy or the credential has a use of its own for this header';
    it.each([
      ...['authorization', 'host', 'connection', 'content-length', 'transfer-encoding', 'te', 'cookie'],
      ...['dpop', 'forwarded', 'x-forwarded-for', 'x-request-id', 'traceparent', 'origin', 'upgrade'],
      ...['mcp-session-id', 'mcp-protocol-version', 'last-event-id', 'x-backend-answered', 'accept'],
    ])('but not %s', (name) => {
      expect(refusal({ [name]: 'a' })).toBe(
        `[test/Mcp] backendHeaders.${name}: ${TAKEN}; credential, backendHost and methods are props of the route`,
      );
    });
    it('but not that of the credential', () => {
      expect(refusal({ 'x-auth': 'a' }, { credential, credentialHeader: 'x-auth' })).toContain(TAKEN);
      expect(refusal({ 'x-auth': 'a' })).toBeUndefined();
    });
    it.each([
      [
        { 'x-api-key': 'hunter2' },
        /^\[test\/Mcp\] backendHeaders\.x-api-key: .*; give credential with credentialHeader: "x-api-key"$/,
      ],
      [{ 'x-auth-token': 'a' }, /its name says that it is a secret/],
      [
        { 'X-Tenant': 'a' },
        /^\[test\/Mcp\] backendHeaders\.X-Tenant: must have the name of a header, in lower case/,
      ],
      [{ 'x tenant': 'a' }, /must have the name of a header/],
      [{ ['x'.repeat(65)]: 'a' }, /at most 64 characters/],
      [{ 'x-a': '' }, /^\[test\/Mcp\] backendHeaders\.x-a: must be 1 to 1024 characters of printable ASCII/],
      [{ 'x-a': ' a' }, /no space around/],
      [{ 'x-a': 'a\r\nx-b: c' }, /printable ASCII/],
      [{ 'x-a': 'é' }, /printable ASCII/],
      [{ 'x-a': 'a'.repeat(1025) }, /1 to 1024/],
    ])('but not %j', (backendHeaders, said) => {
      expect(refusal(backendHeaders as Record<string, string>)).toMatch(said);
      expect(refusal(backendHeaders as Record<string, string>)).not.toContain('hunter2');
    });
    it('but none that it would expand, and none where it is not there', () => {
      const made = (dataPlane: DataPlane, value: string) =>
        problems(() => gatewayChart({ gateway: { dataPlane }, mcp: { backendHeaders: { 'x-a': value } } }));
      expect(made(DataPlane.agentgateway(), '$HOME').join('\n')).toContain('must have no "$" in any value');
      expect(made(DataPlane.direct(), 'a')).toEqual([
        '[test/Gateway] route "mcp" backendHeaders: must be left out without agentgateway, which sets them, ' +
          'got ["x-a"]; choose DataPlane.agentgateway()',
      ]);
    });
  });
  describe('calls a backend with TLS', () => {
    const backend = 'https://mcp.tools.svc:5443';
    const tlsOf = (mcp: GatewayOptions['mcp'], dataPlane = DataPlane.agentgateway()) => {
      const { routes, binds } = configOf({ gateway: { dataPlane }, mcp: { backend, ...mcp } });
      return (routes ?? binds[0].listeners[0].routes)[0].backends[0].policies.backendTLS;
    };
    const file = (name: string) => `/etc/agentgateway/routes/mcp/${name}`;

    it.each([
      ['v1_4', DataPlane.agentgateway()],
      ['v0_12', old],
    ])('by the name, the roots and the certificate that the route says, %s', (_, dataPlane) => {
      expect(tlsOf({}, dataPlane)).toEqual({});
      expect(tlsOf({ backendServerName: 'mcp.internal' }, dataPlane)).toEqual({ hostname: 'mcp.internal' });
      expect(
        tlsOf(
          { backendCertificateSecret: 'gateway-client', backendCa: CaBundle.fromConfigMap('mcp-ca') },
          dataPlane,
        ),
      ).toEqual({ root: file('ca.crt'), cert: file('client.crt'), key: file('client.key') });
    });
    it('by the name that it asks for, as the proxy does, unless that is an address', () => {
      const hostname = (mcp: GatewayOptions['mcp']) => tlsOf(mcp).hostname;
      expect(hostname({ backendHost: 'mcp.internal:8443' })).toBe('mcp.internal');
      expect(hostname({ backendHost: 'mcp.internal', backendServerName: 'other' })).toBe('other');
      expect(hostname({ backendHost: '192.0.2.7:8443' })).toBeUndefined();
    });
    it('with a certificate that it alone has', () => {
      const objects = manifests(full);
      const volumesWith = (name: string) =>
        pod(objects)
          .volumes.filter((volume: Manifest) => JSON.stringify(volume).includes(`"${name}"`))
          .map((volume: Manifest) => volume.name);
      expect([volumesWith('gateway-client'), volumesWith('backend')]).toEqual([
        ['agentgateway-config'],
        ['agentgateway-config'],
      ]);
      const mountedBy = ['dpop-proxy', 'agentgateway'].filter((name) =>
        container(objects, name).volumeMounts.some((m: Manifest) => m.name === 'agentgateway-config'),
      );
      expect(mountedBy).toEqual(['agentgateway']);
    });
    it('only where the backend has TLS', () => {
      const plain = { backend: 'mcp:5000', backendServerName: 'a', backendCertificateSecret: 'b' };
      expect(problems(() => gatewayChart({ mcp: plain }))).toEqual([
        '[test/Mcp] backendCertificateSecret: must go with an https backend, got "http://mcp:5000"',
        '[test/Mcp] backendServerName: must go with an https backend, got "http://mcp:5000"',
      ]);
    });
  });
  it('has an address for each endpoint', () => {
    const endpoints = (count: number) => Array.from({ length: count }, (_, i) => `http://mcp-${i}:5000`);
    const found = (count: number) =>
      problems(() =>
        gatewayChart({
          gateway: { upstream: { maxStreams: 1, maxSockets: 1 } },
          mcp: { backendEndpoints: endpoints(count) },
        }),
      );
    expect(found(254)).toEqual([]);
    expect(found(255)).toEqual([
      '[test/Gateway] route "mcp" backendEndpoints: must be at most 254 with agentgateway, got 255; choose ' +
        'DataPlane.direct()',
    ]);
  });
  it('has no IPv6 literal, which its file cannot say', () => {
    const mcp = { backend: 'http://[fd00::1]:5000', backendEndpoints: ['http://[fd00::2]:5000'] };
    expect(problems(() => gatewayChart({ mcp }))).toEqual([
      expect.stringContaining('route "mcp" backend: must not be an IPv6 literal with agentgateway'),
      expect.stringContaining(
        'route "mcp" backendEndpoints[0]: must not be an IPv6 literal with agentgateway',
      ),
    ]);
  });
  /**
   * It reads a credential when it loads its config, and it loads that again when kubelet changes the volume that the
   * config lies in. A file of another volume, or a subPath, would be renewed on disk and never read.
   */
  it.each([
    ['v1_4', DataPlane.agentgateway()],
    ['v0_12', old],
  ])('has its config in the one volume with each file that the config names, %s', (_, dataPlane) => {
    const objects = manifests({ ...full, gateway: { dataPlane }, mcp: mcpOfOld });
    const mounts = container(objects, 'agentgateway').volumeMounts.filter(
      (m: Manifest) => m.mountPath !== '/tmp',
    );
    expect(mounts).toEqual([{ name: 'agentgateway-config', mountPath: '/etc/agentgateway', readOnly: true }]);
    const { sources } = pod(objects).volumes.find((v: Manifest) => v.name === mounts[0].name).projected;
    const mapWithConfig = objects.find((o) => o.kind === 'ConfigMap' && 'config.yaml' in o.data)!;
    expect(sources[0]).toEqual({ configMap: { name: mapWithConfig.metadata.name } });
    const paths = [
      ...Object.keys(mapWithConfig.data),
      ...sources.flatMap((s: Manifest) =>
        ((s.secret ?? s.configMap).items ?? []).map((i: Manifest) => i.path),
      ),
    ];
    const named = [...mapWithConfig.data['config.yaml'].matchAll(/\/etc\/agentgateway\/(\S+)/g)].map(
      ([, path]) => path,
    );
    expect(named).toEqual(expect.arrayContaining(['routes/mcp/credential', 'routes/mcp/client.key']));
    expect(named.filter((path) => !paths.includes(path))).toEqual([]);
    expect(container(objects, 'agentgateway').args).toEqual(['-f', '/etc/agentgateway/config.yaml']);
  });
});
