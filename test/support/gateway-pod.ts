/**
 * What the constructs give a gateway of one thread and of two: how its process is started, the memory of its
 * pod, and its config. Printed as one JSON object, for `npm run siege`.
 */
import { App, Chart } from 'cdk8s';
import { AgentGateway, DataPlane, JwksSource, McpRoute, Peer } from '../../lib';

interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: any;
}

function pod(jwksFile: string, workers: number) {
  const chart = new Chart(new App(), 'siege', { namespace: 'siege' });
  const gateway = new AgentGateway(chart, 'Gateway', {
    issuer: 'https://as.example',
    audience: 'https://gw.example/mcp',
    publicOrigins: ['https://gw.example'],
    jwks: JwksSource.fromFile(jwksFile),
    dataPlane: DataPlane.direct(),
    workers,
  });
  gateway.allowFrom(Peer.pods({ app: 'agent' }));
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer: Peer.pods({ app: 'mcp' }) });

  const objects: Manifest[] = chart.toJson();
  const deployment = objects.find(({ kind }) => kind === 'Deployment')!;
  const [container] = deployment.spec.template.spec.containers;
  const command: string[] = container.command;
  const config = objects.find(
    ({ kind, data }) => kind === 'ConfigMap' && data?.['config.json'] !== undefined,
  )!;
  return {
    nodeFlags: command.slice(
      1,
      command.findIndex((word) => word.endsWith('/proxy.mjs')),
    ),
    mebibytes: Number(/^(\d+)Mi$/.exec(container.resources.limits.memory)![1]),
    env: container.env ?? [],
    config: JSON.parse(config.data!['config.json']),
  };
}

const [jwksFile = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify({ 1: pod(jwksFile, 1), 2: pod(jwksFile, 2) }));
