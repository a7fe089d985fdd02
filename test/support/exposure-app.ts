/**
 * An app of its own for test/e2e/exposure.test.ts, which is ESM: a gateway with three routes, of which clients
 * outside reach two, and one with a certificate of its own.
 */
import { App, Chart } from 'cdk8s';
import {
  AgentGateway,
  ApiServerAccess,
  AuthProfile,
  DataPlane,
  GatewayCertificate,
  GatewayExposure,
  JwksSource,
  McpRoute,
  Peer,
  SecretsRoute,
} from '../../lib';

const [jwks] = process.argv.slice(2) as [string];
const app = new App();
const chart = new Chart(app, 'exposed', { namespace: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'gateway',
  jwks: JwksSource.fromFile(jwks),
  publicOrigins: ['https://gateway.example.com', 'http://agentgateway.aiops.svc:8080'],
  publicPathPrefix: '/ai',
  dataPlane: DataPlane.direct(),
  apiServer: ApiServerAccess.of({ serviceIp: '10.96.0.1', endpoints: ['172.18.0.2'] }),
});
const backend = { gateway, backend: 'mcp:5000', backendPeer: Peer.pods({ app: 'mcp' }) };
new McpRoute(chart, 'Mcp', backend);
new McpRoute(chart, 'Tools', { ...backend, pathPrefix: '/tools', auth: AuthProfile.selfSigned() });
new SecretsRoute(chart, 'Secrets', {
  insecurePlainHttp: true,
  gateway,
  secretNames: ['database-credentials'],
});
new GatewayExposure(chart, 'Exposure', {
  gateway,
  parents: [{ name: 'public', namespace: 'ingress', sectionName: 'https' }],
  peer: Peer.namespace('ingress'),
});
const inside = new AgentGateway(chart, 'Inside', {
  name: 'inside',
  issuer: 'https://as.example',
  audience: 'inside',
  jwks: JwksSource.fromFile(jwks),
  tlsSecretName: 'inside-tls',
});
new McpRoute(chart, 'InsideMcp', { ...backend, gateway: inside });
new GatewayCertificate(chart, 'Certificate', { gateway: inside, issuer: 'internal', clusterIssuer: true });
app.synth();
