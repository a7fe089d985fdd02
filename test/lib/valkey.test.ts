/** A Valkey of the gateway's own: what is emitted for it, and what of it is refused. */
import { Duration, Size } from 'cdk8s';
import {
  AuthProfile,
  HardenedNamespace,
  Image,
  McpRoute,
  NetworkPolicyFlavor,
  RateLimit,
  ReplayStore,
  SecretSource,
  SecretStoreRef,
  ValkeyStoreOptions,
} from '../../lib';
import { WINDOW_DEFAULTS } from '../../lib/spec/valkey';
import { parseConfig } from '../../lib/support/parser';
import { describeCrds, validator } from '../support/crds';
import {
  all,
  backendPeer,
  dataOf,
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

const NAME = 'agentgateway-valkey';
const DIGEST = `sha256:${'0'.repeat(64)}`;
const store = (options: Partial<ValkeyStoreOptions> = {}) =>
  ReplayStore.valkey({
    image: Image.fromDigest(`docker.io/valkey/valkey@${DIGEST}`),
    password: SecretSource.existing('replay-store', 'password'),
    issuer: 'internal',
    requestsPerSecond: 100,
    ...options,
  });
const withValkey = (options: Partial<ValkeyStoreOptions> = {}, gateway: GatewayOptions['gateway'] = {}) =>
  manifests({ gateway: { replayStore: store(options), ...gateway } });
const valkeyPod = (objects: Manifest[]): Manifest => only(objects, 'StatefulSet').spec.template.spec;
const conf = (objects: Manifest[]): string => dataOf(objects, 'valkey.conf');
const maxmemory = (objects: Manifest[]): number =>
  Number(/^maxmemory (\d+)$/m.exec(conf(objects))![1]) / 2 ** 20;
const refused = (options: Partial<ValkeyStoreOptions>, gateway: GatewayOptions['gateway'] = {}) =>
  problems(() => {
    const chart = newChart();
    const built = newGateway(chart, { replayStore: store(options), ...gateway });
    new McpRoute(chart, 'Mcp', { gateway: built, backend: 'mcp:5000', backendPeer });
    return chart;
  }).join('\n');

describe('ReplayStore.valkey', () => {
  it('is one pod that is replaced, never doubled, and reached at its first name alone', () => {
    const objects = withValkey();
    expect(only(objects, 'StatefulSet')).toMatchObject({
      metadata: { name: NAME, labels: { 'app.kubernetes.io/part-of': 'cdk8s-agentgateway' } },
      spec: { replicas: 1, serviceName: NAME },
    });
    const { selector, ...service } = only(objects, 'Service', NAME).spec;
    expect(selector['statefulset.kubernetes.io/pod-name']).toBe(`${NAME}-0`);
    expect(service).toMatchObject({ clusterIP: 'None', ports: [{ port: 6379, targetPort: 'valkey' }] });
  });

  it('runs without root, token, shell and a disk', () => {
    const spec = valkeyPod(withValkey());
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    });
    for (const container of [...spec.initContainers, ...spec.containers]) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container.env).toBeUndefined();
      expect(container.image).toContain('@sha256:');
    }
    expect(spec.volumes.map(({ name, emptyDir }: Manifest) => [name, emptyDir?.medium])).toEqual([
      ['config', undefined],
      ['users', undefined],
      ['run', 'Memory'],
    ]);
  });

  it('is what the gateway claims from, over TLS, as its only user, by the CA of its certificate', () => {
    const objects = withValkey({ timeout: Duration.millis(200), epochMargin: Duration.seconds(1) });
    expect(JSON.parse(dataOf(objects, 'config.json')).replay).toEqual({
      store: 'redis',
      url: `rediss://${NAME}.aiops.svc:6379`,
      username: 'agentgateway',
      password: { file: '/etc/gateway/credentials/redis-password' },
      caFile: '/etc/gateway/ca/redis.crt',
      keyPrefix: 'agw:jti:',
      timeoutSeconds: 0.2,
      epochMarginSeconds: 1,
    });
    const sources = pod(objects).volumes.flatMap(({ projected }: Manifest) => projected?.sources ?? []);
    expect(sources).toContainEqual({
      secret: { name: `${NAME}-tls`, items: [{ key: 'ca.crt', path: 'ca/redis.crt' }] },
    });
    expect(only(objects, 'Certificate').spec).toMatchObject({
      secretName: `${NAME}-tls`,
      dnsNames: [`${NAME}.aiops.svc.cluster.local`, `${NAME}.aiops.svc`, `${NAME}.aiops`],
      issuerRef: { name: 'internal', kind: 'Issuer' },
    });
    expect(only(withValkey({ clusterIssuer: true }), 'Certificate').spec.issuerRef.kind).toBe(
      'ClusterIssuer',
    );
    expect(only(objects, 'Deployment').spec.replicas).toBe(2);
  });

  it('takes TLS alone, evicts nothing and writes nothing', () => {
    const lines = conf(withValkey()).split('\n');
    for (const line of [
      'port 0',
      'tls-port 6379',
      'protected-mode yes',
      'maxmemory-policy noeviction',
      'save ""',
      'appendonly no',
      'aclfile /run/valkey/users.acl',
    ])
      expect(lines).toContain(line);
  });

  it('knows one user with the commands that the store sends, and those of shared limits where there are some', () => {
    const users = (gateway: GatewayOptions['gateway'] = {}) => dataOf(withValkey({}, gateway), 'users.acl');
    const claims = 'user agentgateway reset on #PASSWORD ~agw:jti:* -@all +set +get +del +info +eval';
    expect(users()).toBe(`user default reset off\n${claims}\n`);
    const rateLimit = RateLimit.tokenBucket({ maxTokens: 10, tokensPerFill: 1, shared: true });
    expect(users({ rateLimit })).toBe(
      `user default reset off\n${claims} +evalsha +time +hmget +hset +pexpire\n`,
    );
  });

  it('sees the hash of the password only, which the image of the gateway makes', () => {
    const objects = withValkey({ password: SecretSource.existing('replay-store', 'pass') });
    const { initContainers, containers, volumes } = valkeyPod(objects);
    expect(initContainers[0]).toMatchObject({
      image: pod(objects).containers[0].image,
      command: ['node', '/etc/valkey-users/write-users.mjs'],
    });
    const of = (name: string) => volumes.find((volume: Manifest) => volume.name === name).projected.sources;
    expect(of('users')[1]).toEqual({
      secret: { name: 'replay-store', items: [{ key: 'pass', path: 'password' }] },
    });
    expect(containers[0].volumeMounts.map(({ name }: Manifest) => name)).toEqual(['config', 'run']);
    expect(JSON.stringify(of('config'))).not.toContain('replay-store');
  });

  it('may have its password from a store of secrets', () => {
    const password = SecretSource.externalSecret({
      store: SecretStoreRef.secretStore('vault'),
      remoteKey: 'aiops/valkey',
    });
    const objects = withValkey({ password });
    const secret = only(objects, 'ExternalSecret').spec.target.name;
    expect(JSON.stringify(valkeyPod(objects).volumes)).toContain(`"name":"${secret}"`);
  });

  it('is reached by the pods of its gateway alone, and reaches nobody', () => {
    const objects = withValkey();
    expect(only(objects, 'NetworkPolicy', `${NAME}-allow`).spec).toEqual({
      podSelector: { matchLabels: only(objects, 'StatefulSet').spec.selector.matchLabels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [
            {
              podSelector: {
                matchLabels: {
                  'app.kubernetes.io/name': 'agentgateway',
                  'app.kubernetes.io/instance': 'agentgateway',
                },
              },
            },
          ],
          ports: [{ port: 6379, protocol: 'TCP' }],
        },
      ],
    });
    expect(only(objects, 'NetworkPolicy', 'agentgateway-allow').spec.egress).toContainEqual({
      to: [{ podSelector: only(objects, 'NetworkPolicy', `${NAME}-allow`).spec.podSelector }],
      ports: [{ port: 6379, protocol: 'TCP' }],
    });
  });

  it('has that one policy in a namespace that denies by default, too, and with Cilium', () => {
    const chart = newChart();
    new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
    const gateway = newGateway(chart, {
      replayStore: store(),
      networkPolicyFlavor: NetworkPolicyFlavor.CILIUM,
    });
    new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
    const objects = synth(chart);
    const about = all(objects, 'NetworkPolicy').filter(
      ({ spec }) => spec.podSelector.matchLabels?.['app.kubernetes.io/name'] === 'valkey',
    );
    expect(about.map(({ metadata }) => metadata.name)).toEqual([`${NAME}-allow`]);
    expect(JSON.stringify(only(objects, 'NetworkPolicy', 'agentgateway-allow').spec.egress)).toContain(NAME);
    expect(JSON.stringify(only(objects, 'CiliumNetworkPolicy'))).not.toContain(NAME);
  });

  it('may be evicted unless it is said', () => {
    const budget = (options: Partial<ValkeyStoreOptions>) =>
      only(withValkey(options), 'PodDisruptionBudget', `${NAME}-pdb`).spec;
    expect(budget({})).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
    expect(budget({ evictable: false }).maxUnavailable).toBe(0);
  });

  it('runs where its gateway does', () => {
    const scheduling = {
      tolerations: [{ key: 'dedicated', value: 'gateways' }],
      nodeSelector: { pool: 'gateways' },
      priorityClassName: 'high',
      imagePullSecrets: ['registry'],
    };
    const spec = valkeyPod(withValkey({}, { scheduling, appArmor: true }));
    expect(spec).toMatchObject({
      tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'gateways' }],
      nodeSelector: { pool: 'gateways' },
      priorityClassName: 'high',
      imagePullSecrets: [{ name: 'registry' }],
      securityContext: { appArmorProfile: { type: 'RuntimeDefault' } },
    });
    expect(spec.topologySpreadConstraints).toBeUndefined();
  });

  it('is one for each gateway that is given the same value', () => {
    const chart = newChart();
    const replayStore = store();
    for (const name of ['one', 'two']) {
      const gateway = newGateway(chart, { name, replayStore }, name);
      new McpRoute(chart, `${name}-mcp`, { gateway, backend: 'mcp:5000', backendPeer });
    }
    expect(all(synth(chart), 'StatefulSet').map(({ metadata }) => metadata.name)).toEqual([
      'one-valkey',
      'two-valkey',
    ]);
  });

  it('has its unpinned image said, and refused where the namespace wants digests', () => {
    const image = Image.unpinned('docker.io/valkey/valkey:9', 'a cluster for trying out');
    expect(only(withValkey({ image }), 'StatefulSet').metadata.annotations).toEqual({
      'cdk8s-agentgateway/unpinned-image': 'docker.io/valkey/valkey:9: a cluster for trying out',
    });
    const said = problems(() => {
      const chart = newChart();
      new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
      const gateway = newGateway(chart, { replayStore: store({ image }) });
      new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
      return chart;
    }).join('\n');
    expect(said).toContain('admission: must leave out image-digest for the unpinned image of');
  });
});

