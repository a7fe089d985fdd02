/** A gateway's own Valkey: one pod, and what reaches it. */
import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { REDIS_PASSWORD, secretUses } from '../config/mounted-files';
import { VALKEY_FILES, VALKEY_TLS_FILES } from '../config/valkey-config';
import { serviceHosts } from '../spec/exposure';
import { GatewaySpec } from '../spec/gateway-spec';
import { valkeyMebibytes, valkeyMillicores } from '../spec/valkey';
import { OWNER_ONLY, PORT, VALKEY_DIR } from '../support/ports-and-paths';
import { mebibytes } from '../support/quantity';
import { ValkeyStoreOptions, valkeyName, valkeySelector, valkeyTlsSecret } from '../values/valkey';
import { CERTIFICATE, certificateSpec } from './certificate';
import { configMapName } from './config-maps';
import { mount, resources, SECURITY } from './containers';
import { addNodeFeatures, POD_SECURITY } from './deployment';
import { asGiven, emit, k8s } from './k8s';
import { valkeyPolicySpec } from './network-policies';
import { placementOf } from './scheduling';

type Spec = () => GatewaySpec;

const labelsOf = (gateway: string) => ({
  ...valkeySelector(gateway),
  'app.kubernetes.io/component': 'replay-store',
  'app.kubernetes.io/managed-by': 'cdk8s',
});

const VOLUMES = { config: 'config', users: 'users', run: 'run' } as const;

export function emitValkey(scope: Construct, spec: Spec): void {
  const { name: gateway, namespace } = spec();
  const valkey = spec().replayStore._valkey!;
  const name = valkeyName(gateway);
  const meta = (suffix = '') => ({ name: name + suffix, namespace, labels: labelsOf(gateway) });
  const workload = emit(scope, 'valkey', asGiven(k8s.KubeStatefulSet.GVK), meta(), () =>
    statefulSetSpec(spec(), valkey),
  );
  sayUnpinned(workload, valkey);
  emit(scope, 'valkey-service', k8s.KubeService, meta(), () => ({ spec: serviceSpec(gateway) }));
  emit(scope, 'valkey-network-policy', asGiven(k8s.KubeNetworkPolicy.GVK), meta('-allow'), () => ({
    spec: valkeyPolicySpec(spec()),
  }));
  emit(scope, 'valkey-disruption-budget', k8s.KubePodDisruptionBudget, meta('-pdb'), () => ({
    spec: budgetSpec(gateway, valkey),
  }));
  const { issuer, clusterIssuer = false } = valkey;
  emit(scope, 'valkey-certificate', CERTIFICATE, meta(), () => ({
    spec: certificateSpec({
      secretName: valkeyTlsSecret(gateway),
      dnsNames: serviceHosts({ name, namespace }),
      issuer,
      clusterIssuer,
    }),
  }));
}

function sayUnpinned(
  workload: ApiObject,
  { image: { reference, unpinnedReason } }: ValkeyStoreOptions,
): void {
  if (unpinnedReason === undefined) return;
  workload.metadata.addAnnotation('cdk8s-agentgateway/unpinned-image', `${reference}: ${unpinnedReason}`);
}

/**
 * A StatefulSet though nothing is kept: it makes the next pod only when the one before is gone, so that there are
 * never two that take the same proof once each (decision 38).
 */
function statefulSetSpec(spec: GatewaySpec, valkey: ValkeyStoreOptions): object {
  const matchLabels = valkeySelector(spec.name);
  const { spec: rendered } = k8s.KubeStatefulSet.manifest({
    spec: {
      replicas: 1,
      revisionHistoryLimit: 5,
      serviceName: valkeyName(spec.name),
      selector: { matchLabels },
      template: { metadata: { labels: labelsOf(spec.name) }, spec: podSpec(spec, valkey) },
    },
  }) as { spec: { template: { spec: { securityContext: Record<string, unknown> } } } };
  addNodeFeatures(rendered.template.spec, spec);
  return { spec: rendered };
}

const podSpec = (spec: GatewaySpec, valkey: ValkeyStoreOptions): k8s.PodSpec => ({
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  terminationGracePeriodSeconds: 10,
  securityContext: POD_SECURITY,
  ...placementOf(spec),
  initContainers: [usersContainer(spec)],
  containers: [valkeyContainer(spec, valkey)],
  volumes: [configVolume(spec), usersVolume(spec), runVolume],
});

