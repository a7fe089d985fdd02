import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration } from 'cdk8s';
import {
  AgentGatewayProps,
  AuthProfile,
  CaBundle,
  CertificateSource,
  DataPlane,
  IssuerPreset,
  JwksSource,
  McpRevision,
  McpRoute,
  OriginSource,
  Peer,
  RedisTopology,
  ReplayStore,
  SecretSource,
  SecretStoreRef,
  SecretsRoute,
  StoreFailure,
} from '../../lib';
import {
  all,
  apiServer,
  backendPeer,
  dataOf,
  gatewayChart,
  GatewayOptions,
  manifests,
  newChart,
  newGateway,
  only,
  pod,
  problems,
  root,
  synth,
} from '../support/synth';

const { parseConfig } = createRequire(__filename)(join(root, 'assets', 'config.cjs')) as {
  parseConfig: (raw: unknown) => { ok: boolean; problems?: string[] };
};
const direct: Partial<AgentGatewayProps> = { dataPlane: DataPlane.direct() };
const secret = (name: string) => SecretSource.existing(name, 'value');
const [rsaJwk] = JSON.parse(readFileSync(join(root, 'apps', 'jwks.json'), 'utf8')).keys;
const introspection = {
  url: 'https://idp.example/introspect',
  peer: Peer.pods({ app: 'idp' }),
  clientId: 'gateway',
  clientSecret: secret('introspection'),
};
const config = (options: GatewayOptions) => {
  const value = JSON.parse(dataOf(manifests(options), 'config.json'));
  expect(parseConfig(value)).toMatchObject({ ok: true });
  return value;
};
/** path in the proxy's config directory -> Secret it comes from */
const secretFiles = (options: GatewayOptions) =>
  Object.fromEntries(
    pod(manifests(options))
      .volumes.flatMap((v: any) => v.projected?.sources ?? [])
      .flatMap((s: any) => (s.secret?.items ?? []).map((i: any) => [i.path, s.secret.name])),
  );
const redis = (more: object = {}) =>
  ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }), ...more });

