import { AutoscalingSpec, GatewaySpec } from '../spec/gateway-spec';
import { millicores, thousands } from '../support/quantity';
import { k8s } from './k8s';

/** A pod takes its event streams with it: clients open them again at another, all at once. */
const SCALE_DOWN: k8s.HpaScalingRulesV2 = {
  stabilizationWindowSeconds: 600,
  selectPolicy: 'Max',
  policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }],
};

export function autoscalerSpec(
  { name, workers = 1 }: GatewaySpec,
  { min, max, cpuUtilization, openStreams }: AutoscalingSpec,
): k8s.HorizontalPodAutoscalerSpecV2 {
  return {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    minReplicas: min,
    maxReplicas: max,
    behavior: { scaleDown: SCALE_DOWN },
    metrics: [
      {
        type: 'ContainerResource',
        containerResource: {
          name: 'cpu',
          container: 'dpop-proxy',
          // Of the cores that its threads can use, not of what the container asks for.
          target: {
            type: 'AverageValue',
            averageValue: k8s.Quantity.fromString(millicores(10 * cpuUtilization * workers)),
          },
        },
      },
      ...(openStreams === undefined ? [] : [streams(openStreams)]),
    ],
  };
}

const streams = (count: number): k8s.MetricSpecV2 => ({
  type: 'Pods',
  pods: {
    metric: { name: 'agentgateway_open_streams' },
    target: { type: 'AverageValue', averageValue: k8s.Quantity.fromString(thousands(count)) },
  },
});