/**
 * Valkey wants a hash where the Secret has the password: this one is in the gateway's image, as a Valkey image may have
 * neither shell nor tools. The password itself Valkey never sees.
 */
const usersContainer = (spec: GatewaySpec): k8s.Container => ({
  name: 'write-users',
  image: spec.image.reference,
  imagePullPolicy: 'IfNotPresent',
  command: ['node', `${VALKEY_DIR.users}/write-users.mjs`],
  securityContext: SECURITY,
  resources: resourcesOf(spec),
  volumeMounts: [mount(VOLUMES.users, VALKEY_DIR.users), mount(VOLUMES.run, VALKEY_DIR.run, false)],
});

const valkeyContainer = (spec: GatewaySpec, { image }: ValkeyStoreOptions): k8s.Container => ({
  name: 'valkey',
  image: image.reference,
  imagePullPolicy: 'IfNotPresent',
  command: ['valkey-server', `${VALKEY_DIR.config}/valkey.conf`],
  ports: [{ name: 'valkey', containerPort: PORT.redis, protocol: 'TCP' }],
  securityContext: SECURITY,
  resources: resourcesOf(spec),
  startupProbe: { exec: { command: PING }, periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 5 },
  readinessProbe: { exec: { command: PING }, periodSeconds: 10, failureThreshold: 2, timeoutSeconds: 5 },
  livenessProbe: { exec: { command: PING }, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 },
  volumeMounts: [mount(VOLUMES.config, VALKEY_DIR.config), mount(VOLUMES.run, VALKEY_DIR.run)],
});

/**
 * Whoever answers that he does not know us is alive. It fails once the certificate is over, too: Valkey reads a renewed
 * one at its start.
 */
const PING = [
  'valkey-cli',
  '--tls',
  '--cacert',
  `${VALKEY_DIR.config}/tls/ca.crt`,
  '-p',
  String(PORT.redis),
  'ping',
];

const resourcesOf = (spec: GatewaySpec) =>
  resources(spec, valkeyMillicores(spec), mebibytes(valkeyMebibytes(spec)));

const itemsOf = (keys: readonly string[], directory = '') =>
  keys.map((key) => ({ key, path: directory + key }));

const configVolume = (spec: GatewaySpec): k8s.Volume => ({
  name: VOLUMES.config,
  projected: {
    defaultMode: OWNER_ONLY,
    sources: [
      { configMap: { name: configMapName(spec, 'valkey'), items: itemsOf(VALKEY_FILES.server) } },
      { secret: { name: valkeyTlsSecret(spec.name), items: itemsOf(VALKEY_TLS_FILES, 'tls/') } },
    ],
  },
});

function usersVolume(spec: GatewaySpec): k8s.Volume {
  const { secretName, source } = secretUses(spec).find(({ purpose }) => purpose === REDIS_PASSWORD)!;
  return {
    name: VOLUMES.users,
    projected: {
      defaultMode: OWNER_ONLY,
      sources: [
        { configMap: { name: configMapName(spec, 'valkey'), items: itemsOf(VALKEY_FILES.users) } },
        { secret: { name: secretName, items: [{ key: source._key, path: 'password' }] } },
      ],
    },
  };
}

const runVolume: k8s.Volume = {
  name: VOLUMES.run,
  emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('1Mi') },
};

/** Without an address of its own; and to the first pod alone, whoever scales the StatefulSet. */
const serviceSpec = (gateway: string): k8s.ServiceSpec => ({
  clusterIp: 'None',
  selector: {
    ...valkeySelector(gateway),
    'statefulset.kubernetes.io/pod-name': `${valkeyName(gateway)}-0`,
  },
  ports: [
    {
      name: 'valkey',
      port: PORT.redis,
      targetPort: k8s.IntOrString.fromString('valkey'),
      protocol: 'TCP',
      appProtocol: 'tls',
    },
  ],
});

const budgetSpec = (gateway: string, { evictable = true }: ValkeyStoreOptions) => ({
  maxUnavailable: k8s.IntOrString.fromNumber(evictable ? 1 : 0),
  unhealthyPodEvictionPolicy: 'AlwaysAllow',
  selector: { matchLabels: valkeySelector(gateway) },
});
