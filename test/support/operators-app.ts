/**
 * An app of its own for the cluster tests, which are ESM: a gateway whose certificate cert-manager makes or, where a
 * second argument names an OpenBao, whose backend's credential the External Secrets Operator fetches from there.
 */
import { App, Chart, Duration } from 'cdk8s';
import {
  AgentGateway,
  CaBundle,
  DataPlane,
  GatewayCertificate,
  HardenedNamespace,
  JwksSource,
  McpRoute,
  Peer,
  SecretSource,
  SecretStoreRef,
} from '../../lib';

const [jwks, server] = process.argv.slice(2) as [string, string | undefined];
const app = new App();
const chart = new Chart(app, 'operators', { namespace: 'aiops' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'gateway',
  jwks: JwksSource.fromFile(jwks),
  dataPlane: DataPlane.direct(),
  tlsSecretName: server === undefined ? 'gateway-tls' : undefined,
});
if (server === undefined) new GatewayCertificate(chart, 'Certificate', { gateway, issuer: 'internal' });

const fetched = (openBao: string) =>
  SecretSource.externalSecret({
    store: SecretStoreRef.openBao({
      server: openBao,
      path: 'secret',
      role: 'gateway',
      ca: CaBundle.fromConfigMap('bao-ca'),
    }),
    remoteKey: 'aiops/mcp',
    property: 'token',
    refreshInterval: Duration.seconds(2),
  });
new McpRoute(chart, 'Mcp', {
  gateway,
  backend: 'mcp:5000',
  backendPeer: Peer.pods({ app: 'mcp' }),
  credential: server === undefined ? undefined : fetched(server),
});
app.synth();