describe('AuthProfile', () => {
  it('dpop with nonces mounts the key ring and requires them', () => {
    const options = {
      gateway: {
        ...direct,
        auth: AuthProfile.dpop({
          nonce: { keys: secret('nonces'), lifetime: Duration.minutes(2), timeFromNonce: true },
          requiredScopes: ['mcp:read'],
        }),
      },
    };
    expect(config(options).routes[0].auth).toMatchObject({
      profile: 'dpop',
      requiredScopes: ['mcp:read'],
      nonce: {
        keys: { file: '/etc/gateway/credentials/nonce-keys' },
        lifetimeSeconds: 120,
        timeFromNonce: true,
      },
    });
    expect(secretFiles(options)).toMatchObject({ 'credentials/nonce-keys': 'nonces' });
  });
  it('of a route has secrets of its own, fetched where they are external', () => {
    const chart = newChart();
    const gateway = newGateway(chart, direct);
    const keys = SecretSource.externalSecret({
      store: SecretStoreRef.secretStore('vault'),
      remoteKey: 'aiops/nonces',
    });
    new McpRoute(chart, 'Mcp', {
      gateway,
      backend: 'mcp:5000',
      backendPeer,
      auth: AuthProfile.dpop({ nonce: { keys } }),
    });
    const objects = synth(chart);
    expect(only(objects, 'ExternalSecret').metadata.name).toBe('agentgateway-mcp-nonce-keys');
    expect(JSON.parse(dataOf(objects, 'config.json')).routes[0].auth.nonce.keys.file).toBe(
      '/etc/gateway/routes/mcp/nonce-keys',
    );
  });
  it('mtls ends TLS with the named Secret, or believes a trusted peer, and says where neither is', () => {
    const own = { gateway: { ...direct, auth: AuthProfile.mtls(), tlsSecretName: 'gateway-tls' } };
    expect(config(own)).toMatchObject({
      listen: { tls: { certFile: '/etc/gateway/tls/tls.crt', keyFile: '/etc/gateway/tls/tls.key' } },
      routes: [{ auth: { profile: 'mtls' } }],
    });
    expect(secretFiles(own)).toMatchObject({ 'tls/tls.crt': 'gateway-tls', 'tls/tls.key': 'gateway-tls' });
    expect(config(own).publicOrigins[0]).toMatch(/^https:/);
    expect(
      config({
        gateway: {
          ...direct,
          auth: AuthProfile.mtls({ certificateFrom: CertificateSource.HEADER }),
          trustedPeers: ['10.0.0.0/8'],
        },
      }).trustedPeers,
    ).toEqual(['10.0.0.0/8']);
    expect(problems(() => gatewayChart({ gateway: { ...direct, auth: AuthProfile.mtls() } })).join()).toMatch(
      /auth\.certificateFrom: must go with tlsSecretName/,
    );
  });
  it('mixed is refused on a SecretsRoute', () => {
    const build = () => {
      const chart = newChart();
      const gateway = newGateway(chart, { ...direct, apiServer });
      new SecretsRoute(chart, 'Secrets', {
        insecurePlainHttp: true,
        gateway,
        secretNames: ['db'],
        auth: AuthProfile.mixed(),
      });
      return chart;
    };
    expect(problems(build).join()).toMatch(/auth: must not be "mixed" on a secrets route/);
    expect(config({ gateway: { ...direct, auth: AuthProfile.mixed() } }).routes[0].auth.profile).toBe(
      'mixed',
    );
  });
  it('with introspection reaches the authorization server and nobody else, and mounts the client secret', () => {
    const asked = AuthProfile.dpop({ introspection: { ...introspection, always: true }, legacyTyp: true });
    const options = { gateway: { auth: asked } };
    expect(config(options).issuers[0]).toMatchObject({
      legacyTyp: true,
      introspection: {
        url: introspection.url,
        always: true,
        clientId: 'gateway',
        clientSecret: { file: '/etc/gateway/credentials/introspection' },
      },
    });
    expect(secretFiles(options)).toMatchObject({ 'credentials/introspection': 'introspection' });
    expect(only(manifests(options), 'NetworkPolicy').spec.egress).toContainEqual({
      to: [{ podSelector: { matchLabels: { app: 'idp' } } }],
      ports: [{ port: 443, protocol: 'TCP' }],
    });
    expect(() => AuthProfile.dpop({ introspection: { ...introspection, url: 'idp' } })).toThrow(
      'introspection.url: must be an absolute http(s) URL without credentials, query or fragment, got "idp"',
    );
  });
  it('with a preset says which server signs the tokens, and not legacyTyp beside it', () => {
    const preset = (issuerPreset: IssuerPreset) =>
      config({ gateway: { auth: AuthProfile.dpop({ issuerPreset }) } }).issuers[0].preset;
    expect(Object.values(IssuerPreset).map(preset)).toEqual(Object.values(IssuerPreset));
    expect(config({}).issuers[0].preset).toBeUndefined();
    expect(() => AuthProfile.mtls({ issuerPreset: IssuerPreset.OKTA, legacyTyp: true })).toThrow(
      'auth.legacyTyp: must not go with issuerPreset "okta", which says which typ its tokens have, got ' +
        'true; leave legacyTyp out',
    );
  });
  describe('has keys that the metadata of its issuer names', () => {
    const issuer = 'https://idp.example/realm';
    const jwks = JwksSource.discover(issuer, {
      peer: Peer.cidr('203.0.113.7/32'),
      ca: CaBundle.fromConfigMap('idp-ca'),
      refresh: Duration.minutes(1),
    });
    it.each([
      ['agentgateway', {}],
      ['none', direct],
    ])('which the proxy looks up, and reaches; behind it %s', (_, dataPlane) => {
      const objects = manifests({ gateway: { ...dataPlane, jwks, auth: AuthProfile.dpop({ issuer }) } });
      const [written] = JSON.parse(dataOf(objects, 'config.json')).issuers;
      expect(written).toMatchObject({
        issuer,
        jwks: { discover: true, refreshSeconds: 60, caFile: expect.stringContaining('jwks-') },
      });
      expect(written.jwks.url).toBeUndefined();
      expect(JSON.stringify(only(objects, 'NetworkPolicy'))).toContain('203.0.113.7/32');
    });
    it('and none of another issuer', () => {
      const says = (gateway: Partial<AgentGatewayProps>) => problems(() => gatewayChart({ gateway })).join();
      expect(says({ ...direct, jwks, auth: AuthProfile.dpop({ issuer: 'https://other.example' }) })).toMatch(
        /auth\.jwks: must be discovered from the issuer of its tokens, "https:\/\/other\.example", got "https:\/\/idp/,
      );
      expect(() => JwksSource.discover('my-app', { peer: backendPeer })).toThrow(
        /^jwks\.\w+: must be an absolute/,
      );
    });
  });
  describe('says one thing of an issuer', () => {
    const keys = JwksSource.fromUrl('https://idp.example/keys', { peer: backendPeer });
    const built = (
      one: AuthProfile | undefined,
      two: AuthProfile | undefined,
      settings: Partial<AgentGatewayProps> = {},
    ) => {
      const chart = newChart();
      const gateway = newGateway(chart, { ...direct, apiServer, ...settings });
      new McpRoute(chart, 'One', {
        gateway,
        backend: 'mcp:5000',
        backendPeer,
        pathPrefix: '/one',
        auth: one,
      });
      new SecretsRoute(chart, 'Two', { insecurePlainHttp: true, gateway, secretNames: ['db'], auth: two });
      return chart;
    };
    it.each<[string, AuthProfile, AuthProfile | undefined, string]>([
      [
        'legacyTyp',
        AuthProfile.dpop({ legacyTyp: true }),
        undefined,
        'got true; give it to all profiles of "https://idp.example", or give the profile an issuer of its own',
      ],
      [
        'issuerPreset',
        AuthProfile.dpop({ issuerPreset: IssuerPreset.KEYCLOAK }),
        undefined,
        'got "keycloak"; give it',
      ],
      [
        'introspection',
        AuthProfile.dpop({ introspection }),
        undefined,
        'got "https://idp.example/introspect"; give it',
      ],
      [
        'introspection',
        AuthProfile.dpop({ introspection }),
        AuthProfile.dpop({ introspection: { ...introspection, url: 'https://idp.example/other' } }),
        'got "https://idp.example/introspect"; give it',
      ],
      ['jwks', AuthProfile.dpop({ jwks: keys }), undefined, 'got "https://idp.example/keys"; give it'],
    ])('or is refused: %s', (prop, one, two, said) => {
      expect(problems(() => built(one, two)).join()).toContain(
        `route "one" auth.${prop}: must be the same for every use of an issuer, ${said}`,
      );
    });
    it('and all of its routes have it', () => {
      const auth = AuthProfile.dpop({ introspection, legacyTyp: true, jwks: keys });
      expect(JSON.parse(dataOf(synth(built(auth, auth)), 'config.json')).issuers).toMatchObject([
        {
          name: 'default',
          legacyTyp: true,
          introspection: { url: introspection.url },
          jwks: { url: 'https://idp.example/keys' },
        },
      ]);
    });
    it('but of typ, which its tokens have not, a self-signed route says nothing', () => {
      expect(problems(() => built(AuthProfile.selfSigned(), AuthProfile.dpop({ legacyTyp: true })))).toEqual(
        [],
      );
    });
    it('and one that no route trusts is not there, nor reached', () => {
      const own = AuthProfile.dpop({
        issuer: 'https://own.example',
        jwks: JwksSource.inline(JSON.stringify({ keys: [rsaJwk] })),
      });
      const objects = synth(
        built(own, own, {
          jwks: JwksSource.fromUrl('https://unused.example/jwks', { peer: Peer.cidr('203.0.113.7/32') }),
        }),
      );
      expect(JSON.parse(dataOf(objects, 'config.json')).issuers.map(({ issuer }: any) => issuer)).toEqual([
        'https://own.example',
      ]);
      expect(JSON.stringify(only(objects, 'NetworkPolicy'))).not.toContain('203.0.113.7');
    });
  });
});

