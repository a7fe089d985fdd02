/**
 * An app of its own for test/e2e/agentgateway.test.ts, which is ESM: writes the manifests of a gateway with
 * agentgateway, and a route under each profile.
 */
import { App, Chart } from 'cdk8s';
import { AgentGateway, AuthProfile, JwksSource, McpRoute, Peer } from '../../lib';

const [jwks, selfJwks] = process.argv.slice(2) as [string, string];
const app = new App();
const chart = new Chart(app, 'joined', { namespace: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'mcp-gateway',
  jwks: JwksSource.fromFile(jwks),
});
const mcp = { gateway, backend: 'mcp:5000', backendPeer: Peer.pods({ app: 'mcp' }) };
new McpRoute(chart, 'Mcp', { ...mcp });
new McpRoute(chart, 'SelfMcp', {
  ...mcp,
  name: 'self-mcp',
  pathPrefix: '/self/mcp',
  auth: AuthProfile.selfSigned({ issuer: 'my-app-aiops', jwks: JwksSource.fromFile(selfJwks) }),
});
app.synth();