describe('memory of Valkey', () => {
  const memoryOf = (objects: Manifest[]): string => {
    const { requests, limits } = valkeyPod(objects).containers[0].resources;
    expect(requests.memory).toBe(limits.memory);
    return limits.memory;
  };

  it('fits the announced rate for as long as claims are held', () => {
    // 10 000 * (300 + 60 + 5) * 240 bytes, and what the server needs.
    const usual = withValkey({ requestsPerSecond: 10_000 });
    expect([maxmemory(usual), memoryOf(usual)]).toEqual([852, '1097Mi']);
    const auth = AuthProfile.dpop({ proofMaxAge: Duration.seconds(30), clockSkew: Duration.seconds(5) });
    expect(memoryOf(withValkey({ requestsPerSecond: 10_000 }, { auth }))).toBe('167Mi');
    expect(memoryOf(withValkey({ requestsPerSecond: 1 }))).toBe('128Mi');
  });
  it('fits the buckets that replicas share', () => {
    const rateLimit = RateLimit.tokenBucket({
      maxTokens: 600,
      tokensPerFill: 1,
      fillInterval: Duration.seconds(2),
      shared: true,
    });
    expect(memoryOf(withValkey({ requestsPerSecond: 1000 }, { rateLimit }))).toBe('615Mi');
  });
  it('leaves a quarter to what the process has beside claims, and all the rest to them', () => {
    expect(maxmemory(withValkey({ memory: Size.gibibytes(1) }))).toBe(793);
  });
  it("reckons with the schema's own defaults", () => {
    const configOf = (auth: AuthProfile) =>
      (parseConfig(JSON.parse(dataOf(withValkey({}, { auth }), 'config.json'))) as { config: any }).config
        .routes[0].auth;
    const nonce = { keys: SecretSource.existing('nonces', 'keys') };
    const [dpop, selfSigned] = [configOf(AuthProfile.dpop({ nonce })), configOf(AuthProfile.selfSigned())];
    expect({
      proofMaxAgeSeconds: dpop.proofMaxAgeSeconds,
      nonceLifetimeSeconds: dpop.nonce.lifetimeSeconds,
      clockSkewSeconds: dpop.clockSkewSeconds,
      maxTokenAgeSeconds: selfSigned.maxTokenAgeSeconds,
      selfSignedSkewSeconds: selfSigned.clockSkewSeconds,
    }).toEqual(WINDOW_DEFAULTS);
  });
  it('counts every profile for as long as its proofs pass', () => {
    const of = (auth: AuthProfile) => memoryOf(withValkey({ requestsPerSecond: 10_000 }, { auth }));
    const nonce = {
      keys: SecretSource.existing('nonces', 'keys'),
      timeFromNonce: true,
      lifetime: Duration.seconds(600),
    };
    expect(of(AuthProfile.dpop({ nonce }))).toBe('1955Mi');
    expect(of(AuthProfile.selfSigned({ maxTokenAge: Duration.seconds(60) }))).toBe('253Mi');
  });
  it('counts in the quota of its namespace', () => {
    const said = (limits: object) =>
      problems(() => {
        const chart = newChart();
        new HardenedNamespace(chart, 'Namespace', { name: 'aiops', ...limits });
        const gateway = newGateway(chart, {
          replayStore: store({ memory: Size.gibibytes(4), cpuMillicores: 1500 }),
        });
        new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
        return chart;
      }).join('\n');
    expect(said({ maxPods: 3 })).toContain('maxPods: must be at least 4 pods');
    expect(said({ maxCpu: 1.5 })).toMatch(/maxCpu: must be at least \d\.\d cores/);
    expect(said({ maxMemory: Size.gibibytes(4) })).toMatch(/maxMemory: must be at least \d+ MiB/);
    expect(said({})).toBe('');
  });
  it('is refused where it does not fit what was announced', () => {
    expect(refused({ memory: Size.mebibytes(256), requestsPerSecond: 10_000 })).toBe(
      '[test/Gateway] replayStore.memory: must be at least 1097 MiB, for 10000 requests a second that are ' +
        'remembered for 365 seconds, got "256 MiB"; give more, announce fewer requests, or remember proofs ' +
        'for less time: proofMaxAge of the routes',
    );
    const auth = AuthProfile.dpop({ proofMaxAge: Duration.hours(1) });
    expect(refused({ requestsPerSecond: 100_000 }, { auth })).toContain(
      '[test/Gateway] replayStore.requestsPerSecond: must need at most 65536 MiB',
    );
    expect(refused({ memory: Size.gibibytes(65) })).toContain(
      'replayStore.memory: must need at most 65536 MiB',
    );
  });
});

