/**
 * One function per manifest kind. `spec` is a function: routes and clients are added after the gateway's
 * constructor.
 */
import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { GatewaySpec, secretsRoutes, unpinnedImages } from '../spec/gateway-spec';
import { PORT } from '../support/ports-and-paths';
import { AddedMetadata } from '../values/added-metadata';
import { NetworkPolicyFlavor } from '../values/network';
import { autoscalerSpec } from './autoscaler';
import { chartSettings } from './chart-settings';
import { deploymentSpec } from './deployment';
import { saveSettings, templated, withSettings } from './helm-chart';
import { asGiven, emit, inChart, k8s } from './k8s';
import { ciliumPolicySpec, networkPolicySpec } from './network-policies';

type Spec = () => GatewaySpec;

const meta = ({ namespace, labels }: GatewaySpec, name: string, added: AddedMetadata = {}) => ({
  name,
  namespace,
  labels: { ...added.labels, ...labels },
  ...(added.annotations === undefined ? {} : { annotations: added.annotations }),
});

export function emitWorkload(scope: Construct, spec: Spec): ApiObject {
  const object = emitDeployment(scope, spec, spec().name);
  const reasons = unpinnedImages(spec()).map(
    ({ reference, unpinnedReason }) => `${reference}: ${unpinnedReason}`,
  );
  if (reasons.length > 0) {
    object.metadata.addAnnotation('cdk8s-agentgateway/unpinned-image', reasons.join('; '));
  }
  inChart(object, (json, directory) => {
    const { namespace, name } = spec();
    const settings = chartSettings(spec(), json);
    saveSettings(object, directory, [namespace, name], settings);
    return withSettings(templated(json), [namespace, name], settings);
  });
  return object;
}

/** Rendered whole, because it carries fields that the generated types would drop. */
function emitDeployment(scope: Construct, spec: Spec, name: string): ApiObject {
  return emit(scope, 'Resource', asGiven(k8s.KubeDeployment.GVK), meta(spec(), name), () =>
    deploymentSpec(spec()),
  );
}

/** Its token reaches a pod only through the projected volume of a gateway with a SecretsRoute. */
export function emitServiceAccount(scope: Construct, spec: Spec): void {
  emit(
    scope,
    'service-account',
    k8s.KubeServiceAccount,
    meta(spec(), spec().serviceAccountName, spec().serviceAccountMetadata),
    () => ({ automountServiceAccountToken: false }),
    ['automountServiceAccountToken'],
  );
}

/** The traffic port only: metrics and probes are for the node and the scraper, not for clients. */
export function emitService(scope: Construct, spec: Spec): void {
  const metadata = meta(spec(), spec().name, spec().serviceMetadata);
  emit(scope, 'service', k8s.KubeService, metadata, () => ({
    spec: {
      type: 'ClusterIP',
      ...families(spec()),
      selector: spec().selectorLabels,
      ports: [
        {
          name: 'http',
          port: PORT.traffic,
          targetPort: k8s.IntOrString.fromString('http'),
          protocol: 'TCP',
          appProtocol: spec().tlsSecretName === undefined ? 'http' : 'https',
        },
      ],
    },
  }));
}

/** Both families where the cluster has both, unless the user says which. */
function families({ ipFamilies }: GatewaySpec): Pick<k8s.ServiceSpec, 'ipFamilyPolicy' | 'ipFamilies'> {
  if (ipFamilies === undefined) return { ipFamilyPolicy: 'PreferDualStack' };
  return { ipFamilyPolicy: ipFamilies.length === 1 ? 'SingleStack' : 'RequireDualStack', ipFamilies };
}

export function emitNetworkPolicy(scope: Construct, spec: Spec): void {
  const metadata = meta(spec(), `${spec().name}-allow`);
  emit(scope, 'network-policy', asGiven(k8s.KubeNetworkPolicy.GVK), metadata, () => ({
    spec: networkPolicySpec(spec()),
  }));
  if (spec().networkPolicyFlavor !== NetworkPolicyFlavor.CILIUM) return;
  const kind = asGiven({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy' });
  emit(scope, 'cilium-network-policy', kind, metadata, () => ({ spec: ciliumPolicySpec(spec()) }));
}

export function emitAutoscaler(scope: Construct, spec: Spec): void {
  const kind = k8s.KubeHorizontalPodAutoscalerV2;
  emit(scope, 'autoscaler', kind, meta(spec(), spec().name), () => ({
    spec: autoscalerSpec(spec(), spec().autoscaling!),
  }));
}

/** A pod that is broken anyway never holds up the drain of its node. */
export function emitDisruptionBudget(scope: Construct, spec: Spec): void {
  emit(scope, 'disruption-budget', k8s.KubePodDisruptionBudget, meta(spec(), `${spec().name}-pdb`), () => ({
    spec: {
      maxUnavailable: k8s.IntOrString.fromNumber(1),
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: spec().selectorLabels },
    },
  }));
}

/** `get` on the named Secrets; `list` and `watch` would open them all. */
export function emitApiAccess(scope: Construct, spec: Spec): void {
  const { serviceAccountName, namespace, name } = spec();
  const role = `${name}-secrets-reader`;
  emit(
    scope,
    'role',
    k8s.KubeRole,
    meta(spec(), role),
    () => ({
      rules: [
        { apiGroups: [''], resources: ['secrets'], resourceNames: secretNames(spec()), verbs: ['get'] },
      ],
    }),
    ['rules'],
  );
  emit(
    scope,
    'role-binding',
    k8s.KubeRoleBinding,
    meta(spec(), role),
    () => ({
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccountName, namespace }],
    }),
    ['roleRef', 'subjects'],
  );
}

const secretNames = (spec: GatewaySpec) =>
  [...new Set(secretsRoutes(spec).flatMap((route) => route.secretNames))].sort();
