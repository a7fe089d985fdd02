/** What a user adds to the workload: nodes, metadata, CPU. */
import {
  AddedMetadata,
  AgentGatewayProps,
  DataPlane,
  ExtraVolume,
  NodeOperator,
  Peer,
  ReplayStore,
  Scheduling,
  TaintEffect,
  TolerationOperator,
  TopologySpread,
} from '../../lib';
import {
  container,
  gatewayChart,
  manifests,
  newChart,
  newGateway,
  only,
  pod,
  problems,
} from '../support/synth';

const redis = ReplayStore.redis({ host: 'redis.aiops.svc', peer: Peer.pods({ app: 'redis' }) });
const podOf = (scheduling: Scheduling, gateway: Partial<AgentGatewayProps> = {}) =>
  pod(manifests({ gateway: { replayStore: redis, scheduling, ...gateway } }));
const refusals = (gateway: Partial<AgentGatewayProps>, secrets?: string[]) =>
  problems(() => gatewayChart({ gateway, secrets }));

describe('scheduling', () => {
  it('says which taints the pods run beside, and for how long', () => {
    const tolerations = [
      { key: 'dedicated', value: 'gateways', effect: TaintEffect.NO_SCHEDULE },
      { key: 'spot', effect: TaintEffect.NO_EXECUTE, tolerationSeconds: 60 },
      { operator: TolerationOperator.EXISTS },
    ];
    expect(podOf({ tolerations }).tolerations).toEqual([
      { key: 'dedicated', operator: 'Equal', value: 'gateways', effect: 'NoSchedule' },
      { key: 'spot', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
      { operator: 'Exists' },
    ]);
  });
  it('says what nodes must have, and which are better', () => {
    const arm = { key: 'kubernetes.io/arch', operator: NodeOperator.IN, values: ['arm64'] };
    const { nodeSelector, affinity } = podOf({
      nodeSelector: { 'example.com/pool': 'edge' },
      nodeAffinity: {
        required: [arm],
        preferred: [
          { weight: 10, requirements: [{ key: 'example.com/fast', operator: NodeOperator.EXISTS }] },
        ],
      },
    });
    expect(nodeSelector).toEqual({ 'example.com/pool': 'edge' });
    expect(affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [arm] }] },
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 10,
            preference: { matchExpressions: [{ key: 'example.com/fast', operator: 'Exists' }] },
          },
        ],
      },
    });
  });
  it('takes nothing from what keeps a second pod of a memory store from every node', () => {
    const alone = pod(manifests());
    const asked = podOf(
      {
        nodeSelector: { pool: 'edge' },
        nodeAffinity: { required: [{ key: 'fast', operator: NodeOperator.EXISTS }] },
      },
      { replayStore: ReplayStore.memory() },
    );
    expect(asked.nodeSelector).toEqual({ pool: 'edge', 'kubernetes.io/os': 'linux' });
    expect(asked.affinity.podAntiAffinity).toEqual(alone.affinity.podAntiAffinity);
    expect(asked.affinity.nodeAffinity).toBeDefined();
  });
  it('names classes, and the Secrets that images are pulled with, which no route answers', () => {
    const scheduling = {
      priorityClassName: 'edge',
      runtimeClassName: 'gvisor',
      imagePullSecrets: ['registry'],
    };
    expect(podOf(scheduling)).toMatchObject({
      priorityClassName: 'edge',
      runtimeClassName: 'gvisor',
      imagePullSecrets: [{ name: 'registry' }],
    });
    expect(refusals({ scheduling }, ['registry'])).toEqual([
      expect.stringMatching(
        /^\[test\/Gateway\] route "secrets" secretNames: must not name a credential .*"registry"/,
      ),
    ]);
  });
  it('spreads pods where there is room, or waits for room', () => {
    const constraints = (topologySpread?: TopologySpread) =>
      podOf({ topologySpread }).topologySpreadConstraints.map((each: any) => [
        each.topologyKey,
        each.whenUnsatisfiable,
        each.nodeTaintsPolicy,
      ]);
    const soft = [
      ['kubernetes.io/hostname', 'ScheduleAnyway', undefined],
      ['topology.kubernetes.io/zone', 'ScheduleAnyway', undefined],
    ];
    expect([constraints(), constraints(TopologySpread.SOFT)]).toEqual([soft, soft]);
    expect(constraints(TopologySpread.HARD)).toEqual([
      ['kubernetes.io/hostname', 'DoNotSchedule', 'Honor'],
      ['topology.kubernetes.io/zone', 'DoNotSchedule', 'Honor'],
    ]);
  });
  it.each<[string, Scheduling, string]>([
    [
      'a toleration of a value without a key',
      { tolerations: [{ value: 'gateways' }] },
      'scheduling.tolerations[0].key: must be given with a value; name the key of the taint',
    ],
    [
      'a toleration of every value that names one',
      { tolerations: [{ key: 'a', operator: TolerationOperator.EXISTS, value: 'b' }] },
      'scheduling.tolerations[0].value: must be left out with TolerationOperator.EXISTS, which takes every ' +
        'value, got "b"; choose TolerationOperator.EQUAL, or leave it out',
    ],
    [
      'a time that no effect ends',
      { tolerations: [{ key: 'a', effect: TaintEffect.NO_SCHEDULE, tolerationSeconds: 60 }] },
      'scheduling.tolerations[0].tolerationSeconds: must go with TaintEffect.NO_EXECUTE, the one effect ' +
        'that ends a pod, got 60; give the effect, or leave it out',
    ],
    [
      'a time that is none',
      { tolerations: [{ key: 'a', effect: TaintEffect.NO_EXECUTE, tolerationSeconds: -1 }] },
      'scheduling.tolerations[0].tolerationSeconds: must be a whole number of seconds, 0 or more, got -1',
    ],
    [
      'a key that is none',
      { tolerations: [{ key: 'a b' }] },
      'scheduling.tolerations[0].key: must have a key of letters, digits, "-", "_" and ".", at most 63, ' +
        'behind a domain and "/" or not, got "a b"',
    ],
    [
      'a label of a node that cannot be',
      { nodeSelector: { pool: 'edge pool' } },
      'scheduling.nodeSelector.pool: must be the value of a label: letters, digits, "-", "_" and ".", at ' +
        'most 63, got "edge pool"',
    ],
    [
      'another system',
      { nodeSelector: { 'kubernetes.io/os': 'windows' } },
      'scheduling.nodeSelector.kubernetes.io/os: must be "linux": the images are for no other, got ' +
        '"windows"; leave it out',
    ],
    [
      'values that the operator has none of',
      { nodeAffinity: { required: [{ key: 'a', operator: NodeOperator.EXISTS, values: ['b'] }] } },
      'scheduling.nodeAffinity.required[0].values: must be left out with operator Exists, got ["b"]',
    ],
    [
      'no values where it needs some',
      { nodeAffinity: { required: [{ key: 'a', operator: NodeOperator.NOT_IN }] } },
      'scheduling.nodeAffinity.required[0].values: must be one or more values of a label with operator NotIn, got []',
    ],
    [
      'a bound that is no number, a weight that is none, and a preference of nothing',
      {
        nodeAffinity: {
          preferred: [
            { weight: 1, requirements: [{ key: 'a', operator: NodeOperator.GT, values: ['many'] }] },
            { weight: 0, requirements: [] },
          ],
        },
      },
      [
        'scheduling.nodeAffinity.preferred[0].requirements[0].values: must be one whole number in quotes ' +
          'with operator Gt, got ["many"]',
        'scheduling.nodeAffinity.preferred[1].weight: must be a whole number from 1 to 100, got 0',
        'scheduling.nodeAffinity.preferred[1].requirements: must be at least one, got []',
      ].join('\n'),
    ],
    [
      'names that are none',
      { priorityClassName: 'High', runtimeClassName: 'g_visor', imagePullSecrets: ['ok', ''] },
      ['priorityClassName', 'runtimeClassName', 'imagePullSecrets[1]']
        .map((prop, at) => {
          const got = ['High', 'g_visor', ''][at];
          return (
            `scheduling.${prop}: must be the name of a Kubernetes object (lower-case RFC 1123 subdomain), got ` +
            `"${got}"`
          );
        })
        .join('\n'),
    ],
  ])('refuses, with the path of the gateway, %s', (_, scheduling, messages) =>
    expect(refusals({ scheduling })).toEqual(messages.split('\n').map((line) => `[test/Gateway] ${line}`)),
  );
});

