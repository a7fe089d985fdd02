/**
 * What manifests ask of a cluster. `lib` writes its notes and docs/reference/kubernetes.md of it, `agw doctor` compares
 * it with a cluster; the proxy in its pod needs none of it.
 */

/** The oldest minor of Kubernetes 1 that manifests are for. */
export const OLDEST_MINOR = 30;

/** A field or API that some supported Kubernetes does not have, or has under a condition. */
export interface VersionedField {
  readonly field: string;
  readonly emitted: string;
  /** First minor whose API server keeps the field without a feature gate. */
  readonly since: number;
  readonly nodes: string;
  /** Where it is in an object; `[]` is each item of a list. Absent: the kind itself is meant. */
  readonly kind: string;
  readonly path?: string;
  /** The only value that is meant; absent: any. */
  readonly value?: string | boolean;
  /** Oldest of what runs a pod; absent: any. */
  readonly runtime?: { readonly linux?: string; readonly containerd: string; readonly 'cri-o': string };
}

/** What manifests contain that is younger than Kubernetes 1.25. */
export const VERSIONED_FIELDS: readonly VersionedField[] = [
  {
    field: 'Deployment: `lifecycle.preStop.sleep`',
    emitted: 'with a Redis store, and wherever `preStop` is given; not with `preStop: Duration.seconds(0)`',
    since: 30,
    nodes: 'kubelet 1.30',
    kind: 'Deployment',
    path: 'spec.template.spec.containers[].lifecycle.preStop.sleep',
  },
  {
    field: 'Deployment: `initContainers[].restartPolicy: Always`',
    emitted: 'with `DataPlane.agentgateway`, the default',
    since: 29,
    nodes: 'kubelet 1.29',
    kind: 'Deployment',
    path: 'spec.template.spec.initContainers[].restartPolicy',
    value: 'Always',
  },
  {
    field: 'Deployment: `topologySpreadConstraints[].matchLabelKeys`',
    emitted: 'always',
    since: 27,
    nodes: 'none',
    kind: 'Deployment',
    path: 'spec.template.spec.topologySpreadConstraints[].matchLabelKeys',
  },
  {
    field: 'Deployment: `topologySpreadConstraints[].nodeTaintsPolicy`',
    emitted: 'with `TopologySpread.HARD`',
    since: 26,
    nodes: 'none',
    kind: 'Deployment',
    path: 'spec.template.spec.topologySpreadConstraints[].nodeTaintsPolicy',
  },
  {
    field: 'HorizontalPodAutoscaler: `metrics[].containerResource`',
    emitted: 'with `autoscaling`',
    since: 27,
    nodes: 'none',
    kind: 'HorizontalPodAutoscaler',
    path: 'spec.metrics[].containerResource',
  },
  {
    field: 'PodDisruptionBudget: `unhealthyPodEvictionPolicy`',
    emitted: 'with more than one replica',
    since: 27,
    nodes: 'none',
    kind: 'PodDisruptionBudget',
    path: 'spec.unhealthyPodEvictionPolicy',
  },
  {
    field: '`admissionregistration.k8s.io/v1` ValidatingAdmissionPolicy',
    emitted: 'by HardenedNamespace',
    since: 30,
    nodes: 'none',
    kind: 'ValidatingAdmissionPolicy',
  },
  {
    field: 'Deployment: `securityContext.appArmorProfile`',
    emitted: 'with `appArmor: true`',
    since: 30,
    nodes: 'AppArmor in the kernel and on; kubelet refuses the pod elsewhere',
    kind: 'Deployment',
    path: 'spec.template.spec.securityContext.appArmorProfile',
  },
  {
    field: 'Deployment: `hostUsers: false`',
    emitted: 'with `userNamespace: true`',
    since: 33,
    nodes: 'Linux 6.3, containerd 2.0 or CRI-O 1.25; kubelet refuses the pod elsewhere',
    kind: 'Deployment',
    path: 'spec.template.spec.hostUsers',
    value: false,
    runtime: { linux: '6.3', containerd: '2.0', 'cri-o': '1.25' },
  },
  {
    field: 'Deployment: `securityContext.supplementalGroupsPolicy`',
    emitted: 'with `strictSupplementalGroups: true`',
    since: 33,
    nodes: 'containerd 2.0 or CRI-O 1.31; kubelet refuses the pod elsewhere',
    kind: 'Deployment',
    path: 'spec.template.spec.securityContext.supplementalGroupsPolicy',
    runtime: { containerd: '2.0', 'cri-o': '1.31' },
  },
];

/** Who brings an API that no cluster has by itself. */
export interface Requirement {
  readonly apiVersion: string;
  /** Absent: every kind of it. */
  readonly kind?: string;
  readonly needs: string;
  /** An API that is served where it is there; absent: this one. */
  readonly shownBy?: string;
  /** Constructs and props that emit it. */
  readonly emittedBy: string;
}

export const REQUIREMENTS: readonly Requirement[] = [
  {
    apiVersion: 'external-secrets.io/v1',
    needs: 'External Secrets Operator 0.16 or later',
    emittedBy: '`SecretSource.externalSecret`, the stores of `SecretStoreRef`',
  },
  {
    apiVersion: 'cert-manager.io/v1',
    needs: 'cert-manager 1.0 or later',
    emittedBy: '`GatewayCertificate`, `ReplayStore.valkey`',
  },
  {
    apiVersion: 'monitoring.coreos.com/v1',
    needs: 'Prometheus Operator (PodMonitor, PrometheusRule)',
    emittedBy: '`GatewayMonitoring`',
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    needs: 'Gateway API 1.1 or later, and a controller that implements it',
    emittedBy: '`GatewayExposure`',
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'BackendTLSPolicy',
    needs: 'Gateway API 1.4 or later, for BackendTLSPolicy',
    emittedBy: '`GatewayExposure` with `gatewayCa`',
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    needs: 'an Ingress controller of the class that is named',
    emittedBy: '`GatewayIngress`',
  },
  {
    apiVersion: 'autoscaling/v2',
    shownBy: 'metrics.k8s.io/v1beta1',
    needs: 'metrics-server, and for `openStreams` an adapter that serves custom.metrics.k8s.io',
    emittedBy: '`autoscaling`',
  },
  {
    apiVersion: 'cilium.io/v2',
    needs: 'Cilium, with its DNS proxy',
    emittedBy: '`NetworkPolicyFlavor.CILIUM`',
  },
];
