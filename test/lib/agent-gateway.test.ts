import { ApiObject, Duration, JsonPatch, Size, Testing } from 'cdk8s';
import { parse } from 'yaml';
import {
  AuthMode,
  AuthProfile,
  CaBundle,
  DataPlane,
  HardenedNamespace,
  Image,
  IpFamily,
  JwksSource,
  McpRoute,
  Peer,
  ReplayStore,
  SecretSource,
  SecretsRoute,
  StoreFailure,
} from '../../lib';
import {
  all,
  apiServer,
  backendPeer,
  container,
  containers,
  dataOf,
  gatewayChart,
  Manifest,
  manifests,
  newChart,
  newGateway,
  only,
  pod,
  problems,
  synth,
} from '../support/synth';

const redis = ReplayStore.redis({ host: 'redis.aiops.svc', peer: Peer.pods({ app: 'redis' }) });

describe('the pod', () => {
  const objects = manifests({ secrets: ['db'] });

  it('runs the proxy and agentgateway, the proxy alone with DataPlane.direct', () => {
    const names = (given: Manifest[]) => containers(given).map(({ name }) => name);
    expect(names(objects)).toEqual(['dpop-proxy', 'agentgateway']);
    expect(names(manifests({ gateway: { dataPlane: DataPlane.direct() } }))).toEqual(['dpop-proxy']);
  });
  it('is what the restricted Pod Security Standard asks, and more', () => {
    expect(pod(objects)).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        fsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    for (const c of containers(objects)) {
      expect(c.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(c.resources.limits.memory).toBe(c.resources.requests.memory);
      expect(c.resources.limits['ephemeral-storage']).toBeDefined();
      // A registry, too: CRI-O 1.34 refuses short names.
      expect(c.image).toMatch(/^[a-z]+(\.[a-z]+)+\/.*@sha256:[0-9a-f]{64}$/);
      expect(c.env).toBeUndefined();
      expect(c.envFrom).toBeUndefined();
    }
  });
  it('shares nothing with its node', () => {
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace']) {
      expect(pod(objects)[field]).toBeUndefined();
    }
    expect(pod(objects).volumes.filter((v: object) => 'hostPath' in v)).toEqual([]);
  });
  it('writes to bounded memory only, and mounts no subPath', () => {
    for (const v of pod(objects).volumes) {
      if (v.emptyDir !== undefined) expect(v.emptyDir).toEqual({ medium: 'Memory', sizeLimit: '16Mi' });
    }
    for (const c of containers(objects)) {
      for (const m of c.volumeMounts) {
        expect(m.subPath).toBeUndefined();
        expect(m.readOnly === true || m.mountPath === '/tmp').toBe(true);
      }
    }
  });
  it('holds a ServiceAccount token only with a secrets route, without an audience, in the proxy alone', () => {
    const token = (v: { projected?: { sources: object[] } }) =>
      v.projected?.sources.some((s) => 'serviceAccountToken' in s);
    const [volume] = pod(objects).volumes.filter(token);
    expect(volume.projected.sources[0].serviceAccountToken).toEqual({
      path: 'token',
      expirationSeconds: 3600,
    });
    expect(
      container(objects, 'agentgateway').volumeMounts.map((m: { name: string }) => m.name),
    ).not.toContain(volume.name);
    expect(pod(manifests()).volumes.filter(token)).toEqual([]);
  });
  it('is asked on the admin port whether it is ready and whether it lives; only the first asks a dependency', () => {
    const { startupProbe, readinessProbe, livenessProbe } = container(objects);
    expect(
      [startupProbe, readinessProbe, livenessProbe].map((p) => `${p.httpGet.port}${p.httpGet.path}`),
    ).toEqual(['admin/livez', 'admin/readyz', 'admin/livez']);
    expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBeGreaterThanOrEqual(30);
  });
  it('has the time to drain that it needs', () => {
    const spec = pod(manifests({ gateway: { drain: Duration.seconds(100), preStop: Duration.seconds(20) } }));
    expect(spec.terminationGracePeriodSeconds).toBe(130);
    expect(spec.containers[0].lifecycle).toEqual({ preStop: { sleep: { seconds: 20 } } });
    // A sleep of no time is not known before 1.33.
    expect(container(manifests({ gateway: { preStop: Duration.seconds(0) } })).lifecycle).toBeUndefined();
  });
  it('ends agentgateway, which waits for nothing, once the proxy has ended; the proxy begins once it is ready', () => {
    const [agentgateway, ...others] = pod(objects).initContainers;
    // https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    expect([agentgateway.name, agentgateway.restartPolicy, others]).toEqual(['agentgateway', 'Always', []]);
    expect([agentgateway.startupProbe.httpGet, container(objects).restartPolicy]).toEqual([
      { path: '/healthz/ready', port: 'readiness' },
      undefined,
    ]);
    // A wait of its own would follow the proxy's, and an end without open requests would take that long.
    const waiting = manifests({ gateway: { drain: Duration.seconds(100), preStop: Duration.seconds(20) } });
    expect(container(waiting, 'agentgateway').lifecycle).toBeUndefined();
    expect(Object.keys(parse(dataOf(waiting, 'config.yaml')).config)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/Deadline$/)]),
    );
  });
  it('asks of its nodes only what it is told to: kubelet refuses the pod where one of these is missing', () => {
    const fields = (gateway: object) => {
      const { hostUsers, securityContext } = pod(manifests({ gateway }));
      return [hostUsers, securityContext.supplementalGroupsPolicy, securityContext.appArmorProfile];
    };
    expect(fields({})).toEqual([undefined, undefined, undefined]);
    const newest = { minKubernetesVersion: '1.36' };
    expect(fields(newest)).toEqual([undefined, undefined, undefined]);
    const features = { appArmor: true, userNamespace: true, strictSupplementalGroups: true };
    expect(fields({ ...newest, ...features })).toEqual([false, 'Strict', { type: 'RuntimeDefault' }]);
    expect(problems(() => gatewayChart({ gateway: { ...features, minKubernetesVersion: '1.32' } }))).toEqual([
      '[test/Gateway] userNamespace: must go with minKubernetesVersion "1.33" or later: older API servers ' +
        'drop the field, got "1.32"; raise minKubernetesVersion, or leave it out',
      '[test/Gateway] strictSupplementalGroups: must go with minKubernetesVersion "1.33" or later: older ' +
        'API servers drop the field, got "1.32"; raise minKubernetesVersion, or leave it out',
    ]);
  });
  it('has room for its logs: five files of 50 MiB and what is written between rotations, in each container', () => {
    const storage = (given: Manifest[]) =>
      containers(given).map((c) => [
        c.resources.requests['ephemeral-storage'],
        c.resources.limits['ephemeral-storage'],
      ]);
    expect(storage(manifests())).toEqual([
      ['64Mi', '512Mi'],
      ['64Mi', '512Mi'],
    ]);
    expect(storage(manifests({ gateway: { ephemeralStorage: Size.gibibytes(2) } }))[0]).toEqual([
      '64Mi',
      '2Gi',
    ]);
    expect(() => newGateway(newChart(), { ephemeralStorage: Size.mebibytes(63) })).toThrow(
      'ephemeralStorage: must be whole MiB, 64 or more: kubelet counts the log, 5 files of 10 MiB or what ' +
        'the nodes set, got "63 MiB"',
    );
  });
  it('listens in the families that it finds, as does its Service unless it is told', () => {
    const config = JSON.parse(dataOf(objects, 'config.json'));
    expect([config.listen.host, config.admin.host]).toEqual([undefined, undefined]);
    const families = (gateway: object) => {
      const { ipFamilies, ipFamilyPolicy } = only(manifests({ gateway }), 'Service').spec;
      return [ipFamilyPolicy, ipFamilies];
    };
    const { IPV4, IPV6 } = IpFamily;
    expect(families({})).toEqual(['PreferDualStack', undefined]);
    expect(families({ ipFamilies: [IPV6] })).toEqual(['SingleStack', ['IPv6']]);
    expect(families({ ipFamilies: [IPV6, IPV4] })).toEqual(['RequireDualStack', ['IPv6', 'IPv4']]);
    expect(() => manifests({ gateway: { ipFamilies: [IPV6, IPV6] } })).toThrow(
      'ipFamilies: must be IpFamily.IPV4, IpFamily.IPV6, or both in the order of preference, got ["IPv6","IPv6"]',
    );
  });
  it('can have an agentgateway for nodes without IPv6, and a Redis at an IPv6 address', () => {
    const replayStore = ReplayStore.redis({ host: 'fd00::7', peer: Peer.cidr('fd00::7/128') });
    const dataPlane = DataPlane.agentgateway({ ipv6: false });
    const given = manifests({ gateway: { replayStore, dataPlane } });
    expect(dataOf(given, 'config.yaml')).toContain('enableIpv6: false');
    expect(dataOf(manifests(), 'config.yaml')).not.toContain('enableIpv6');
    expect(JSON.parse(dataOf(given, 'config.json')).replay.url).toBe('rediss://[fd00::7]:6379');
  });
  it('does not answer Secrets in the clear unless it is told to', () => {
    const build = (gateway: object, insecurePlainHttp?: boolean) => () => {
      const chart = newChart();
      const built = newGateway(chart, { apiServer, ...gateway });
      new SecretsRoute(chart, 'Secrets', { gateway: built, secretNames: ['db'], insecurePlainHttp });
      return chart;
    };
    expect(problems(build({}))).toEqual([
      '[test/Gateway] route "secrets": must not answer Secrets over plain HTTP; give the gateway a ' +
        'tlsSecretName, for example with a GatewayCertificate; where something else encrypts all the way to ' +
        'the pod, say insecurePlainHttp: true',
    ]);
    expect(problems(build({}, true))).toEqual([]);
    expect(problems(build({ tlsSecretName: 'tls' }))).toEqual([]);
  });
  it('restarts agentgateway when it no longer answers, on an endpoint that asks nobody else', () => {
    const { livenessProbe, startupProbe } = container(manifests(), 'agentgateway');
    expect(livenessProbe.httpGet).toEqual(startupProbe.httpGet);
    expect(livenessProbe.failureThreshold * livenessProbe.periodSeconds).toBeGreaterThanOrEqual(60);
  });
  it('is never beside its successor with a memory store, and never missing with a shared one', () => {
    expect(only(objects, 'Deployment').spec.strategy).toEqual({ type: 'Recreate' });
    expect(only(manifests({ gateway: { replayStore: redis } }), 'Deployment').spec.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    });
  });
  it('finds no node for a second pod with a memory store, whatever made it; with a shared one it does', () => {
    const { spec } = only(objects, 'Deployment').spec.template;
    const topologyKey = 'kubernetes.io/os';
    expect([spec.nodeSelector, spec.affinity]).toEqual([
      { [topologyKey]: 'linux' },
      {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey, labelSelector: only(objects, 'Deployment').spec.selector },
          ],
        },
      },
    ]);
    const shared = only(manifests({ gateway: { replayStore: redis } }), 'Deployment').spec.template;
    expect([shared.spec.nodeSelector, shared.spec.affinity]).toEqual([undefined, undefined]);
  });
});

