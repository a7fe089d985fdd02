/**
 * What pods use, for the autoscaler of a test: metrics.k8s.io as metrics-server has it, and custom.metrics.k8s.io as an
 * adapter of Prometheus has it. The API server asks it as it asks those, by an APIService.
 */
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { makeCertificate } from '../../../proxy/test/support/http2.js';
import type { ApiServer, Json } from './api-server.js';

export const RESOURCE_METRICS = 'metrics.k8s.io/v1beta1';
export const CUSTOM_METRICS = 'custom.metrics.k8s.io/v1beta1';
const SERVICE = { name: 'metrics', namespace: 'kube-system' };

/** Of each pod. */
export interface Usage {
  readonly container: string;
  /** Quantity, as `500m`. */
  readonly cpu: string;
  /** By name, as `agentgateway_open_streams`. */
  readonly counts: Readonly<Record<string, string>>;
}

export interface MetricsServer {
  usage: Usage;
  /** Has the API server ask it for the objects of one API. */
  register(groupVersion: string): Promise<void>;
  stop(): void;
}

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly namespace: string } }[];
}

export async function startMetricsServer(api: ApiServer, dir: string, usage: Usage): Promise<MetricsServer> {
  const { certFile, keyFile } = makeCertificate(dir, 'metrics', 'DNS:localhost');
  const server = https.createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const pods = async (namespace: string, query: string) =>
    (JSON.parse((await api.call({ path: `/api/v1/namespaces/${namespace}/pods${query}` })).text) as PodList)
      .items;
  const answer = async (target: string): Promise<Json | undefined> => {
    const { pathname: encoded, search } = new URL(target, 'https://localhost');
    const pathname = decodeURIComponent(encoded);
    if (pathname === `/apis/${RESOURCE_METRICS}`) return resources(RESOURCE_METRICS, 'pods', 'PodMetrics');
    if (pathname === `/apis/${CUSTOM_METRICS}`)
      return resources(CUSTOM_METRICS, 'pods/agentgateway_open_streams', 'MetricValueList');
    const [, group, namespace, metric] =
      /^\/apis\/(.+)\/namespaces\/([^/]+)\/pods(?:\/\*\/([^/]+))?$/.exec(pathname) ?? [];
    if (namespace === undefined) return undefined;
    const found = await pods(namespace, search);
    return group === RESOURCE_METRICS
      ? podMetrics(found, made.usage)
      : metricValues(found, metric!, made.usage);
  };
  server.on('request', (message, response) => {
    void answer(message.url!).then((body) => {
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const made: MetricsServer = {
    usage,
    register: (groupVersion) => register(api, port, groupVersion),
    stop: () => void server.close().closeAllConnections(),
  };
  return made;
}

/** A Service of a cluster would have pods; this one is a name, which the API server follows as well. */
async function register(api: ApiServer, port: number, groupVersion: string): Promise<void> {
  const [group, version] = groupVersion.split('/') as [string, string];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: SERVICE,
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
  };
  const registration = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}` },
    spec: {
      group,
      version,
      service: { ...SERVICE, port },
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  };
  for (const object of [service, registration]) {
    const { status, text } = await api.apply(object);
    if (status >= 300) throw new Error(`${object.kind}: ${text}`);
  }
}

const resources = (groupVersion: string, name: string, kind: string): Json => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion,
  resources: [{ name, singularName: '', namespaced: true, kind, verbs: ['get', 'list'] }],
});

const now = () => new Date().toISOString();

const podMetrics = (items: PodList['items'], { container, cpu }: Usage): Json => ({
  kind: 'PodMetricsList',
  apiVersion: RESOURCE_METRICS,
  metadata: {},
  items: items.map(({ metadata: { name, namespace } }) => ({
    metadata: { name, namespace },
    timestamp: now(),
    window: '15s',
    containers: [{ name: container, usage: { cpu, memory: '100Mi' } }],
  })),
});

const metricValues = (items: PodList['items'], metricName: string, { counts }: Usage): Json => ({
  kind: 'MetricValueList',
  apiVersion: CUSTOM_METRICS,
  metadata: {},
  items: items.map(({ metadata: { name, namespace } }) => ({
    describedObject: { kind: 'Pod', apiVersion: 'v1', name, namespace },
    metricName,
    timestamp: now(),
    value: counts[metricName],
  })),
});
