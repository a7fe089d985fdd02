/** A pod that the quota has no room for is never made, and nobody is told but the ReplicaSet. */
import { GatewaySpec } from '../spec/gateway-spec';
import { Quota, Use, useOf } from '../spec/quota';
import { Violation } from '../support/text';

export function quotaViolations(quota: Quota, gateways: readonly GatewaySpec[]): Violation[] {
  const uses = gateways.map(useOf);
  const sum = (of: keyof Use) => uses.reduce((total, use) => total + use[of], 0);
  return [
    ...short('maxPods', sum('pods'), quota.maxPods, 'pods'),
    ...short('maxCpu', sum('millicores') / 1000, quota.maxCpu, 'cores'),
    ...short('maxMemory', sum('mebibytes'), quota.maxMemory.toMebibytes(), 'MiB'),
  ];
}

function short(where: string, used: number, most: number, unit: string): Violation[] {
  if (used <= most) return [];
  return [
    {
      where,
      want:
        `must be at least ${used} ${unit}, which the gateways of the namespace take with all their replicas ` +
        'and one more each in a rollout',
      got: most,
      next: 'allow more, or have fewer replicas: replicas or autoscaling.max of the gateways',
    },
  ];
}
