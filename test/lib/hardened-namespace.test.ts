import { Chart, Size } from 'cdk8s';
import {
  AgentGatewayProps,
  DataPlane,
  HardenedNamespace,
  HardenedNamespaceProps,
  McpRoute,
  Peer,
  ReplayStore,
} from '../../lib';
import { backendPeer, newChart, newGateway, only, problems, synth } from '../support/synth';

const objects = () => {
  const chart = newChart();
  new HardenedNamespace(chart, 'Namespace', {
    name: 'aiops',
    labels: { team: 'platform', 'pod-security.kubernetes.io/enforce': 'privileged' },
  });
  return synth(chart);
};

describe('HardenedNamespace', () => {
  it('enforces restricted at a pinned version, warns and audits at the latest, whatever labels are given', () => {
    expect(only(objects(), 'Namespace').metadata).toEqual({
      name: 'aiops',
      labels: {
        team: 'platform',
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/enforce-version': 'v1.30',
        'pod-security.kubernetes.io/warn': 'restricted',
        'pod-security.kubernetes.io/warn-version': 'latest',
        'pod-security.kubernetes.io/audit': 'restricted',
        'pod-security.kubernetes.io/audit-version': 'latest',
        'app.kubernetes.io/managed-by': 'cdk8s',
        'app.kubernetes.io/part-of': 'cdk8s-agentgateway',
        'app.kubernetes.io/version': expect.stringMatching(/^\d/),
      },
    });
  });
  it('denies every pod all traffic until a policy allows it', () => {
    expect(only(objects(), 'NetworkPolicy')).toMatchObject({
      metadata: { namespace: 'aiops' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    });
  });
  it('gives the default ServiceAccount no token', () => {
    expect(only(objects(), 'ServiceAccount')).toMatchObject({
      metadata: { name: 'default' },
      automountServiceAccountToken: false,
    });
  });
  it('emits the default ServiceAccount last, as Kubernetes makes it while kubectl applies what comes before', () => {
    const kinds = objects().map(({ kind }) => kind);
    expect(kinds.length).toBeGreaterThan(10);
    expect(kinds.indexOf('ServiceAccount')).toBe(kinds.length - 1);
  });
  it('bounds what its pods may ask for, and has no ports on nodes', () => {
    expect(only(objects(), 'ResourceQuota').spec.hard).toMatchObject({
      pods: '50',
      'services.nodeports': '0',
      'services.loadbalancers': '0',
    });
    expect(only(objects(), 'LimitRange').spec.limits[0].default.memory).toBe('256Mi');
  });
  it('comes before what is in it, whichever was constructed first', () => {
    const chart = newChart();
    new McpRoute(chart, 'Mcp', { gateway: newGateway(chart), backend: 'mcp:5000', backendPeer });
    new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
    const kinds = synth(chart).map(({ kind }) => kind);
    expect(kinds.indexOf('Namespace')).toBe(0);
    expect(kinds.indexOf('Deployment')).toBeGreaterThan(kinds.indexOf('ResourceQuota'));
  });
  it.each(['latest', 'v1.29', '1.29', '1.3', '1.300'])('refuses the Kubernetes version %s', (version) => {
    const text =
      'minKubernetesVersion: must be "1.30" or later: older servers do not know the preStop sleep, got "' +
      `${version}"; name the oldest minor that your clusters run, for example "1.30"`;
    const props = { name: 'aiops', minKubernetesVersion: version };
    expect(() => new HardenedNamespace(newChart(), 'N', props)).toThrow(text);
    expect(() => newGateway(newChart(), { minKubernetesVersion: version })).toThrow(text);
  });
  it.each<[string, string | undefined, string | undefined]>([
    ['the namespace', '1.33', undefined],
    ['the gateway', undefined, '1.33'],
    ['both', '1.33', '1.33'],
  ])('and its gateways have one Kubernetes version, said by %s', (_, ofNamespace, ofGateway) => {
    const chart = newChart();
    const gateway = newGateway(chart, { minKubernetesVersion: ofGateway, strictSupplementalGroups: true });
    new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
    new HardenedNamespace(chart, 'N', { name: 'aiops', minKubernetesVersion: ofNamespace });
    expect(only(synth(chart), 'Namespace').metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce-version': 'v1.33',
    });
    expect(problems(() => chart)).toEqual([]);
  });
  it('refuses two Kubernetes versions in one namespace, not in two', () => {
    const build = (name: string) => () => {
      const chart = newChart();
      const gateway = newGateway(chart, { minKubernetesVersion: '1.31' });
      new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
      new HardenedNamespace(chart, 'N', { name, minKubernetesVersion: '1.30' });
      return chart;
    };
    expect(problems(build('aiops'))).toEqual([
      '[test/Gateway] minKubernetesVersion: must be "1.30" as test/N in the same namespace has it, got ' +
        '"1.31"; say it once, on the HardenedNamespace',
      '[test/N] minKubernetesVersion: must be "1.31" as test/Gateway in the same namespace has it, got ' +
        '"1.30"; say it once, on the HardenedNamespace',
    ]);
    expect(problems(build('other'))).toEqual([]);
  });
});

