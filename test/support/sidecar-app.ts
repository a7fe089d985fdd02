/**
 * An app of its own for test/e2e/agentgateway-binary.test.ts, which is ESM: a gateway whose agentgateway is scraped,
 * a route with a credential and a header, one whose token the proxy brings, and one with two endpoints, of which
 * nothing listens at the second.
 */
import { App, Chart } from 'cdk8s';
import { AgentGateway, JwksSource, McpRoute, Peer, SecretSource } from '../../lib';

const [jwks, backend] = process.argv.slice(2) as [string, string];
const app = new App();
const chart = new Chart(app, 'sidecar', { namespace: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'mcp-gateway',
  jwks: JwksSource.fromFile(jwks),
  metricsPeer: Peer.pods({ app: 'prometheus' }),
});
const route = { gateway, backend, backendPeer: Peer.pods({ app: 'mcp' }) };
new McpRoute(chart, 'Mcp', {
  ...route,
  credential: SecretSource.existing('backend', 'key'),
  backendHeaders: { 'x-tenant': 'acme' },
});
new McpRoute(chart, 'Exchanged', {
  ...route,
  pathPrefix: '/exchanged',
  tokenExchange: {
    url: 'https://as.example/token',
    peer: Peer.pods({ app: 'as' }),
    clientId: 'gateway',
    clientSecret: SecretSource.existing('exchange', 'secret'),
    audience: 'mcp',
  },
});
new McpRoute(chart, 'Several', {
  ...route,
  pathPrefix: '/several',
  backendEndpoints: [`http://${backend}`, `http://127.0.0.2:${backend.split(':')[1]}`],
});
app.synth();
