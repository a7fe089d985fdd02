import { Chart } from 'cdk8s';
import {
  AgentGateway,
  AgentGatewayProps,
  JwksSource,
  McpRoute,
  Peer,
  ReplayStore,
  StoreFailure,
} from '../../lib';

const peer = Peer.pods({ app: 'a' });

/** A gateway whose settings can raise every alert. */
export function monitoredGateway(chart: Chart, props: Partial<AgentGatewayProps> = {}): AgentGateway {
  const gateway = new AgentGateway(chart, 'Gateway', {
    issuer: 'https://as.example',
    audience: 'gateway',
    jwks: JwksSource.fromUrl('https://as.example/jwks', { peer }),
    replayStore: ReplayStore.redis({ host: 'redis', peer, onFailure: StoreFailure.LOCAL }),
    tracing: { url: 'http://collector:4318/v1/traces', peer },
    metricsPeer: peer,
    tlsSecretName: 'edge-tls',
    ...props,
  });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer: peer });
  return gateway;
}
