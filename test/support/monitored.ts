import { Chart } from 'cdk8s';
import {
  AgentGateway,
  AgentGatewayProps,
  Image,
  JwksSource,
  McpRoute,
  Peer,
  ReplayStore,
  SecretSource,
  StoreFailure,
} from '../../lib';

const peer = Peer.pods({ app: 'a' });

/** A gateway whose settings can raise every alert. */
export function monitoredGateway(chart: Chart, props: Partial<AgentGatewayProps> = {}): AgentGateway {
  const gateway = new AgentGateway(chart, 'Gateway', {
    issuer: 'https://as.example',
    audience: 'gateway',
    jwks: JwksSource.fromUrl('https://as.example/jwks', { peer }),
    replayStore: ReplayStore.valkey({
      // Nothing runs here: any digest will do.
      image: Image.fromDigest(`docker.io/valkey/valkey@sha256:${'0'.repeat(64)}`),
      password: SecretSource.existing('replay-store', 'password'),
      issuer: 'internal',
      requestsPerSecond: 100,
      onFailure: StoreFailure.LOCAL,
    }),
    tracing: { url: 'http://collector:4318/v1/traces', peer },
    metricsPeer: peer,
    tlsSecretName: 'edge-tls',
    ...props,
  });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer: peer });
  return gateway;
}
