/** An autoscaler must be able to do what it is for. */
import { AutoscalingSpec, GatewaySpec, maxConnections } from '../spec/gateway-spec';
import { Violation } from '../support/text';

export function autoscalingViolations(spec: GatewaySpec): Violation[] {
  const { autoscaling, replayStore } = spec;
  if (autoscaling === undefined) return [];
  if (replayStore._redis === undefined) {
    return [
      {
        where: 'autoscaling',
        want:
          "must go with a shared replay store: a memory store is one pod's, and each further pod would take " +
          'every proof once more',
        got: autoscaling.max,
        next: 'choose ReplayStore.redis, or leave autoscaling out',
      },
    ];
  }
  return [
    ...between('autoscaling.min', autoscaling.min, 1, 1000),
    ...between('autoscaling.max', autoscaling.max, 1, 1000),
    ...between('autoscaling.cpuUtilization', autoscaling.cpuUtilization, 1, 100),
    ...countViolations(autoscaling),
    ...streamViolations(spec, autoscaling.openStreams),
  ];
}

function between(where: string, got: number, least: number, most: number): Violation[] {
  if (Number.isInteger(got) && got >= least && got <= most) return [];
  return [{ where, want: `must be a whole number from ${least} to ${most}`, got }];
}

function countViolations({ min, max, replicas }: AutoscalingSpec): Violation[] {
  if (replicas !== undefined && replicas !== min) {
    return [
      {
        where: 'replicas',
        want: `must be left out with autoscaling.min, which is ${min}: the autoscaler sets the number of pods`,
        got: replicas,
        next: 'say one of the two',
      },
    ];
  }
  if (max >= min) return [];
  return [
    {
      where: 'autoscaling.max',
      want: `must be at least ${replicas === undefined ? 'the fewest pods' : 'replicas'}, ${min}`,
      got: max,
      next: 'allow more, or begin with fewer',
    },
  ];
}

function streamViolations(spec: GatewaySpec, got: number | undefined): Violation[] {
  if (got === undefined) return [];
  const most = maxConnections(spec) - 1;
  if (!Number.isInteger(got) || got < 1 || got > most) {
    return [
      {
        where: 'autoscaling.openStreams',
        want:
          `must be a whole number from 1 to ${most}, fewer than the connections that a pod takes, or it ` +
          'refuses before another is added',
        got,
        next: 'count fewer, or give more memory',
      },
    ];
  }
  if (spec.metricsPeer !== undefined) return [];
  return [
    {
      where: 'autoscaling.openStreams',
      want: 'must go with metricsPeer: nobody could ask the pods how many streams they have',
      got,
      next: 'for example metricsPeer: Peer.pods({ "app.kubernetes.io/name": "prometheus" }, { namespaceLabels: … })',
    },
  ];
}