describe('added labels and annotations', () => {
  const added: AddedMetadata = {
    labels: { 'example.com/team': 'aiops' },
    annotations: { 'example.com/note': 'any {{ text }}' },
  };
  const kinds = {
    podMetadata: (objects: any[]) => only(objects, 'Deployment').spec.template.metadata,
    serviceMetadata: (objects: any[]) => only(objects, 'Service').metadata,
    serviceAccountMetadata: (objects: any[]) => only(objects, 'ServiceAccount').metadata,
  };
  it.each(Object.entries(kinds))('of %s stand beside the own, on no other object', (prop, metadataOf) => {
    const objects = manifests({ gateway: { [prop]: added } });
    const { labels, annotations } = metadataOf(objects);
    const before = metadataOf(manifests());
    expect(labels).toEqual({ ...before.labels, ...added.labels });
    expect(annotations).toEqual({ ...before.annotations, ...added.annotations });
    expect(JSON.stringify(objects).match(/example\.com\/team/g)).toHaveLength(1);
  });
  it('give the ServiceAccount the identity of a cloud', () => {
    const serviceAccountMetadata = {
      annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/gateway' },
    };
    expect(
      only(manifests({ gateway: { serviceAccountMetadata } }), 'ServiceAccount').metadata.annotations,
    ).toEqual(serviceAccountMetadata.annotations);
  });
  it.each<[string, Partial<AgentGatewayProps>, string]>([
    [
      'a label that selects the pods',
      { podMetadata: { labels: { 'app.kubernetes.io/name': 'mine' } } },
      "podMetadata.labels.app.kubernetes.io/name: must be left out: it is the library's own, which " +
        'policies, Service and tools go by; take a key of your own, for example "example.com/team"',
    ],
    [
      'a label that says where an object comes from',
      { serviceMetadata: { labels: { 'app.kubernetes.io/part-of': 'mine' } } },
      "serviceMetadata.labels.app.kubernetes.io/part-of: must be left out: it is the library's own",
    ],
    [
      'an annotation of the pod',
      { podMetadata: { annotations: { 'kubectl.kubernetes.io/default-container': 'mine' } } },
      "podMetadata.annotations.kubectl.kubernetes.io/default-container: must be left out: it is the library's own",
    ],
    [
      'one that takes the AppArmor profile away',
      {
        podMetadata: {
          annotations: { 'container.apparmor.security.beta.kubernetes.io/dpop-proxy': 'unconfined' },
        },
      },
      'podMetadata.annotations.container.apparmor.security.beta.kubernetes.io/dpop-proxy: must be left out: ' +
        'it would replace the AppArmor profile of the container; say appArmor: true for the default profile ' +
        'of the runtime',
    ],
    [
      'a value that no label can have',
      { serviceAccountMetadata: { labels: { team: 'a b' } } },
      'serviceAccountMetadata.labels.team: must be the value of a label',
    ],
    [
      'a key that is none',
      { serviceMetadata: { annotations: { 'a b': 'c' } } },
      'serviceMetadata.annotations.a b: must have a key of letters',
    ],
    [
      'more than an object may have',
      { serviceMetadata: { annotations: { note: 'x'.repeat(131_072) } } },
      'serviceMetadata.annotations: must be at most 131072 bytes together, got 131076',
    ],
  ])('are refused: %s', (_, gateway, message) => {
    const found = refusals(gateway);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`[test/Gateway] ${message}`);
  });
});

