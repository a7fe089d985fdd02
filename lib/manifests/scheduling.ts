/** On which nodes the pods run: what the user asks for, and what a memory store needs. */
import { GatewaySpec } from '../spec/gateway-spec';
import { OS_LABEL } from '../support/labels';
import {
  NodeAffinity,
  NodeRequirement,
  Toleration,
  TolerationOperator,
  TopologySpread,
} from '../values/scheduling';
import { k8s } from './k8s';

export const schedulingOf = (spec: GatewaySpec): Partial<k8s.PodSpec> => ({
  topologySpreadConstraints: spread(spec),
  ...placementOf(spec),
});

/** Without what is about several pods. */
export function placementOf(spec: GatewaySpec): Partial<k8s.PodSpec> {
  const { tolerations, priorityClassName, runtimeClassName, imagePullSecrets } = spec.scheduling;
  return {
    ...nodes(spec),
    ...(tolerations === undefined ? {} : { tolerations: tolerations.map(toleration) }),
    ...(imagePullSecrets === undefined
      ? {}
      : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    priorityClassName,
    runtimeClassName,
  };
}

/** With a hard spread a node that the pods don't tolerate doesn't count as an empty one, or they would wait for it. */
function spread({ selectorLabels: matchLabels, scheduling }: GatewaySpec): k8s.TopologySpreadConstraint[] {
  const isHard = scheduling.topologySpread === TopologySpread.HARD;
  return ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable: isHard ? 'DoNotSchedule' : 'ScheduleAnyway',
    labelSelector: { matchLabels },
    matchLabelKeys: ['pod-template-hash'],
    ...(isHard ? { nodeTaintsPolicy: 'Honor' } : {}),
  }));
}

function nodes(spec: GatewaySpec): Pick<k8s.PodSpec, 'affinity' | 'nodeSelector'> {
  const isAlone = spec.replayStore._redis === undefined;
  const nodeSelector = { ...spec.scheduling.nodeSelector, ...(isAlone ? { [OS_LABEL]: 'linux' } : {}) };
  const affinity = { ...nodeAffinity(spec.scheduling.nodeAffinity), ...(isAlone ? noSecondPod(spec) : {}) };
  const isEmpty = (value: object) => Object.keys(value).length === 0;
  return {
    ...(isEmpty(nodeSelector) ? {} : { nodeSelector }),
    ...(isEmpty(affinity) ? {} : { affinity }),
  };
}

/**
 * A second pod finds no node: all that it may run on have the same value of this label, so they are one place to the
 * scheduler. A pod that is still ending counts, and it does not matter what made
 * the second: a scale, an eviction, a rollout that was changed by hand.
 */
const noSecondPod = ({ selectorLabels: matchLabels }: GatewaySpec): k8s.Affinity => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: OS_LABEL, labelSelector: { matchLabels } },
    ],
  },
});

function nodeAffinity({ required = [], preferred = [] }: NodeAffinity = {}): k8s.Affinity {
  if (required.length === 0 && preferred.length === 0) return {};
  const term = (requirements: readonly NodeRequirement[]) => ({ matchExpressions: [...requirements] });
  return {
    nodeAffinity: {
      ...(required.length === 0
        ? {}
        : { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term(required)] } }),
      ...(preferred.length === 0
        ? {}
        : {
            preferredDuringSchedulingIgnoredDuringExecution: preferred.map(({ weight, requirements }) => ({
              weight,
              preference: term(requirements),
            })),
          }),
    },
  };
}

const toleration = (given: Toleration): k8s.Toleration => ({
  ...given,
  operator:
    given.operator ?? (given.value === undefined ? TolerationOperator.EXISTS : TolerationOperator.EQUAL),
});
