/**
 * An app of its own for test/e2e/cluster/scaling.test.ts, which is ESM: a gateway that scales, with a Valkey of its own
 * and an Ingress, in a namespace with every rule.
 */
import { App, Chart } from 'cdk8s';
import {
  AgentGateway,
  GatewayIngress,
  HardenedNamespace,
  Image,
  IngressController,
  JwksSource,
  McpRoute,
  Peer,
  ReplayStore,
  SecretSource,
} from '../../lib';

const [jwks] = process.argv.slice(2) as [string];
const app = new App();
const chart = new Chart(app, 'scaling', { namespace: 'aiops' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'gateway',
  jwks: JwksSource.fromFile(jwks),
  publicOrigins: ['https://gateway.example.com'],
  metricsPeer: Peer.namespace('monitoring'),
  autoscaling: { min: 2, max: 5, openStreams: 1000 },
  replayStore: ReplayStore.valkey({
    // Nothing runs here: any digest will do.
    image: Image.fromDigest(`docker.io/valkey/valkey@sha256:${'0'.repeat(64)}`),
    password: SecretSource.existing('replay-store', 'password'),
    issuer: 'internal',
    requestsPerSecond: 500,
  }),
});
new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer: Peer.pods({ app: 'mcp' }) });
new GatewayIngress(chart, 'Ingress', {
  gateway,
  ingressClassName: 'public',
  controller: IngressController.NGINX,
  peer: Peer.namespace('ingress'),
  tlsSecretName: 'gateway-public',
});
app.synth();