describe('CPU', () => {
  it('is asked for as each container is told, and has no limit', () => {
    const cpu = (gateway: Partial<AgentGatewayProps>) => {
      const objects = manifests({ gateway });
      return [container(objects), container(objects, 'agentgateway')].map(({ resources }) => [
        resources.requests.cpu,
        resources.limits.cpu,
      ]);
    };
    expect(cpu({})).toEqual([
      ['100m', undefined],
      ['100m', undefined],
    ]);
    expect(cpu({ workers: 3 })[0][0]).toBe('300m');
    const dataPlane = DataPlane.agentgateway({ cpuMillicores: 250 });
    expect(cpu({ workers: 3, cpuMillicores: 2000, dataPlane })).toEqual([
      ['2', undefined],
      ['250m', undefined],
    ]);
  });
  it.each([0, 0.5, 64_001])('of %d thousandths is refused', (cpuMillicores) => {
    const message =
      `cpuMillicores: must be thousandths of a core, a whole number from 1 to 64000, got ${cpuMillicores}; a ` +
      'quarter of a core is 250';
    expect(() => newGateway(newChart(), { cpuMillicores })).toThrow(message);
    expect(() => DataPlane.agentgateway({ cpuMillicores })).toThrow(`dataPlane.${message}`);
  });
});

