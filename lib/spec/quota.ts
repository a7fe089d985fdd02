/** What the pods of a namespace may take together, and what its gateways do. */
import { Size } from 'cdk8s';
import { agentgatewayMebibytes } from './agentgateway-memory';
import { GatewaySpec, mostReplicas, usesAgentgateway } from './gateway-spec';
import { valkeyMebibytes, valkeyMillicores } from './valkey';

export interface Quota {
  readonly maxPods: number;
  readonly maxCpu: number;
  readonly maxMemory: Size;
}

/** What is counted: pods, thousandths of a core that are asked for, MiB that are the limit. */
export interface Use {
  readonly pods: number;
  readonly millicores: number;
  readonly mebibytes: number;
}

/** With every pod that an autoscaler may make, the one more of a rollout, and Valkey's. */
export function useOf(spec: GatewaySpec): Use {
  const pods = mostReplicas(spec) + (spec.replayStore._redis === undefined ? 0 : 1);
  const isTwo = usesAgentgateway(spec);
  const valkey = valkeyUse(spec);
  return {
    pods: pods + valkey.pods,
    millicores: pods * (spec.cpuMillicores + (isTwo ? spec.dataPlane._cpuMillicores : 0)) + valkey.millicores,
    mebibytes:
      pods * (spec.memory.toMebibytes() + (isTwo ? agentgatewayMebibytes(spec) : 0)) + valkey.mebibytes,
  };
}

const valkeyUse = (spec: GatewaySpec): Use =>
  spec.replayStore._valkey === undefined
    ? { pods: 0, millicores: 0, mebibytes: 0 }
    : { pods: 1, millicores: valkeyMillicores(spec), mebibytes: valkeyMebibytes(spec) };
