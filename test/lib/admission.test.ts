/** What the rules do is shown at a real API server: test/e2e/cluster/admission.test.ts. */
import { Chart } from 'cdk8s';
import { Admission, AdmissionRule, HardenedNamespace, Image, McpRoute, Peer, ReplayStore } from '../../lib';
import { all, backendPeer, newChart, newGateway, only, problems, synth } from '../support/synth';

const policies = (admission?: Admission) => {
  const chart = newChart();
  new HardenedNamespace(chart, 'Namespace', { name: 'aiops', admission });
  return synth(chart);
};
const messages = (objects: ReturnType<typeof policies>, name: string): string[] =>
  only(objects, 'ValidatingAdmissionPolicy', name).spec.validations.map(
    ({ message }: { message: string }) => message.split(':')[0],
  );
const bindings = (objects: ReturnType<typeof policies>) => all(objects, 'ValidatingAdmissionPolicyBinding');

describe('Admission', () => {
  it('binds every policy to the one namespace, denies and audits', () => {
    const objects = policies();
    const names = all(objects, 'ValidatingAdmissionPolicy').map(({ metadata }) => metadata.name);
    expect(names).toEqual(
      ['pods', 'workloads', 'cronjobs', 'services'].map((shape) => `hardened-aiops-${shape}`),
    );
    expect(bindings(objects).map(({ spec }) => spec)).toEqual(
      names.map((name) => ({
        policyName: name,
        validationActions: ['Deny', 'Audit'],
        matchResources: {
          matchPolicy: 'Equivalent',
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'aiops' } },
          objectSelector: {},
        },
      })),
    );
  });
  it('holds every shape that carries a pod to the same rules', () => {
    const others = [AdmissionRule.CLUSTER_IP, AdmissionRule.ONE_REPLICA];
    const podRules = Object.values(AdmissionRule).filter((rule) => !others.includes(rule));
    for (const shape of ['pods', 'workloads', 'cronjobs']) {
      expect([shape, messages(policies(), `hardened-aiops-${shape}`)]).toEqual([shape, podRules]);
    }
    expect(messages(policies(), 'hardened-aiops-services')).toEqual([AdmissionRule.CLUSTER_IP]);
  });
  it('leaves out what is named, and policies without rules', () => {
    expect(
      messages(policies(Admission.deny({ without: [AdmissionRule.NON_ROOT] })), 'hardened-aiops-pods'),
    ).not.toContain(AdmissionRule.NON_ROOT);
    const podsOnly = policies(Admission.deny({ without: [AdmissionRule.CLUSTER_IP] }));
    expect(bindings(podsOnly).map(({ spec }) => spec.policyName)).not.toContain('hardened-aiops-services');
    expect(bindings(policies(Admission.none()))).toEqual([]);
    expect(bindings(policies(Admission.warn())).map(({ spec }) => spec.validationActions)[0]).toEqual([
      'Warn',
      'Audit',
    ]);
  });
  describe('one-replica', () => {
    const NAME = 'hardened-aiops-replicas';
    const names = (make: (chart: Chart) => void): string[] => {
      const chart = newChart();
      make(chart);
      const found = all(synth(chart), 'ValidatingAdmissionPolicy').find(
        ({ metadata }) => metadata.name === NAME,
      );
      if (found === undefined) return [];
      const { expression } = found.spec.matchConditions[0];
      return JSON.parse(/^object\.metadata\.name in (\[.*\])$/.exec(expression)![1]);
    };
    const namespace = (chart: Chart, admission?: Admission) =>
      new HardenedNamespace(chart, 'Namespace', { name: 'aiops', admission });
    const gateway = (chart: Chart, name: string, more = {}) => {
      const made = newGateway(chart, { name, namespace: 'aiops', ...more }, name);
      new McpRoute(chart, `${name}-mcp`, { gateway: made, backend: 'mcp:5000', backendPeer });
    };
    const redis = ReplayStore.redis({ host: 'redis.aiops.svc', peer: Peer.pods({ app: 'redis' }) });
    it('names the gateways with a memory store, whichever came first', () => {
      const found = names((chart) => {
        gateway(chart, 'late');
        namespace(chart);
        gateway(chart, 'early');
        gateway(chart, 'shared', { replayStore: redis });
        gateway(chart, 'elsewhere', { namespace: 'other' });
      });
      expect(found).toEqual(['early', 'late']);
    });
    it.each([
      ['every gateway uses Redis', redis, undefined],
      ['it is left out', undefined, Admission.deny({ without: [AdmissionRule.ONE_REPLICA] })],
      ['there are no rules', undefined, Admission.none()],
    ])('is not there where %s', (_, replayStore, admission) => {
      const found = names((chart) => {
        namespace(chart, admission);
        gateway(chart, 'one', { replayStore });
      });
      expect(found).toEqual([]);
    });
  });
  it('refuses to leave out a rule that is none', () => {
    expect(() => Admission.deny({ without: ['no-tags' as AdmissionRule] })).toThrow(
      'admission.without[0]: must be one of image-digest, non-root, read-only-root, no-secret-env, ' +
        'no-sub-path, own-processes, cluster-ip, one-replica, got "no-tags"',
    );
  });
  describe('and a gateway whose image is not pinned', () => {
    const image = Image.unpinned('docker.io/library/node:24', 'a test of what is refused');
    const said = (admission?: Admission, namespace = 'aiops') =>
      problems(() => {
        const chart = newChart();
        new HardenedNamespace(chart, 'Namespace', { name: 'aiops', admission });
        newGateway(chart, { image, namespace });
        return chart;
      });
    const refusal =
      'admission: must leave out image-digest for the unpinned image of test/Gateway, got ' +
      '"docker.io/library/node:24"; pin the image, or pass Admission.deny({ without: ' +
      '[AdmissionRule.IMAGE_DIGEST] })';
    it('says at synth what the API server would say', () => expect(said().join('\n')).toContain(refusal));
    it.each([
      ['leaves it out', said(Admission.deny({ without: [AdmissionRule.IMAGE_DIGEST] }))],
      ['warns only', said(Admission.warn())],
      ['has no rules', said(Admission.none())],
      ['is another namespace', said(undefined, 'elsewhere')],
    ])('says nothing where the namespace %s', (_, lines) => expect(lines.join('\n')).not.toContain(refusal));
  });
});