describe('what the proxy container gets beside its own', () => {
  const extraVolumes = {
    files: ExtraVolume.fromConfigMap('files'),
    keys: ExtraVolume.fromSecret('keys'),
    vault: ExtraVolume.fromCsiDriver('secrets-store.csi.k8s.io', { secretProviderClass: 'vault' }),
  };
  it('are files under /mnt, read-only, and variables; agentgateway gets none of them', () => {
    const objects = manifests({ gateway: { extraVolumes, environment: { TZ: 'Europe/Berlin' } } });
    const own = manifests();
    const added = (list: any[], before: any[]) => list.slice(before.length);
    expect(added(pod(objects).volumes, pod(own).volumes)).toEqual([
      { name: 'files', configMap: { name: 'files', defaultMode: 0o440 } },
      { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o440 } },
      {
        name: 'vault',
        csi: {
          driver: 'secrets-store.csi.k8s.io',
          readOnly: true,
          volumeAttributes: { secretProviderClass: 'vault' },
        },
      },
    ]);
    expect(added(container(objects).volumeMounts, container(own).volumeMounts)).toEqual(
      ['files', 'keys', 'vault'].map((name) => ({ name, mountPath: `/mnt/${name}`, readOnly: true })),
    );
    expect(container(objects).env).toEqual([{ name: 'TZ', value: 'Europe/Berlin' }]);
    expect(container(objects, 'agentgateway')).toEqual(container(own, 'agentgateway'));
  });
  it('are no files that a secrets route answers', () => {
    expect(refusals({ extraVolumes }, ['keys'])).toEqual([
      expect.stringMatching(
        /route "secrets" secretNames: must not name a credential of the gateway itself.*"keys"/,
      ),
    ]);
  });
  it.each<string>(pod(manifests({ secrets: ['db'] })).volumes.map(({ name }: { name: string }) => name))(
    'are no volumes with the name of an own one: %s',
    (name) => {
      expect(refusals({ extraVolumes: { [name]: ExtraVolume.fromConfigMap('files') } })).toEqual([
        `[test/Gateway] extraVolumes.${name}: must have another name: the gateway has a volume of this one, ` +
          `got "${name}"`,
      ]);
    },
  );
  it.each<[string, Partial<AgentGatewayProps>, string]>([
    [
      'a volume with a name that is none',
      { extraVolumes: { My_Files: ExtraVolume.fromConfigMap('files') } },
      'extraVolumes.My_Files: must have a name that is a lower-case RFC 1123 label of at most 63 ' +
        'characters, got "My_Files"',
    ],
    ...[
      ...['NODE_OPTIONS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'LD_PRELOAD', 'SSL_CERT_FILE', 'PATH', 'DEBUG'],
      ...['HOSTALIASES', 'LOCALDOMAIN', 'RES_OPTIONS'],
    ].map((name): [string, Partial<AgentGatewayProps>, string] => [
      `the variable ${name}`,
      { environment: { [name]: '0' } },
      `environment.${name}: must be left out: Node, its libraries or the loader read it, and what they do ` +
        "is the library's own; use the props of the gateway, as ca, tracing and egressProxy; patch the " +
        'Deployment for more',
    ]),
    ...['REDIS_PASSWORD', 'api_key', 'GITHUB_TOKEN'].map(
      (name): [string, Partial<AgentGatewayProps>, string] => [
        `the secret ${name}`,
        { environment: { [name]: 'hunter2' } },
        `environment.${name}: must be left out: a secret must not stand in a manifest, nor be a variable; ` +
          'mount it as a file: extraVolumes: { files: ExtraVolume.fromSecret("name") }',
      ],
    ),
    [
      'a name that no variable has',
      { environment: { '1-A': 'b' } },
      'environment.1-A: must have a name of letters, digits and "_", with no digit first, got "1-A"',
    ],
  ])('is refused: %s', (_, gateway, message) => {
    expect(refusals(gateway)).toEqual([`[test/Gateway] ${message}`]);
  });
  it('is named as Kubernetes names objects', () => {
    for (const make of [ExtraVolume.fromConfigMap, ExtraVolume.fromSecret, ExtraVolume.fromCsiDriver])
      expect(() => make('No_Name')).toThrow(/^extraVolumes\.\w+: must be the name of a Kubernetes object/);
  });
});
