/** Ports and paths inside a gateway pod, each written once. */
export const PORT = {
  /** Clients reach the proxy here. */
  traffic: 8080,
  /** Metrics and probes of the proxy; not on the Service. */
  admin: 9090,
  /** agentgateway's listener: wildcard by its nature, private by NetworkPolicy and the rule on source addresses. */
  dataPlane: 8081,
  /** agentgateway's metrics; it listens there only where somebody may scrape. */
  dataPlaneStats: 15020,
  /** agentgateway's readiness server. */
  dataPlaneReadiness: 15021,
  redis: 6379,
} as const;

/**
 * Loopback address from which the proxy calls agentgateway, which admits no other. What is brought into the pod's
 * loopback from outside comes from another one: 127.0.0.1 (port-forward) or 127.0.0.6 (Istio).
 */
export const PROXY_ADDRESS = '127.94.49.1';

/** As many as there are addresses for them. */
export const MAX_DATA_PLANE_ENDPOINTS = 254;
/**
 * Loopback address at which the proxy calls agentgateway for one of several endpoints of a route. agentgateway tells
 * them apart by Host.
 *
 * @param index from 0 to `MAX_DATA_PLANE_ENDPOINTS` - 1
 */
export const dataPlaneEndpoint = (index: number) => `127.94.50.${index + 1}`;

/** Field that agentgateway sets on what a backend answered; its own errors have none. The proxy keeps it. */
export const ANSWER_MARK = 'x-backend-answered';

export const DIR = {
  code: '/opt/gateway',
  config: '/etc/gateway',
  dataPlane: '/etc/agentgateway',
  apiToken: '/var/run/secrets/kubernetes.io/serviceaccount',
  /** What a user mounts. */
  extra: '/mnt',
} as const;

/** Paths in the pod of a gateway's own Valkey. */
export const VALKEY_DIR = {
  config: '/etc/valkey',
  /** What the init container makes the list of users of. */
  users: '/etc/valkey-users',
  /** In memory, written by the init container. */
  run: '/run/valkey',
} as const;

/** Names of the pod's own volumes. */
export const OWN_VOLUMES = {
  code: 'code',
  config: 'config',
  scratch: 'tmp',
  dataPlane: 'agentgateway-config',
  dataPlaneScratch: 'agentgateway-tmp',
  apiToken: 'api-token',
} as const;

/** Readable by the group that kubelet gives the volume, by nobody else. */
export const OWNER_ONLY = 0o440;

/** A name that the API server's certificate carries on every conforming cluster. */
export const API_SERVER = 'https://kubernetes.default.svc';

/** Not 65534: the kernel shows every unmapped file as owned by that id. */
export const UID = 65532;
