/**
 * An app of its own for test/e2e/agentgateway.test.ts, which is ESM: writes the manifests of a gateway with
 * agentgateway, a route under each profile, and one whose backend has two endpoints.
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
new McpRoute(chart, 'Several', {
  ...mcp,
  pathPrefix: '/several/mcp',
  backendEndpoints: ['http://mcp-0:5000', 'http://mcp-1:5000'],
});
app.synth();