describe('AgentGateway behind other proxies', () => {
  it('writes what it may believe of them', () => {
    expect(
      config({
        gateway: {
          ...direct,
          publicPathPrefix: '/ai',
          trustedPeers: ['10.0.0.0/8', 'fd00::/8'],
          originFrom: OriginSource.FORWARDED,
        },
      }),
    ).toMatchObject({
      publicPathPrefix: '/ai',
      originFrom: 'forwarded',
      trustedPeers: ['10.0.0.0/8', 'fd00::/8'],
    });
  });
  it.each<[Partial<AgentGatewayProps>, RegExp]>([
    [{ ...direct, originFrom: OriginSource.FORWARDED }, /originFrom: must go with trustedPeers/],
    [
      { ...direct, trustedPeers: ['10.0.0.1'] },
      new RegExp(
        [
          /trustedPeers\[0\]: must be an address range in CIDR notation, got "10\.0\.0\.1"; did you mean /,
          /"10\.0\.0\.1\/32"\?/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    ],
    [{ ...direct, publicPathPrefix: 'ai' }, /publicPathPrefix: must start with "\/"/],
    [{ tlsSecretName: 'Bad_Name' }, /tlsSecretName: must be the name of a Kubernetes object/],
  ])('refuses %j', (gateway, says) => expect(problems(() => gatewayChart({ gateway })).join()).toMatch(says));
});

describe('McpRoute rules', () => {
  it('are written as they are', () => {
    const when = { claim: '/realm_access/roles', oneOf: ['ops'] };
    const {
      routes: [route],
    } = config({
      gateway: direct,
      mcp: {
        allow: [
          { method: 'initialize', when },
          { method: 'tools/call', names: ['read'], requiredScopes: ['s'] },
        ],
        revisions: [McpRevision.V2026_07_28],
      },
    });
    expect([route.allow, route.revisions]).toEqual([
      [
        { method: 'initialize', when },
        { method: 'tools/call', names: ['read'], requiredScopes: ['s'] },
      ],
      ['2026-07-28'],
    ]);
  });
  it('cannot go by what callers write into their tokens themselves', () => {
    const allow = [{ method: 'tools/call', when: { claim: 'groups', oneOf: ['ops'] } }];
    expect(
      problems(() =>
        gatewayChart({ gateway: direct, mcp: { auth: AuthProfile.selfSigned(), allow } }),
      ).join(),
    ).toContain('allow[0].when: must be left out');
  });
  it('say what is wrong with them', () => {
    expect(
      problems(() => gatewayChart({ gateway: direct, mcp: { allow: [{ method: 'tools/' }] } })).join(),
    ).toMatch(/allow\[0\]\.method: must be a JSON-RPC method, or a prefix and "\/\*", got "tools\/"/);
  });
});

describe('ReplayStore', () => {
  it('of a cluster or behind sentinels names its members', () => {
    expect(
      config({
        gateway: { ...direct, replayStore: redis({ topology: RedisTopology.cluster('redis-1:6379') }) },
      }).replay.topology,
    ).toEqual({ kind: 'cluster', nodes: ['redis-1:6379'] });
    const sentinel = {
      gateway: {
        ...direct,
        replayStore: redis({
          port: 26379,
          topology: RedisTopology.sentinel({
            master: 'jti',
            sentinels: ['s2:26379'],
            password: secret('sentinel'),
          }),
        }),
      },
    };
    expect(config(sentinel).replay.topology).toEqual({
      kind: 'sentinel',
      master: 'jti',
      sentinels: ['s2:26379'],
      password: { file: '/etc/gateway/credentials/sentinel-password' },
    });
    expect(secretFiles(sentinel)).toMatchObject({ 'credentials/sentinel-password': 'sentinel' });
    const toRedis = only(manifests(sentinel), 'NetworkPolicy').spec.egress.find(
      (r: any) => r.to[0].podSelector?.matchLabels.app === 'redis',
    );
    expect(toRedis.ports.map((p: any) => p.port)).toEqual([26379, 6379]);
  });
  it('denies while it is away unless the app says otherwise, and has a margin for clocks', () => {
    expect(config({ gateway: { ...direct, replayStore: redis() } }).replay).not.toHaveProperty(
      'onStoreFailure',
    );
    expect(
      config({
        gateway: {
          ...direct,
          replayStore: redis({ onFailure: StoreFailure.LOCAL, epochMargin: Duration.seconds(30) }),
        },
      }).replay,
    ).toMatchObject({ onStoreFailure: 'local', epochMarginSeconds: 30 });
  });
});

it('a route that is called like another credential is refused, where Secrets are written for them', () => {
  const external = (remoteKey: string) =>
    SecretSource.externalSecret({
      store: SecretStoreRef.vault({ server: 'https://vault', path: 'secret', role: 'x' }),
      remoteKey,
    });
  const built = (source: (key: string) => SecretSource) =>
    problems(() =>
      gatewayChart({
        gateway: { ...direct, replayStore: redis({ password: source('b') }) },
        mcp: { name: 'redis-password', credential: source('a') },
      }),
    );
  expect(built(secret)).toEqual([]);
  expect(built(external).join()).toMatch(
    /route name: must not be what another credential of the gateway is called, got "redis-password"/,
  );
  expect(all(manifests(), 'ExternalSecret')).toEqual([]);
});

describe('names', () => {
  it('of routes collide with nothing that is mounted: each file of the config is there once, from its object', () => {
    const ca = (name: string) => CaBundle.fromConfigMap(name);
    const chart = newChart();
    const gateway = newGateway(chart, {
      ...direct,
      auth: AuthProfile.dpop({
        introspection: { ...introspection, ca: ca('introspection-ca') },
        nonce: { keys: secret('nonces') },
      }),
      replayStore: ReplayStore.redis({
        host: 'redis',
        peer: backendPeer,
        password: secret('redis'),
        ca: ca('redis-ca'),
      }),
      tracing: {
        url: 'https://collector:4318/v1/traces',
        peer: backendPeer,
        authorization: secret('collector'),
        ca: ca('collector-ca'),
      },
    });
    for (const name of [
      'redis',
      'redis-password',
      'tracing',
      'nonce-keys',
      'introspection',
      'introspection-default',
      'jwks-default',
      'a',
      'a-exchange',
    ]) {
      const token =
        name === 'a'
          ? {
              tokenExchange: {
                url: 'https://as.example/token',
                peer: backendPeer,
                clientId: 'gateway',
                clientSecret: secret('exchange'),
                audience: 'a',
                ca: ca('exchange-ca'),
              },
            }
          : { credential: secret(`${name}-credential`) };
      new McpRoute(chart, name, {
        gateway,
        name,
        pathPrefix: `/${name}`,
        backend: 'https://mcp:5000',
        backendPeer,
        backendCa: ca(`${name}-ca`),
        backendCertificateSecret: `${name}-client`,
        ...token,
      });
    }
    new McpRoute(chart, 'plain', {
      gateway,
      name: 'sentinel-password',
      pathPrefix: '/plain',
      backend: 'mcp:5000',
      backendPeer,
    });
    const objects = synth(chart);
    const mounted = pod(objects)
      .volumes.find((v: any) => v.name === 'config')
      .projected.sources.flatMap((s: any) => (s.secret ?? s.configMap).items ?? [])
      .map((item: any) => item.path);
    const named = [
      ...new Set(
        [...dataOf(objects, 'config.json').matchAll(/"\/etc\/gateway\/([^"]+)"/g)].map(([, path]) => path),
      ),
    ].filter((path) => path !== 'jwks.json');
    expect(new Set(mounted).size).toBe(mounted.length);
    expect([...named].sort()).toEqual([...mounted].sort());
    expect(named.length).toBeGreaterThan(35);
  });
});