describe('values of ReplayStore.valkey', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ requestsPerSecond: 0 }, 'valkey.requestsPerSecond: must be a whole number from 1 to 100000, got 0'],
    [
      { requestsPerSecond: 0.5 },
      'valkey.requestsPerSecond: must be a whole number from 1 to 100000, got 0.5',
    ],
    [{ requestsPerSecond: 100_001 }, 'must be a whole number from 1 to 100000, got 100001'],
    [{ issuer: 'My Issuer' }, 'valkey.issuer: must be the name of a Kubernetes object'],
    [{ cpuMillicores: 0 }, 'valkey.cpuMillicores: must be thousandths of a core'],
    [{ image: 'docker.io/valkey/valkey:9' }, 'valkey.image: must be an Image'],
    [{ password: 'hunter2' }, 'valkey.password: must be a SecretSource, got "a string"'],
    [{ image: undefined }, 'valkey.image: must be an Image, got "undefined"'],
    [{ disk: {} }, 'valkey.disk: must be left out: ValkeyStoreOptions has no such prop'],
    [{ timeout: Duration.minutes(1) }, 'valkey.timeout: must be'],
  ])('%p is refused at once', (options, said) => {
    expect(() => store(options)).toThrow(said);
  });

  it.each([
    ['persistence', { size: '1Gi' }, '"an object"'],
    ['persistence', false, 'false'],
    ['storageClass', 'fast', '"fast"'],
  ])('a disk is refused with the reason, and with what would do: %s %j', (name, value, got) => {
    expect(() => store({ [name]: value })).toThrow(
      `valkey.${name}: must be left out: what Valkey remembers from before its restart the gateway does not ` +
        `believe, so a disk would save no request, got ${got}; clients that follow nonces send one request ` +
        'more after a restart; for a server that somebody operates use ReplayStore.redis',
    );
  });

  it('is refused where there is none', () => {
    expect(() => ReplayStore.valkey(undefined as unknown as ValkeyStoreOptions)).toThrow(
      'valkey: must be an object, as ValkeyStoreOptions describes it',
    );
  });
});

describeCrds('the CRDs of cert-manager 1.21', () => {
  it('take the Certificate', () => {
    const certificate = only(withValkey(), 'Certificate');
    expect(validator('cm-certificates.yaml', certificate.apiVersion)(certificate)).toBe(true);
  });
});
