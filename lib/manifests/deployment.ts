/** The workload of a gateway: one pod, the proxy and where it is used agentgateway, that survives its own rollout. */
import { dataPlaneFiles, MountedFile, proxyFiles } from '../config/mounted-files';
import { effectiveConfig } from '../config/proxy-config';
import { GatewaySpec, secretsRoutes, usesAgentgateway } from '../spec/gateway-spec';
import { POD_ANNOTATIONS } from '../spec/own-metadata';
import { OWN_VOLUMES, OWNER_ONLY, UID } from '../support/ports-and-paths';
import { codeKinds, configMapName, ContentKind } from './config-maps';
import { agentgatewayContainer, proxyContainer } from './containers';
import { extraVolumes } from './extras';
import { k8s } from './k8s';
import { schedulingOf } from './scheduling';

/** Room to stop after the drain, before kubelet kills. */
const MARGIN_SECONDS = 10;

export function deploymentSpec(spec: GatewaySpec): object {
  const matchLabels = spec.selectorLabels;
  const { spec: rendered } = k8s.KubeDeployment.manifest({
    spec: {
      // What an autoscaler sets, each apply would take back.
      ...(spec.autoscaling === undefined ? { replicas: spec.replicas } : {}),
      revisionHistoryLimit: 5,
      progressDeadlineSeconds: 300,
      minReadySeconds: 10,
      strategy: strategy(spec),
      selector: { matchLabels },
      template: {
        metadata: {
          labels: { ...spec.podMetadata.labels, ...spec.labels },
          annotations: { ...spec.podMetadata.annotations, ...POD_ANNOTATIONS },
        },
        spec: podSpec(spec),
      },
    },
  }) as { spec: { template: { spec: Pod } } };
  addNewerFields(rendered.template.spec, spec);
  return { spec: rendered };
}

/**
 * Never less than what serves now; but a memory store is one process's: beside the old pod, a new one would
 * take the proofs that the old one has seen.
 */
function strategy({ replayStore }: GatewaySpec): k8s.DeploymentStrategy {
  if (replayStore._redis === undefined) return { type: 'Recreate' };
  return {
    type: 'RollingUpdate',
    rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(0), maxSurge: k8s.IntOrString.fromNumber(1) },
  };
}

export const POD_SECURITY: k8s.PodSecurityContext = {
  runAsNonRoot: true,
  runAsUser: UID,
  runAsGroup: UID,
  fsGroup: UID,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};

interface SecuredPod {
  hostUsers?: boolean;
  securityContext: Record<string, unknown>;
}

interface Pod extends SecuredPod {
  containers: Record<string, unknown>[];
}

function podSpec(spec: GatewaySpec): k8s.PodSpec {
  return {
    serviceAccountName: spec.serviceAccountName,
    automountServiceAccountToken: false,
    // A Service named "redis" would else put REDIS_PORT=tcp://... into the environment.
    enableServiceLinks: false,
    terminationGracePeriodSeconds:
      spec.preStop.toSeconds() + Math.ceil(effectiveConfig(spec).drainSeconds) + MARGIN_SECONDS,
    securityContext: POD_SECURITY,
    ...schedulingOf(spec),
    ...(usesAgentgateway(spec) ? { initContainers: [agentgatewayContainer(spec)] } : {}),
    containers: [proxyContainer(spec)],
    volumes: volumes(spec),
  };
}

function volumes(spec: GatewaySpec): k8s.Volume[] {
  return [
    {
      name: OWN_VOLUMES.code,
      projected: {
        defaultMode: OWNER_ONLY,
        sources: codeKinds(spec).map((kind) => ({ configMap: { name: configMapName(spec, kind) } })),
      },
    },
    filesVolume(spec, OWN_VOLUMES.config, 'config', proxyFiles(spec)),
    scratch(OWN_VOLUMES.scratch),
    ...(usesAgentgateway(spec)
      ? [
          filesVolume(spec, OWN_VOLUMES.dataPlane, 'dataPlane', dataPlaneFiles(spec)),
          scratch(OWN_VOLUMES.dataPlaneScratch),
        ]
      : []),
    ...(secretsRoutes(spec).length > 0 ? [apiToken()] : []),
    ...extraVolumes(spec),
  ];
}

/**
 * One volume, so that a rotated file and the config that names it change together; never a subPath, which would
 * not change at all.
 */
function filesVolume(spec: GatewaySpec, name: string, kind: ContentKind, files: MountedFile[]): k8s.Volume {
  const objects = new Map<
    string,
    { from: 'configMap' | 'secret'; name: string; items: { key: string; path: string }[] }
  >();
  for (const { from, object, key, path } of files) {
    const id = `${from}/${object}`;
    objects.set(id, { from, name: object, items: [...(objects.get(id)?.items ?? []), { key, path }] });
  }
  const sources = [...objects.values()].map(({ from, name: object, items }) => ({
    [from]: { name: object, items },
  }));
  return {
    name,
    projected: {
      defaultMode: OWNER_ONLY,
      sources: [{ configMap: { name: configMapName(spec, kind) } }, ...sources],
    },
  };
}

/** Writable and bounded: it counts as the container's memory and cannot fill the node's disk. */
const scratch = (name: string): k8s.Volume => ({
  name,
  emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('16Mi') },
});

/**
 * No audience: the API server accepts its own default everywhere, and a fixed one only where somebody chose the
 * same.
 */
const apiToken = (): k8s.Volume => ({
  name: OWN_VOLUMES.apiToken,
  projected: {
    defaultMode: OWNER_ONLY,
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    ],
  },
});

/** Fields that Kubernetes 1.28, whose types we have, did not know. */
export function addNodeFeatures(pod: SecuredPod, { nodeFeatures }: GatewaySpec): void {
  const { appArmor, userNamespace, strictSupplementalGroups } = nodeFeatures;
  if (appArmor) pod.securityContext.appArmorProfile = { type: 'RuntimeDefault' };
  if (strictSupplementalGroups) pod.securityContext.supplementalGroupsPolicy = 'Strict';
  if (userNamespace) pod.hostUsers = false;
}

function addNewerFields(pod: Pod, spec: GatewaySpec): void {
  addNodeFeatures(pod, spec);
  // Endpoints lag behind SIGTERM: the pod goes on serving while the load balancers forget it. Needs no shell in
  // the image.
  const seconds = spec.preStop.toSeconds();
  if (seconds > 0) {
    pod.containers = pod.containers.map((container) => ({
      ...container,
      lifecycle: { preStop: { sleep: { seconds } } },
    }));
  }
}
