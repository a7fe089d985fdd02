import { agentgatewayMebibytes } from '../spec/agentgateway-memory';
import { GatewaySpec, heapMebibytes, secretsRoutes } from '../spec/gateway-spec';
import { DIR, OWN_VOLUMES, PORT } from '../support/ports-and-paths';
import { mebibytes, millicores } from '../support/quantity';
import { extraEnvironment, extraMounts } from './extras';
import { k8s } from './k8s';

/**
 * A young generation of 8 MiB instead of 16: measured, 5 000 event streams take 40 % less memory, and a request
 * no more CPU.
 */
const SEMI_SPACE = '--max-semi-space-size=8';
/** Node would choose a heap larger than the container's memory, and be killed where it could have collected. */
const nodeFlags = (spec: GatewaySpec) => [SEMI_SPACE, `--max-old-space-size=${heapMebibytes(spec)}`];

export const SECURITY: k8s.SecurityContext = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
};

export const mount = (name: string, mountPath: string, readOnly = true): k8s.VolumeMount => ({
  name,
  mountPath,
  ...(readOnly ? { readOnly } : {}),
});

/** The edge: the only container that a NetworkPolicy lets anybody talk to. */
export function proxyContainer(spec: GatewaySpec): k8s.Container {
  const probe = (path: string, numbers: Omit<k8s.Probe, 'httpGet'>): k8s.Probe => ({
    httpGet: { path, port: k8s.IntOrString.fromString('admin') },
    ...numbers,
  });
  const environment = extraEnvironment(spec);
  return {
    name: 'dpop-proxy',
    image: spec.image.reference,
    imagePullPolicy: 'IfNotPresent',
    command: [
      'node',
      ...nodeFlags(spec),
      `${DIR.code}/proxy.mjs`,
      'serve',
      '--config',
      `${DIR.config}/config.json`,
    ],
    ports: [
      { name: 'http', containerPort: PORT.traffic, protocol: 'TCP' },
      { name: 'admin', containerPort: PORT.admin, protocol: 'TCP' },
    ],
    ...(environment.length > 0 ? { env: environment } : {}),
    securityContext: SECURITY,
    resources: resources(spec, spec.cpuMillicores, mebibytes(spec.memory.toMebibytes())),
    // May it get traffic, must it be restarted. Only the first asks a dependency: a pod that waits for one is
    // not restarted for it.
    startupProbe: probe('/livez', { periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 2 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, failureThreshold: 2, timeoutSeconds: 2 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 }),
    volumeMounts: [
      mount(OWN_VOLUMES.code, DIR.code),
      mount(OWN_VOLUMES.config, DIR.config),
      mount(OWN_VOLUMES.scratch, '/tmp', false),
      ...(secretsRoutes(spec).length > 0 ? [mount(OWN_VOLUMES.apiToken, DIR.apiToken)] : []),
      ...extraMounts(spec),
    ],
  };
}

/**
 * A sidecar: kubelet starts the proxy once agentgateway is ready, and ends agentgateway once the proxy has ended. So
 * the proxy can finish what is open, and agentgateway need not wait for it.
 *
 * It never gets the ServiceAccount token. It has no liveness endpoint of its own. Its readiness endpoint never
 * turns back once its config is loaded and asks no dependency, so that as a liveness probe it restarts only a
 * process that no longer answers.
 */
export function agentgatewayContainer(spec: GatewaySpec): k8s.Container {
  const ready = { path: '/healthz/ready', port: k8s.IntOrString.fromString('readiness') };
  return {
    name: 'agentgateway',
    restartPolicy: 'Always',
    image: spec.dataPlane._image!.reference,
    imagePullPolicy: 'IfNotPresent',
    args: ['-f', `${DIR.dataPlane}/config.yaml`],
    ports: [
      { name: 'readiness', containerPort: PORT.dataPlaneReadiness, protocol: 'TCP' },
      ...(spec.metricsPeer === undefined
        ? []
        : [{ name: 'stats', containerPort: PORT.dataPlaneStats, protocol: 'TCP' }]),
    ],
    securityContext: SECURITY,
    resources: resources(spec, spec.dataPlane._cpuMillicores, mebibytes(agentgatewayMebibytes(spec))),
    startupProbe: { httpGet: ready, periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 2 },
    readinessProbe: { httpGet: ready, periodSeconds: 10, failureThreshold: 2, timeoutSeconds: 2 },
    livenessProbe: { httpGet: ready, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
    volumeMounts: [
      mount(OWN_VOLUMES.dataPlane, DIR.dataPlane),
      mount(OWN_VOLUMES.dataPlaneScratch, '/tmp', false),
    ],
  };
}

/** What the kubelet's own defaults for logs take: 5 files of 10 MiB. */
const LOG_REQUEST_MEBIBYTES = 64;

/**
 * Memory is the same twice, so that the node never has to evict us for what we did not ask. Disk holds the log
 * alone, which kubelet bounds; the limit is above that bound. No CPU limit: it would throttle the event loop.
 */
export function resources(
  { ephemeralStorage }: GatewaySpec,
  cpu: number,
  memory: string,
): k8s.ResourceRequirements {
  const quantity = (text: string) => k8s.Quantity.fromString(text);
  return {
    requests: {
      cpu: quantity(millicores(cpu)),
      memory: quantity(memory),
      'ephemeral-storage': quantity(mebibytes(LOG_REQUEST_MEBIBYTES)),
    },
    limits: {
      memory: quantity(memory),
      'ephemeral-storage': quantity(mebibytes(ephemeralStorage.toMebibytes())),
    },
  };
}
