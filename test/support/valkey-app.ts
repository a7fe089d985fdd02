/** An app of its own for test/e2e, which is ESM: a gateway of two replicas with a Valkey of its own. */
import { App, Chart, Duration } from 'cdk8s';
import {
  AgentGateway,
  AuthProfile,
  DataPlane,
  HardenedNamespace,
  Image,
  JwksSource,
  McpRoute,
  Peer,
  RateLimit,
  ReplayStore,
  SecretSource,
} from '../../lib';

const [jwks] = process.argv.slice(2) as [string];
const app = new App();
const chart = new Chart(app, 'valkey', { namespace: 'aiops' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'mcp-gateway',
  jwks: JwksSource.fromFile(jwks),
  publicOrigins: ['https://gateway.example'],
  auth: AuthProfile.dpop({ proofMaxAge: Duration.seconds(60), clockSkew: Duration.seconds(5) }),
  dataPlane: DataPlane.direct(),
  rateLimit: RateLimit.tokenBucket({ maxTokens: 1000, tokensPerFill: 100, shared: true }),
  replayStore: ReplayStore.valkey({
    // No pod starts here: any digest will do.
    image: Image.fromDigest(`docker.io/valkey/valkey@sha256:${'0'.repeat(64)}`),
    password: SecretSource.existing('replay-store', 'password'),
    issuer: 'internal',
    requestsPerSecond: 100,
  }),
});
gateway.allowFrom(Peer.pods({ app: 'agent' }));
new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer: Peer.pods({ app: 'mcp' }) });
app.synth();