describe('the gateway', () => {
  it('has two replicas and a budget with a shared store, one replica and none with a memory store', () => {
    const shared = manifests({ gateway: { replayStore: redis } });
    expect(only(shared, 'Deployment').spec.replicas).toBe(2);
    expect(only(shared, 'PodDisruptionBudget').spec).toMatchObject({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
    expect(all(manifests(), 'PodDisruptionBudget')).toEqual([]);
  });
  it('is a ClusterIP Service with the traffic port alone', () => {
    const { spec } = only(manifests(), 'Service');
    expect(spec.type).toBe('ClusterIP');
    expect(spec.ports).toEqual([
      { name: 'http', port: 8080, targetPort: 'http', protocol: 'TCP', appProtocol: 'http' },
    ]);
    expect(only(manifests({ gateway: { tlsSecretName: 'tls' } }), 'Service').spec.ports[0].appProtocol).toBe(
      'https',
    );
  });
  it('may get the named Secrets and nothing else', () => {
    const objects = manifests({ secrets: ['b', 'a', 'a'] });
    expect(only(objects, 'Role').rules).toEqual([
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['a', 'b'], verbs: ['get'] },
    ]);
    expect(only(objects, 'RoleBinding').subjects).toEqual([
      { kind: 'ServiceAccount', name: 'agentgateway-sa', namespace: 'aiops' },
    ]);
    expect(only(objects, 'RoleBinding').roleRef.name).toBe(only(objects, 'Role').metadata.name);
    expect([...all(manifests(), 'Role'), ...all(manifests(), 'RoleBinding')]).toEqual([]);
  });
  it('derives every name from one', () => {
    const objects = manifests({ gateway: { name: 'edge', replayStore: redis }, secrets: ['db'] });
    expect(objects.map((o) => o.metadata.name).filter((name) => !name.startsWith('edge'))).toEqual([]);
    expect(pod(objects).serviceAccountName).toBe(only(objects, 'ServiceAccount').metadata.name);
    const mounted = pod(objects)
      .volumes.flatMap((v: any) => v.projected?.sources ?? [])
      .map((s: any) => s.configMap?.name)
      .filter((n: string) => n?.startsWith('edge'));
    expect(new Set(mounted)).toEqual(new Set(all(objects, 'ConfigMap').map((o) => o.metadata.name)));
  });
  it('keeps every patch of a user', () => {
    const chart = gatewayChart({ gateway: { replayStore: redis } });
    const budget = chart.node
      .findAll()
      .find((c) => c instanceof ApiObject && c.kind === 'PodDisruptionBudget') as ApiObject;
    budget.addJsonPatch(
      JsonPatch.replace('/spec/maxUnavailable', 2),
      JsonPatch.add('/spec/somethingNewer', true),
    );
    expect(only(synth(chart), 'PodDisruptionBudget').spec).toMatchObject({
      maxUnavailable: 2,
      somethingNewer: true,
    });
  });
  it('serves routes that are added after it, in an order that does not depend on the calls', () => {
    const config = (ids: string[]) => {
      const chart = newChart();
      const gateway = newGateway(chart);
      for (const id of ids) {
        new McpRoute(chart, id, {
          gateway,
          backend: 'mcp:5000',
          backendPeer,
          pathPrefix: `/${id.toLowerCase()}`,
        });
      }
      return dataOf(synth(chart), 'config.json');
    };
    expect(config(['A', 'Longer', 'B'])).toBe(config(['B', 'Longer', 'A']));
  });
  it('shows an unpinned image in the manifest, with the reason', () => {
    const image = Image.unpinned(
      'docker.io/library/node:24-bookworm-slim',
      'a laptop cluster without a registry',
    );
    expect(only(manifests({ gateway: { image } }), 'Deployment').metadata.annotations).toEqual({
      'cdk8s-agentgateway/unpinned-image':
        'docker.io/library/node:24-bookworm-slim: a laptop cluster without a registry',
    });
  });
});

describe('synth refuses', () => {
  const gatewayProblems = (options: Parameters<typeof gatewayChart>[0]) => {
    try {
      Testing.synth(gatewayChart(options));
      return [];
    } catch (cause) {
      return (cause as Error).message
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
        .filter((line) => line !== '');
    }
  };
  it.each([
    [
      'a memory store with two replicas',
      { gateway: { replicas: 2 } },
      new RegExp(
        [
          /\[test\/Gateway\] replayStore: must be shared by all 2 replicas.*got "memory"; use /,
          /ReplayStore.redis, or one replica/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    ],
    [
      'a budget for one replica',
      { gateway: { podDisruptionBudget: true } },
      /podDisruptionBudget: must go with at least 2 replicas.*got 1; choose ReplayStore\.redis/,
    ],
    [
      'a secrets route without a way to the API server',
      { gateway: { apiServer: undefined }, secrets: ['db'] },
      /apiServer: is required with a SecretsRoute.*kubectl get endpointslices/,
    ],
    [
      'a path that is not canonical',
      { mcp: { pathPrefix: 'mcp' } },
      /\[test\/Mcp\] pathPrefix: must start with "\/", got "mcp"; did you mean "\/mcp"\?/,
    ],
    [
      'a permissive secrets route',
      { gateway: { auth: AuthProfile.dpop({ mode: AuthMode.PERMISSIVE }) }, secrets: ['db'] },
      /\[test\/Secrets\] auth\.mode: must be "strict" on a secrets route/,
    ],
    [
      "the gateway's own credential in a secrets route",
      { mcp: { credential: SecretSource.existing('backend', 'token') }, secrets: ['backend'] },
      /must not name a credential of the gateway itself.*got "backend"/,
    ],
    [
      'a CA for a backend that agentgateway calls in clear',
      { mcp: { backendCa: CaBundle.fromConfigMap('mcp-ca') } },
      /\[test\/Mcp\] backendCa: must go with an https backend/,
    ],
    [
      'credentials in a URL that agentgateway calls',
      { mcp: { backend: 'https://user:pw@mcp:5000/x' } },
      /\[test\/Mcp\] backend: must be an absolute http\(s\) URL without credentials/,
    ],
    [
      'a header that is none, for agentgateway',
      { mcp: { credential: SecretSource.existing('backend', 'token'), credentialHeader: 'X API Key' } },
      /\[test\/Mcp\] credentialHeader: /,
    ],
    [
      'memory for less than the process',
      { gateway: { memory: Size.mebibytes(8) } },
      /memory: must be at least 124 MiB for this many workers, connections and maxEntries, got "8 MiB"/,
    ],
    [
      'memory for fewer proofs than are remembered',
      {
        gateway: { memory: Size.mebibytes(256), replayStore: ReplayStore.memory({ maxEntries: 50_000_000 }) },
      },
      /memory: must be at least 1246 MiB/,
    ],
    [
      'all addresses as trusted peers',
      { gateway: { trustedPeers: ['0.0.0.0/0'] } },
      /trustedPeers\[0\]: must not be all addresses: whoever connects would say who the client is, got "0\.0\.0\.0\/0"/,
    ],
    [
      'all addresses as trusted peers, in halves',
      { gateway: { trustedPeers: ['0.0.0.0/1', '10.0.0.0/8', '128.0.0.0/1'] } },
      new RegExp(
        [
          /trustedPeers: must not be all addresses together: .*got /,
          /\["0\.0\.0\.0\/1","10\.0\.0\.0\/8","128\.0\.0\.0\/1"\]; list the/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    ],
    [
      'all addresses of IPv6 as trusted peers',
      { gateway: { trustedPeers: ['2000::/3'] } },
      /trustedPeers: must not be all addresses together/,
    ],
    [
      'a secrets route whose tokens are good for any request',
      { gateway: { auth: AuthProfile.selfSigned({ enforceHtuHtm: false }) }, secrets: ['db'] },
      /\[test\/Secrets\] auth\.enforceHtuHtm: must be true on a secrets route: .*got false; remove it/,
    ],
    [
      'a secrets route that takes proofs twice while Redis is away',
      {
        gateway: {
          replayStore: ReplayStore.redis({
            host: 'redis',
            peer: Peer.pods({ app: 'redis' }),
            password: SecretSource.existing('redis', 'password'),
            onFailure: StoreFailure.ALLOW,
          }),
        },
        secrets: ['db'],
      },
      /replayStore\.onFailure: must not be "allow" beside a secrets route: .*use "deny"/,
    ],
    [
      'a public origin with a path',
      { gateway: { publicOrigins: ['https://gw.example/x'] } },
      /publicOrigins\[0\]: must be an http\(s\) origin.*did you mean "https:\/\/gw\.example"\?/,
    ],
  ])('%s', (_, options, message) => {
    const found = gatewayProblems(options);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });
  it('a key set that the proxy would refuse, and says what of it', () => {
    const set = (...keys: object[]) => JSON.stringify({ keys });
    expect(() => JwksSource.inline(set({ kty: 'RSA', kid: 'a' }))).toThrow(
      /^jwks: keys\[0\]: n and e must be canonical base64url/,
    );
    expect(() => JwksSource.inline(set({ kty: 'EC', crv: 'P-521', kid: 'a', x: 'AA', y: 'AA' }))).toThrow(
      'jwks: keys[0]: crv must be P-256 or P-384; keys: must hold at least one signature key of kty RSA, EC or OKP',
    );
  });
  it('objects that another construct emits too, naming both', () => {
    const chart = newChart();
    for (const id of ['One', 'Two']) {
      new McpRoute(chart, `${id}Mcp`, {
        gateway: newGateway(chart, {}, id),
        backend: 'mcp:5000',
        backendPeer,
      });
    }
    expect(problems(() => chart)).toEqual([
      '[test/Two] ServiceAccount aiops/agentgateway-sa: must be emitted once, got "test/One"; give one of ' +
        'the two another name, or leave it out',
    ]);
    const twice = newChart();
    for (const id of ['One', 'Two']) new HardenedNamespace(twice, id, { name: 'aiops' });
    expect(problems(() => twice)).toEqual([
      expect.stringContaining('[test/Two] Namespace aiops: must be emitted once, got "test/One"'),
    ]);
  });
  it('a credential of another gateway of the namespace in a secrets route', () => {
    const chart = newChart();
    const [one, two] = [
      newGateway(chart, { name: 'one', apiServer }, 'One'),
      newGateway(chart, { name: 'two' }, 'Two'),
    ];
    new SecretsRoute(chart, 'Secrets', { insecurePlainHttp: true, gateway: one, secretNames: ['two-token'] });
    new McpRoute(chart, 'Mcp', {
      gateway: two,
      backend: 'mcp:5000',
      backendPeer,
      credential: SecretSource.existing('two-token', 'value'),
    });
    expect(problems(() => chart).join()).toMatch(
      new RegExp(
        [
          /\[test\/One\] route "secrets" secretNames: must not name a credential of the gateway itself, or /,
          /of another in the namespace.*got "two-token"/,
        ]
          .map((part) => part.source)
          .join(''),
      ),
    );
  });
  it('a route of another gateway, and a namespace that is none', () => {
    const chart = newChart();
    const [one, two] = [newGateway(chart, { name: 'one' }, 'One'), newGateway(chart, { name: 'two' }, 'Two')];
    const route = new McpRoute(chart, 'Mcp', { gateway: one, backend: 'mcp:5000', backendPeer });
    expect(() => two.addRoute(route)).toThrow(
      'addRoute: must be given a route of this gateway, test/Two, got "test/One"',
    );
    expect(() => newGateway(newChart(), { namespace: 'Not_Valid' })).toThrow(
      'namespace: must be a lower-case RFC 1123 label of at most 63 characters, got "Not_Valid"; did you ' +
        'mean "not-valid"?',
    );
  });
  it('two routes that shadow each other, naming both', () => {
    const found = problems((app) => {
      const chart = new (jest.requireActual<typeof import('cdk8s')>('cdk8s').Chart)(app, 'test', {
        namespace: 'aiops',
      });
      const gateway = newGateway(chart);
      for (const id of ['One', 'Two']) new McpRoute(chart, id, { gateway, backend: 'mcp:5000', backendPeer });
    });
    expect(found).toEqual([
      expect.stringMatching(
        new RegExp(
          [
            /\[test\/Two\] pathPrefix: must differ from that of route "one", which shadows it, got "\/mcp"; /,
            /give each route its own prefix/,
          ]
            .map((part) => part.source)
            .join(''),
        ),
      ),
    ]);
  });
  it('everything that is wrong with an app, in one report with the paths', () => {
    const found = gatewayProblems({
      gateway: { replicas: 3, podDisruptionBudget: false, publicOrigins: [] },
      mcp: { pathPrefix: '/a//b', allowedOrigins: ['x'] },
      secrets: ['db'],
    });
    expect(found.map((line) => line.replace(/^(\[\S+\] \S+:).*/, '$1')).sort()).toEqual([
      '[test/Gateway] publicOrigins:',
      '[test/Gateway] replayStore:',
      '[test/Mcp] allowedOrigins[0]:',
      '[test/Mcp] pathPrefix:',
    ]);
  });
});