describe('in the order of the app', () => {
  const build = (namespaceFirst: boolean) => {
    const chart = newChart();
    const addNamespace = () => new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
    if (namespaceFirst) addNamespace();
    const gateway = newGateway(chart);
    gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));
    new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
    if (!namespaceFirst) addNamespace();
    return synth(chart).map(({ kind }) => kind);
  };
  it.each([true, false])(
    'the Namespace is applied before what is in it (declared first: %s)',
    (namespaceFirst) => {
      expect(build(namespaceFirst)[0]).toBe('Namespace');
    },
  );
});

describe('the quota of a namespace', () => {
  const built = (
    quota: Partial<HardenedNamespaceProps>,
    gateway: Partial<AgentGatewayProps> = {},
    order = 'before',
  ) =>
    problems((app) => {
      const chart = new Chart(app, 'test', { namespace: 'aiops' });
      const namespace = () => new HardenedNamespace(chart, 'Namespace', { name: 'aiops', ...quota });
      if (order === 'before') namespace();
      const replayStore = ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) });
      const made = newGateway(chart, { replayStore, dataPlane: DataPlane.direct(), ...gateway });
      new McpRoute(chart, 'Mcp', { gateway: made, backend: 'mcp:5000', backendPeer });
      if (order === 'after') namespace();
    });
  const want = (prop: string, least: string, got: number) =>
    `[test/Namespace] ${prop}: must be at least ${least}, which the gateways of the namespace take with all ` +
    `their replicas and one more each in a rollout, got ${got}; allow more, or have fewer replicas: ` +
    'replicas or autoscaling.max of the gateways';

  it.each(['before', 'after'])('has room for each pod that an autoscaler may make, come it %s', (order) => {
    const autoscaling = { max: 9 };
    expect(built({ maxPods: 9 }, { autoscaling }, order)).toEqual([want('maxPods', '10 pods', 9)]);
    expect(built({ maxPods: 10 }, { autoscaling }, order)).toEqual([]);
  });
  it('has room for what their containers ask for, both of them', () => {
    const cpu = { cpuMillicores: 500 };
    expect(built({ maxCpu: 1.4 }, cpu)).toEqual([want('maxCpu', '1.5 cores', 1.4)]);
    expect(built({ maxCpu: 1.5 }, cpu)).toEqual([]);
    const dataPlane = DataPlane.agentgateway({ cpuMillicores: 100, memory: Size.mebibytes(300) });
    expect(built({ maxCpu: 1.5 }, { ...cpu, dataPlane })).toEqual([want('maxCpu', '1.8 cores', 1.5)]);
    const memory = Size.mebibytes(256);
    expect(built({ maxMemory: Size.mebibytes(767) }, { memory })).toEqual([
      want('maxMemory', '768 MiB', 767),
    ]);
    expect(built({ maxMemory: Size.mebibytes(1667) }, { memory, dataPlane })).toEqual([
      want('maxMemory', '1668 MiB', 1667),
    ]);
  });
  it('has room for one pod of a memory store, which ends before the next begins', () => {
    expect(built({ maxPods: 1 }, { replayStore: ReplayStore.memory() })).toEqual([]);
  });
});
