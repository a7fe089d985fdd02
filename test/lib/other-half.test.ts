import { Chart, Testing } from 'cdk8s';
import { DataPlane, HardenedNamespace, McpRoute, Peer, ReplayStore } from '../../lib';
import { notesText } from '../../lib/manifests/notes';
import { End, reaches } from '../support/policies';
import { all, backendPeer, Manifest, newChart, newGateway, synth } from '../support/synth';

const inNamespace = (name: string) => ({ namespaceLabels: { 'kubernetes.io/metadata.name': name } });
const client = Peer.pods({ app: 'agent' }, inNamespace('agents'));

/** A gateway in "aiops", its client in "agents", its backend beside it. */
function app(hardened: readonly string[], namespacesFirst = false): Chart {
  const chart = newChart();
  const namespaces = () => hardened.forEach((name) => new HardenedNamespace(chart, `Ns-${name}`, { name }));
  if (namespacesFirst) namespaces();
  const gateway = newGateway(chart, {
    dataPlane: DataPlane.direct(),
    replayStore: ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) }),
  });
  gateway.allowFrom(client);
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
  if (!namespacesFirst) namespaces();
  return chart;
}

const halves = (objects: Manifest[]) =>
  all(objects, 'NetworkPolicy')
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    .filter((name) => name.includes('-peer-'))
    .map((name) => name.replace(/-[0-9a-f]{6}$/, ''))
    .sort();
const agent: End = { namespace: 'agents', labels: { app: 'agent' } };
const gatewayPod: End = {
  namespace: 'aiops',
  labels: { 'app.kubernetes.io/name': 'agentgateway', 'app.kubernetes.io/instance': 'agentgateway' },
};

describe('the other half of a flow', () => {
  it('is emitted for peers in a HardenedNamespace of the app, whichever came first', () => {
    const expected = [
      'agents/agentgateway-peer-agent',
      'aiops/agentgateway-peer-mcp',
      'aiops/agentgateway-peer-redis',
    ];
    expect(halves(synth(app(['aiops', 'agents'])))).toEqual(expected);
    expect(halves(synth(app(['aiops', 'agents'], true)))).toEqual(expected);
  });
  it('is not emitted elsewhere, where it would isolate pods that are free', () => {
    expect(halves(synth(app([])))).toEqual([]);
    expect(halves(synth(app(['agents'])))).toEqual(['agents/agentgateway-peer-agent']);
  });
  it('lets a client of another namespace through at both ends, and to DNS', () => {
    const objects = synth(app(['aiops', 'agents']));
    expect(reaches(objects, { from: agent, to: gatewayPod, port: 8080 })).toBe(true);
    const dns = { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } };
    expect(reaches(objects, { from: agent, to: dns, port: 53, protocol: 'UDP' })).toBe(true);
    const withoutHalves = objects.filter(({ metadata }) => !metadata.name.includes('-peer-'));
    expect(reaches(withoutHalves, { from: agent, to: gatewayPod, port: 8080 })).toBe(false);
  });
  it('is applied after its namespace', () => {
    const names = synth(app(['aiops', 'agents'])).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    const half = names.findIndex((name) => name.includes('agentgateway-peer-agent'));
    expect(half).toBeGreaterThan(names.indexOf('Namespace/agents'));
  });
  it('is told at synth where the app does not emit it, with what the cluster must have', () => {
    const chart = app(['aiops']);
    expect(notesText(chart.node.root, 33)).toBe(
      [
        'cdk8s-agentgateway: the cluster must have',
        '  Kubernetes 1.33 or later, and a CNI that enforces NetworkPolicy',
        'cdk8s-agentgateway: if a NetworkPolicy isolates these pods, it must allow, which this app does not',
        '  egress of app=agent in agents to agentgateway in aiops, 8080/TCP, and to DNS',
        '',
      ].join('\n'),
    );
  });
  it('is told once an app, on standard error, unless it is switched off', () => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      delete process.env.CDK8S_AGENTGATEWAY_NOTES;
      const chart = app([]);
      Testing.synth(chart);
      Testing.synth(chart);
      const said = write.mock.calls.filter(([text]) => String(text).startsWith('cdk8s-agentgateway'));
      expect(said).toHaveLength(1);
      expect(said[0][0]).toContain('ingress of app=redis in aiops from agentgateway in aiops, 6379/TCP');
    } finally {
      process.env.CDK8S_AGENTGATEWAY_NOTES = 'off';
      write.mockRestore();
    }
  });
});
