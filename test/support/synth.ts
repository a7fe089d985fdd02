import { join } from 'node:path';
import { App, Chart, Testing } from 'cdk8s';
import {
  AgentGateway,
  AgentGatewayProps,
  ApiServerAccess,
  JwksSource,
  McpRoute,
  McpRouteProps,
  Peer,
  SecretsRoute,
} from '../../lib';

export type Manifest = Record<string, any>;

export const root = join(__dirname, '..', '..');
export const jwks = () => JwksSource.fromFile(join(root, 'apps', 'jwks.json'));
export const backendPeer = Peer.pods({ app: 'mcp' });
export const apiServer = ApiServerAccess.of({ serviceIp: '10.96.0.1', endpoints: ['172.18.0.2'] });

export const newChart = (): Chart => new Chart(Testing.app(), 'test', { namespace: 'aiops' });

export function newGateway(
  chart: Chart,
  props: Partial<AgentGatewayProps> = {},
  id = 'Gateway',
): AgentGateway {
  return new AgentGateway(chart, id, {
    issuer: 'https://idp.example',
    audience: 'mcp-gateway',
    jwks: jwks(),
    ...props,
  });
}

export interface GatewayOptions {
  readonly gateway?: Partial<AgentGatewayProps>;
  readonly mcp?: Partial<McpRouteProps>;
  readonly secrets?: string[];
  readonly secretKeys?: { [name: string]: string[] };
}

/** A gateway with an MCP route, and a secrets route where names are given. */
export function gatewayChart({ gateway: props, mcp, secrets, secretKeys }: GatewayOptions = {}): Chart {
  const chart = newChart();
  const gateway = newGateway(chart, { ...(secrets === undefined ? {} : { apiServer }), ...props });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer, ...mcp });
  if (secrets !== undefined) {
    new SecretsRoute(chart, 'Secrets', {
      insecurePlainHttp: true,
      gateway,
      secretNames: secrets,
      secretKeys,
    });
  }
  return chart;
}

export const synth = (chart: Chart): Manifest[] => Testing.synth(chart) as Manifest[];
export const manifests = (options?: GatewayOptions): Manifest[] => synth(gatewayChart(options));

export const all = (objects: Manifest[], kind: string): Manifest[] => objects.filter((o) => o.kind === kind);
export function only(objects: Manifest[], kind: string, name?: string): Manifest {
  const found = all(objects, kind).filter((o) => name === undefined || o.metadata.name === name);
  if (found.length !== 1) {
    throw new Error(
      `want one ${kind}, got ${found.length} of ${objects.map((o) => `${o.kind}/${o.metadata.name}`).join(', ')}`,
    );
  }
  return found[0];
}

export const pod = (objects: Manifest[]): Manifest => only(objects, 'Deployment').spec.template.spec;
/** All that run in it: a sidecar is an init container to Kubernetes. */
export const containers = (objects: Manifest[]): Manifest[] => [
  ...pod(objects).containers,
  ...(pod(objects).initContainers ?? []),
];
export const container = (objects: Manifest[], name = 'dpop-proxy'): Manifest =>
  containers(objects).find((c) => c.name === name)!;

/** The ConfigMap that has this key. */
export function dataOf(objects: Manifest[], key: string): string {
  const found = all(objects, 'ConfigMap').filter((o) => key in o.data);
  if (found.length !== 1) throw new Error(`want one ConfigMap with ${key}, got ${found.length}`);
  return found[0].data[key];
}

/** What synth says, a line a problem; empty when it says nothing. */
export function problems(build: (app: App) => Chart | void): string[] {
  const app = Testing.app();
  try {
    const built = build(app);
    (built === undefined ? app : App.of(built)).synth();
    return [];
  } catch (cause) {
    return (cause as Error).message
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('Validation failed'));
  }
}
