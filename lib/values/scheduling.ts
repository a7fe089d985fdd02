/** Which nodes a pod may run on. */

/** How the pods of a gateway are spread over nodes and zones. */
export enum TopologySpread {
  /** As evenly as there is room: a pod that finds none where it would be even runs elsewhere. */
  SOFT = 'soft',
  /**
   * Evenly, or not at all: one more on a node or in a zone than on another, and no further. A pod waits rather than
   * break it. Nodes without the label `topology.kubernetes.io/zone` get no pod.
   */
  HARD = 'hard',
}

/** What a taint does to pods that do not tolerate it. */
export enum TaintEffect {
  /** They are not scheduled on the node. */
  NO_SCHEDULE = 'NoSchedule',
  /** They are scheduled there where no other node is left. */
  PREFER_NO_SCHEDULE = 'PreferNoSchedule',
  /** They are evicted, too. */
  NO_EXECUTE = 'NoExecute',
}

/** How a toleration compares a taint. */
export enum TolerationOperator {
  /** Key and value are the taint's. */
  EQUAL = 'Equal',
  /** The key is the taint's, whatever its value. */
  EXISTS = 'Exists',
}

/**
 * A taint that the pods run beside.
 *
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
 */
export interface Toleration {
  /**
   * Key of the taint.
   *
   * @default - every key, with TolerationOperator.EXISTS
   */
  readonly key?: string;

  /**
   * How key and value are compared.
   *
   * @default - EQUAL with a value, EXISTS without
   */
  readonly operator?: TolerationOperator;

  /**
   * Value of the taint.
   *
   * @default - whatever it is
   */
  readonly value?: string;

  /**
   * Effect of the taint.
   *
   * @default - every effect
   */
  readonly effect?: TaintEffect;

  /**
   * Seconds for which a pod stays on a node that got the taint; with TaintEffect.NO_EXECUTE only.
   *
   * @default - for good
   */
  readonly tolerationSeconds?: number;
}

/** How a label of a node is compared. */
export enum NodeOperator {
  /** It is one of the values. */
  IN = 'In',
  /** It is none of the values, or missing. */
  NOT_IN = 'NotIn',
  /** It is there. */
  EXISTS = 'Exists',
  /** It is missing. */
  DOES_NOT_EXIST = 'DoesNotExist',
  /** It is a number above the one value. */
  GT = 'Gt',
  /** It is a number below the one value. */
  LT = 'Lt',
}

/** What a label of a node must be. */
export interface NodeRequirement {
  /** Key of the label. */
  readonly key: string;

  /** How it is compared. */
  readonly operator: NodeOperator;

  /**
   * What it is compared with: at least one for IN and NOT_IN, one whole number for GT and LT.
   *
   * @default - nothing, as EXISTS and DOES_NOT_EXIST want it
   */
  readonly values?: string[];
}

/** Nodes that are preferred. */
export interface NodePreference {
  /** How much, beside other preferences; 1 to 100. */
  readonly weight: number;

  /** What the node must have, all of it; at least one. */
  readonly requirements: NodeRequirement[];
}

/**
 * Nodes by their labels. Affinity to other pods is the library's own: patch the Deployment for more.
 *
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#node-affinity
 */
export interface NodeAffinity {
  /**
   * What a node must have, all of it.
   *
   * @default - nothing
   */
  readonly required?: NodeRequirement[];

  /**
   * What is better.
   *
   * @default - nothing
   */
  readonly preferred?: NodePreference[];
}

/** On which nodes the pods run, and how they get their images. */
export interface Scheduling {
  /**
   * Taints that the pods run beside.
   *
   * @default - none but those that every pod tolerates for a while
   */
  readonly tolerations?: Toleration[];

  /**
   * Labels that a node must have.
   *
   * @default - none; `kubernetes.io/os: linux` with a memory store
   */
  readonly nodeSelector?: Record<string, string>;

  /**
   * Nodes by what their labels are, required or preferred.
   *
   * @default - every node is as good
   */
  readonly nodeAffinity?: NodeAffinity;

  /**
   * PriorityClass of the pods: who is evicted for whom.
   *
   * @default - the cluster's
   * @see https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
   */
  readonly priorityClassName?: string;

  /**
   * RuntimeClass of the pods, for example one of gVisor or Kata.
   *
   * @default - the node's
   * @see https://kubernetes.io/docs/concepts/containers/runtime-class/
   */
  readonly runtimeClassName?: string;

  /**
   * Names of Secrets of type `kubernetes.io/dockerconfigjson` in the gateway's namespace, with which kubelet pulls the
   * images. No SecretsRoute may answer them.
   *
   * @default - none
   */
  readonly imagePullSecrets?: string[];

  /**
   * Whether an even spread over nodes and zones is a wish or a condition.
   *
   * @default TopologySpread.SOFT
   */
  readonly topologySpread?: TopologySpread;
}
