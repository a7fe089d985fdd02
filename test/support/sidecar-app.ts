/**
 * An app of its own for test/e2e/agentgateway-binary.test.ts, which is ESM: a gateway whose agentgateway is scraped,
 * and a route with a credential.
 */
import { App, Chart } from 'cdk8s';
import { AgentGateway, JwksSource, McpRoute, Peer, SecretSource } from '../../lib';

const [jwks, backend] = process.argv.slice(2) as [string, string];
const app = new App();
const chart = new Chart(app, 'sidecar', { namespace: 'aiops' });
new McpRoute(chart, 'Mcp', {
  gateway: new AgentGateway(chart, 'Gateway', {
    issuer: 'https://as.example',
    audience: 'mcp-gateway',
    jwks: JwksSource.fromFile(jwks),
    metricsPeer: Peer.pods({ app: 'prometheus' }),
  }),
  backend,
  backendPeer: Peer.pods({ app: 'mcp' }),
  credential: SecretSource.existing('backend', 'key'),
});
app.synth();
