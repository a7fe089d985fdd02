import { Lazy, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { matchedBy, oneReplicaSpec, policySpecs } from '../manifests/admission-policies';
import { chartDirectory, saveNotes } from '../manifests/helm-chart';
import { clusterScoped, emit, emitRaw, isOurs, k8s } from '../manifests/k8s';
import { emitOtherHalves } from '../manifests/other-half';
import { AppRegistry } from '../spec/app-registry';
import { unpinnedImages } from '../spec/gateway-spec';
import {
  checkKubernetesVersion,
  kubernetesMinorOf,
  kubernetesVersionViolations,
} from '../spec/kubernetes-version';
import { Quota } from '../spec/quota';
import { checked, instanceOf, NUMBER, optional, recordOf, Shape, SIZE, struct, TEXT } from '../support/kinds';
import { mebibytes, millicores } from '../support/quantity';
import { checkedAt, checkNamespace, refuse, say } from '../support/text';
import { duplicateViolations } from '../validation/duplicates';
import { quotaViolations } from '../validation/quota-violations';
import { Admission, AdmissionRule } from '../values/admission';

/** Properties of a `HardenedNamespace`. */
export interface HardenedNamespaceProps {
  /** Name of the namespace: an RFC 1123 label that does not begin with `kube-`. */
  readonly name: string;

  /**
   * Oldest Kubernetes the manifests are applied to, as `1.<minor>`, 1.30 or later; gateways in the namespace
   * follow, and another version of one is refused. The restricted Pod Security Standard of this version is
   * enforced: with `latest` a cluster upgrade could stop new pods. The latest standard warns and audits anyway.
   *
   * @default - the version of a gateway in the namespace that says one, else '1.30'
   * @see https://kubernetes.io/docs/concepts/security/pod-security-admission/
   */
  readonly minKubernetesVersion?: string;

  /**
   * Further labels.
   *
   * @default - none
   */
  readonly labels?: Record<string, string>;

  /**
   * Pods in the namespace; room for all replicas of its gateways, and one more each in a rollout, or synth refuses.
   *
   * @default 50
   */
  readonly maxPods?: number;

  /**
   * Sum of CPU requests, in cores; with the same room.
   *
   * @default 16
   */
  readonly maxCpu?: number;

  /**
   * Sum of memory limits; with the same room.
   *
   * @default Size.gibibytes(32)
   */
  readonly maxMemory?: Size;

  /**
   * What pods and Services of the namespace are held to beyond Pod Security.
   *
   * @default Admission.deny() - every AdmissionRule
   */
  readonly admission?: Admission;
}

const SHAPE: Shape<HardenedNamespaceProps> = {
  name: TEXT,
  minKubernetesVersion: optional(TEXT),
  labels: optional(recordOf(TEXT)),
  maxPods: optional(NUMBER),
  maxCpu: optional(NUMBER),
  maxMemory: optional(SIZE),
  admission: optional(instanceOf(Admission)),
};
const PROPS = struct('HardenedNamespaceProps', SHAPE);

const ADMISSION_GROUP = 'admissionregistration.k8s.io/v1';

function checkedQuota({
  name,
  minKubernetesVersion,
  maxPods = 50,
  maxCpu = 16,
  maxMemory = Size.gibibytes(32),
}: HardenedNamespaceProps): Quota {
  checkNamespace('name', name);
  if (minKubernetesVersion !== undefined) checkKubernetesVersion(minKubernetesVersion);
  if (!Number.isInteger(maxPods) || maxPods < 1) {
    refuse({ where: 'maxPods', want: 'must be a whole number above 0', got: maxPods });
  }
  if (!(maxCpu > 0 && maxCpu < Infinity)) {
    refuse({ where: 'maxCpu', want: 'must be a number of cores above 0', got: maxCpu });
  }
  return { maxPods, maxCpu, maxMemory };
}

/** A command for what the chart cannot own. */
const defaultAccountNote = (namespace: string) =>
  `Have pods of ${namespace} that name no ServiceAccount get no API token:\n` +
  `  kubectl patch serviceaccount default --namespace ${namespace} --patch '{"automountServiceAccountToken":false}'`;

const quantity = (text: string) => k8s.Quantity.fromString(text);

/**
 * A namespace in which nothing runs with privileges, connects, or holds an API token unless an object says so:
 * restricted Pod Security and admission rules beyond it, default-deny NetworkPolicy, a default ServiceAccount
 * without token, limits and a quota without NodePorts and load balancers. Emit it once a namespace.
 */
export class HardenedNamespace extends Construct {
  /** Name of the namespace. */
  public readonly namespaceName: string;

  private readonly admission: Admission;

  /** @internal what this namespace says itself */
  public readonly _minKubernetesVersion?: string;

  constructor(scope: Construct, id: string, props: HardenedNamespaceProps) {
    super(scope, id);
    const quota = checkedAt(this.node.path, () => checkedQuota(checked(props, PROPS)));
    this.namespaceName = props.name;
    this._minKubernetesVersion = props.minKubernetesVersion;
    AppRegistry.of(this).addVersioned(this);

    this.emitNamespace(props.labels);
    this.emitDefaults();
    this.emitQuota(quota);
    // Objects are applied in the order of the app: what is in the namespace comes after it.
    for (const { construct } of this.gateways()) construct.node.addDependency(this);
    this.admission = props.admission ?? Admission.deny();
    for (const [shape, spec] of Object.entries(policySpecs(this.admission))) this.emitPolicy(shape, spec);
    this.emitDefaultServiceAccount();
    const registry = AppRegistry.of(this);
    registry.addHardened(this);
    this._gatewayCame();
    for (const gateway of registry.allGateways()) emitOtherHalves(gateway, this);
    this.node.addValidation({ validate: () => this.saveNotes() });
    this.node.addValidation({
      validate: () => [
        ...this.refusedImages(),
        ...duplicateViolations(this, isOurs).map(say),
        ...quotaViolations(
          quota,
          this.gateways().map(({ spec }) => spec()),
        ).map(say),
        ...kubernetesVersionViolations(this).map(say),
      ],
    });
  }

  private emitNamespace(labels: Record<string, string> = {}): void {
    // A gateway that is constructed later may say the version.
    const enforceVersion = Lazy.any({ produce: () => `v1.${kubernetesMinorOf(this)}` }) as unknown as string;
    const metadata = {
      name: this.namespaceName,
      labels: {
        ...labels,
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/enforce-version': enforceVersion,
        'pod-security.kubernetes.io/warn': 'restricted',
        'pod-security.kubernetes.io/warn-version': 'latest',
        'pod-security.kubernetes.io/audit': 'restricted',
        'pod-security.kubernetes.io/audit-version': 'latest',
      },
    };
    clusterScoped(emit(this, 'Resource', k8s.KubeNamespace, metadata, () => ({}), []));
  }

  /** What holds for pods that say nothing else: no traffic, small requests and limits. */
  private emitDefaults(): void {
    emit(this, 'default-deny', k8s.KubeNetworkPolicy, this.named('default-deny'), () => ({
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    }));
    // No CPU limit: it throttles where it is not needed.
    const container = {
      type: 'Container',
      default: { memory: quantity('256Mi'), 'ephemeral-storage': quantity('512Mi') },
      defaultRequest: {
        cpu: quantity('50m'),
        memory: quantity('128Mi'),
        'ephemeral-storage': quantity('64Mi'),
      },
    };
    emit(this, 'limit-range', k8s.KubeLimitRange, this.named('defaults'), () => ({
      spec: { limits: [container] },
    }));
  }

  /**
   * Kubernetes makes it a moment after the namespace. `kubectl apply` changes it, and fails where it is made between
   * kubectl's look and its write, so that it comes after all else of the namespace. Helm wants to create what it
   * installs, and always fails, so that a chart leaves it to a command in its notes.
   */
  private emitDefaultServiceAccount(): void {
    if (chartDirectory(this) !== undefined) return;
    emit(
      this,
      'default-service-account',
      k8s.KubeServiceAccount,
      this.named('default'),
      () => ({ automountServiceAccountToken: false }),
      ['automountServiceAccountToken'],
    );
  }

  private saveNotes(): string[] {
    const directory = chartDirectory(this);
    if (directory === undefined) return [];
    const namespaces = AppRegistry.of(this).allHardened();
    saveNotes(
      directory,
      namespaces.map(({ namespaceName }) => defaultAccountNote(namespaceName)),
    );
    return [];
  }

  private emitQuota({ maxPods, maxCpu, maxMemory }: Quota): void {
    emit(this, 'quota', k8s.KubeResourceQuota, this.named('quota'), () => ({
      spec: {
        hard: {
          pods: quantity(String(maxPods)),
          'requests.cpu': quantity(millicores(Math.ceil(maxCpu * 1000))),
          'limits.memory': quantity(mebibytes(maxMemory.toMebibytes())),
          'services.nodeports': quantity('0'),
          'services.loadbalancers': quantity('0'),
        },
      },
    }));
  }

  private named(name: string): { name: string; namespace: string } {
    return { name, namespace: this.namespaceName };
  }

  /** @internal the first gateway with a memory store brings the policy that names them all */
  public _gatewayCame(): void {
    const names = () =>
      this.gateways()
        .map(({ spec }) => spec())
        .filter(({ replayStore }) => replayStore._redis === undefined)
        .map(({ name }) => name);
    const isThere = this.node.tryFindChild('admission-replicas') !== undefined;
    if (isThere || names().length === 0 || !this.admission._rules.includes(AdmissionRule.ONE_REPLICA)) return;
    this.emitPolicy('replicas', oneReplicaSpec(names));
  }

  /** What is checked lies in the policy, where and with what result in its binding. */
  private emitPolicy(shape: string, spec: object): void {
    const name = `hardened-${this.namespaceName}-${shape}`;
    const kind = (suffix: string) => ({
      apiVersion: ADMISSION_GROUP,
      kind: `ValidatingAdmissionPolicy${suffix}`,
    });
    clusterScoped(emitRaw(this, `admission-${shape}`, kind(''), { name }, { spec }));
    clusterScoped(
      emitRaw(
        this,
        `admission-${shape}-binding`,
        kind('Binding'),
        { name },
        {
          spec: {
            policyName: name,
            validationActions: this.admission._actions,
            matchResources: matchedBy({ matchLabels: { 'kubernetes.io/metadata.name': this.namespaceName } }),
          },
        },
      ),
    );
  }

  private gateways() {
    return AppRegistry.of(this).gatewaysIn(this.namespaceName);
  }

  /** Gateways whose pods the namespace would not take. */
  private refusedImages(): string[] {
    const { _actions, _rules } = this.admission;
    if (!_actions.includes('Deny') || !_rules.includes(AdmissionRule.IMAGE_DIGEST)) return [];
    return this.gateways().flatMap((gateway) =>
      unpinnedImages(gateway.spec()).map(({ reference }) =>
        say({
          where: 'admission',
          want: `must leave out ${AdmissionRule.IMAGE_DIGEST} for the unpinned image of ${gateway.construct.node.path}`,
          got: reference,
          next: 'pin the image, or pass Admission.deny({ without: [AdmissionRule.IMAGE_DIGEST] })',
        }),
      ),
    );
  }
}
