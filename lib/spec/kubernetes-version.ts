/** The oldest Kubernetes that manifests are applied to: one for a namespace, whoever in it says so. */
import { Violation, refuse } from '../support/text';
import { AppRegistry, Versioned } from './app-registry';

const OLDEST = 30;

/** A field or API that some supported Kubernetes does not have, or has under a condition. */
export interface VersionedField {
  readonly field: string;
  readonly emitted: string;
  /** First minor whose API server keeps the field without a feature gate. */
  readonly since: number;
  readonly nodes: string;
}

/** What manifests contain that is younger than Kubernetes 1.25; docs/reference/kubernetes.md is made of it. */
export const FIELDS: readonly VersionedField[] = [
  {
    field: 'Deployment: `lifecycle.preStop.sleep`',
    emitted: 'with a Redis store, and wherever `preStop` is given; not with `preStop: Duration.seconds(0)`',
    since: 30,
    nodes: 'kubelet 1.30',
  },
  {
    field: 'Deployment: `initContainers[].restartPolicy: Always`',
    emitted: 'with `DataPlane.agentgateway`, the default',
    since: 29,
    nodes: 'kubelet 1.29',
  },
  {
    field: 'Deployment: `topologySpreadConstraints[].matchLabelKeys`',
    emitted: 'always',
    since: 27,
    nodes: 'none',
  },
  {
    field: 'Deployment: `topologySpreadConstraints[].nodeTaintsPolicy`',
    emitted: 'with `TopologySpread.HARD`',
    since: 26,
    nodes: 'none',
  },
  {
    field: 'HorizontalPodAutoscaler: `metrics[].containerResource`',
    emitted: 'with `autoscaling`',
    since: 27,
    nodes: 'none',
  },
  {
    field: 'PodDisruptionBudget: `unhealthyPodEvictionPolicy`',
    emitted: 'with more than one replica',
    since: 27,
    nodes: 'none',
  },
  {
    field: '`admissionregistration.k8s.io/v1` ValidatingAdmissionPolicy',
    emitted: 'by HardenedNamespace',
    since: 30,
    nodes: 'none',
  },
  {
    field: 'Deployment: `securityContext.appArmorProfile`',
    emitted: 'with `appArmor: true`',
    since: 30,
    nodes: 'AppArmor in the kernel and on; kubelet refuses the pod elsewhere',
  },
  {
    field: 'Deployment: `hostUsers: false`',
    emitted: 'with `userNamespace: true`',
    since: 33,
    nodes: 'Linux 6.3, containerd 2.0 or CRI-O 1.25; kubelet refuses the pod elsewhere',
  },
  {
    field: 'Deployment: `securityContext.supplementalGroupsPolicy`',
    emitted: 'with `strictSupplementalGroups: true`',
    since: 33,
    nodes: 'containerd 2.0 or CRI-O 1.31; kubelet refuses the pod elsewhere',
  },
];

export function checkKubernetesVersion(version: string): string {
  if (/^1\.\d{2}$/.test(version) && minorOf(version) >= OLDEST) return version;
  const [, near] = /^v?(1\.\d{2})(\.\d+)?$/.exec(version) ?? [];
  return refuse({
    where: 'minKubernetesVersion',
    want: `must be "1.${OLDEST}" or later: older servers do not know the preStop sleep`,
    got: version,
    next:
      near === undefined || minorOf(near) < OLDEST
        ? `name the oldest minor that your clusters run, for example "1.${OLDEST}"`
        : `did you mean "${near}"?`,
  });
}

/** The minor of this construct's namespace. */
export function kubernetesMinorOf(construct: Versioned): number {
  const [said] = versionsSaid(construct);
  return said === undefined ? OLDEST : minorOf(said._minKubernetesVersion!);
}

/** A namespace lives on one cluster at a time: two oldest versions of it are one too many. */
export function kubernetesVersionViolations(construct: Versioned): Violation[] {
  const mine = construct._minKubernetesVersion;
  const [other] = versionsSaid(construct).filter((c) => c._minKubernetesVersion !== mine);
  if (mine === undefined || other === undefined) return [];
  return [
    {
      where: 'minKubernetesVersion',
      want: `must be "${other._minKubernetesVersion}" as ${other.node.path} in the same namespace has it`,
      got: mine,
      next: 'say it once, on the HardenedNamespace',
    },
  ];
}

const minorOf = (version: string) => Number(version.slice(2));

const versionsSaid = (construct: Versioned) => AppRegistry.of(construct).versionsIn(construct.namespaceName);
