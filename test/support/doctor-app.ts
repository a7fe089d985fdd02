/**
 * An app of its own for test/e2e/cluster/doctor.test.ts, which is ESM: a gateway that reads Secrets, with what
 * operators bring, for a cluster whose API server is at this address.
 */
import { App, Chart } from 'cdk8s';
import {
  AgentGateway,
  ApiServerAccess,
  GatewayCertificate,
  GatewayMonitoring,
  HardenedNamespace,
  JwksSource,
  Peer,
  ReplayStore,
  SecretsRoute,
} from '../../lib';

const [jwks, serviceIp, endpoint, port] = process.argv.slice(2) as [string, string, string, string];
const app = new App();
const chart = new Chart(app, 'doctor', { namespace: 'aiops' });
const peer = Peer.pods({ app: 'a' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'gateway',
  jwks: JwksSource.fromFile(jwks),
  tlsSecretName: 'edge-tls',
  appArmor: true,
  replayStore: ReplayStore.redis({ host: 'redis', peer }),
  metricsPeer: peer,
  apiServer: ApiServerAccess.of({ serviceIp, endpoints: [endpoint], endpointPort: Number(port) }),
});
new SecretsRoute(chart, 'Secrets', { gateway, secretNames: ['database-credentials'] });
new GatewayCertificate(chart, 'Certificate', { gateway, issuer: 'internal' });
new GatewayMonitoring(chart, 'Monitoring', { gateway });
app.synth();
