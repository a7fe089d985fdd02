/** That the real controller makes pods of it is the cluster's part. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentGatewayProps, Autoscaling, Peer, ReplayStore } from '../../lib';
import { all, container, dataOf, gatewayChart, manifests, only, problems, root } from '../support/synth';

const peer = Peer.pods({ app: 'redis' });
const redis = ReplayStore.redis({ host: 'redis.aiops.svc', peer });
const built = (autoscaling: Autoscaling, gateway: Partial<AgentGatewayProps> = {}) =>
  manifests({ gateway: { replayStore: redis, autoscaling, ...gateway } });
const refusals = (autoscaling: Autoscaling, gateway: Partial<AgentGatewayProps> = {}) =>
  problems(() => gatewayChart({ gateway: { replayStore: redis, autoscaling, ...gateway } }));

describe('an autoscaler', () => {
  it('sets the pods of the Deployment, which says no number itself', () => {
    const objects = built({ min: 3, max: 9 });
    const { metadata, spec } = only(objects, 'HorizontalPodAutoscaler');
    const deployment = only(objects, 'Deployment');
    expect(spec.scaleTargetRef).toEqual({
      apiVersion: deployment.apiVersion,
      kind: 'Deployment',
      name: deployment.metadata.name,
    });
    expect([metadata.namespace, spec.minReplicas, spec.maxReplicas]).toEqual(['aiops', 3, 9]);
    expect(deployment.spec).not.toHaveProperty('replicas');
    expect(all(manifests({ gateway: { replayStore: redis } }), 'HorizontalPodAutoscaler')).toEqual([]);
  });
  it('begins with `replicas`, or with 2', () => {
    const fewest = (gateway: Partial<AgentGatewayProps>) =>
      only(built({ max: 9 }, gateway), 'HorizontalPodAutoscaler').spec.minReplicas;
    expect([fewest({}), fewest({ replicas: 4 })]).toEqual([2, 4]);
    expect(refusals({ min: 4, max: 9 }, { replicas: 4 })).toEqual([]);
  });
  it('goes by the cores that the threads of the proxy can use, whatever they ask for', () => {
    const metrics = (autoscaling: Partial<Autoscaling>, gateway: Partial<AgentGatewayProps> = {}) =>
      only(built({ max: 9, ...autoscaling }, gateway), 'HorizontalPodAutoscaler').spec.metrics;
    const cpu = (averageValue: string) => ({
      type: 'ContainerResource',
      containerResource: {
        name: 'cpu',
        container: container(built({ max: 9 })).name,
        target: { type: 'AverageValue', averageValue },
      },
    });
    expect(metrics({})).toEqual([cpu('700m')]);
    expect(metrics({ cpuUtilization: 50 }, { workers: 4, cpuMillicores: 1 })).toEqual([cpu('2')]);
  });
  it('goes by open streams, too, where they are counted, by the name that the proxy gives them', () => {
    const { metrics } = only(
      built({ max: 9, openStreams: 1000 }, { metricsPeer: peer }),
      'HorizontalPodAutoscaler',
    ).spec;
    expect(metrics.slice(1)).toEqual([
      {
        type: 'Pods',
        pods: {
          metric: { name: 'agentgateway_open_streams' },
          target: { type: 'AverageValue', averageValue: '1k' },
        },
      },
    ]);
    expect(readFileSync(join(root, 'docs', 'reference', 'metrics.md'), 'utf8')).toContain(
      `| \`${metrics[1].pods.metric.name}\` | gauge |`,
    );
  });
  it('takes pods away slowly, with their streams', () => {
    expect(only(built({ max: 9 }), 'HorizontalPodAutoscaler').spec.behavior).toEqual({
      scaleDown: {
        stabilizationWindowSeconds: 600,
        selectPolicy: 'Max',
        policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }],
      },
    });
  });
  it('changes nothing else: config and policies are the same, and one pod at a time is evicted', () => {
    const [fixed, scaled] = [manifests({ gateway: { replayStore: redis } }), built({ max: 9 })];
    const others = (objects: any[]) =>
      objects.filter(({ kind }) => !['Deployment', 'HorizontalPodAutoscaler'].includes(kind));
    expect(others(scaled)).toEqual(others(fixed));
    expect(dataOf(scaled, 'config.json')).toBe(dataOf(fixed, 'config.json'));
    expect(only(built({ min: 1, max: 2 }), 'PodDisruptionBudget').spec.maxUnavailable).toBe(1);
  });
  it.each<[string, Autoscaling, Partial<AgentGatewayProps>, string]>([
    [
      'a memory store, and says why',
      { max: 3 },
      { replayStore: ReplayStore.memory() },
      "autoscaling: must go with a shared replay store: a memory store is one pod's, and each further pod " +
        'would take every proof once more, got 3; choose ReplayStore.redis, or leave autoscaling out',
    ],
    [
      'more pods at least than at most',
      { min: 4, max: 3 },
      {},
      'autoscaling.max: must be at least the fewest pods, 4, got 3; allow more, or begin with fewer',
    ],
    [
      'fewer pods at most than there are replicas',
      { max: 3 },
      { replicas: 4 },
      'autoscaling.max: must be at least replicas, 4, got 3; allow more, or begin with fewer',
    ],
    [
      'two numbers to begin with',
      { min: 2, max: 9 },
      { replicas: 4 },
      'replicas: must be left out with autoscaling.min, which is 2: the autoscaler sets the number of pods, ' +
        'got 4; say one of the two',
    ],
    ['no pods', { min: 0, max: 9 }, {}, 'autoscaling.min: must be a whole number from 1 to 1000, got 0'],
    [
      'more CPU than there is',
      { max: 9, cpuUtilization: 101 },
      {},
      'autoscaling.cpuUtilization: must be a whole number from 1 to 100, got 101',
    ],
    [
      'streams that nobody may count',
      { max: 9, openStreams: 100 },
      {},
      'autoscaling.openStreams: must go with metricsPeer: nobody could ask the pods how many streams they ' +
        'have, got 100; for example metricsPeer: Peer.pods(',
    ],
    [
      'as many streams as a pod takes connections',
      { max: 9, openStreams: 500 },
      { metricsPeer: peer, limits: { maxConnections: 500 } },
      'autoscaling.openStreams: must be a whole number from 1 to 499, fewer than the connections that a pod ' +
        'takes, or it refuses before another is added, got 500; count fewer, or give more memory',
    ],
  ])('is refused with %s', (_, autoscaling, gateway, message) => {
    const found = refusals(autoscaling, gateway);
    expect(found.filter((line) => line.startsWith(`[test/Gateway] ${message}`))).toHaveLength(1);
  });
  it('is refused once, in one sentence, where it has no other fault', () => {
    expect(refusals({ max: 3 }, { replayStore: ReplayStore.memory() })).toHaveLength(1);
    expect(refusals({ min: 4, max: 3 })).toHaveLength(1);
  });
});
