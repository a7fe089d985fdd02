import { join } from 'node:path';
import { App, Chart, Duration } from 'cdk8s';
import {
  AgentGateway,
  ApiServerAccess,
  AuthProfile,
  DataPlane,
  HardenedNamespace,
  JwksSource,
  McpRoute,
  Peer,
  RateLimit,
  SecretsRoute,
} from '../lib';

/**
 * What `npm run demo` runs: both profiles, an MCP server and the Kubernetes API under each, without
 * agentgateway, on one replica.
 */
export function demo(app: App): Chart {
  const chart = new Chart(app, 'demo', { namespace: 'agw-demo' });
  new HardenedNamespace(chart, 'Namespace', { name: 'agw-demo' });
  const gateway = new AgentGateway(chart, 'Gateway', {
    name: 'demo',
    issuer: 'https://idp.example.com',
    audience: 'mcp-gateway',
    jwks: JwksSource.fromFile(join(__dirname, 'jwks.json')),
    // Its clients have its clock. So a proof without a nonce passes a few seconds after each start, not a minute.
    auth: AuthProfile.dpop({ clockSkew: Duration.seconds(5) }),
    dataPlane: DataPlane.direct(),
    // Loud clients are welcome here: whoever tries the demo sees the answer to a proof, not to a flood.
    rateLimit: RateLimit.tokenBucket({ maxTokens: 10_000, tokensPerFill: 10_000 }),
    limits: { refusalsPerAddress: { maxTokens: 10_000, tokensPerSecond: 10_000 } },
    apiServer: ApiServerAccess.of({ serviceIp: '10.96.0.1', endpoints: ['172.18.0.2'] }),
  });
  gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));

  const selfSigned = AuthProfile.selfSigned({
    issuer: 'my-app-aiops',
    jwks: JwksSource.fromFile(join(__dirname, 'jwks.json')),
  });
  const mcp = {
    gateway,
    backend: 'mcp-server.agw-demo.svc.cluster.local:5000',
    backendPeer: Peer.pods({ app: 'mcp-server' }),
  };
  new McpRoute(chart, 'Mcp', { ...mcp });
  new McpRoute(chart, 'SelfMcp', { ...mcp, name: 'self-mcp', pathPrefix: '/self/mcp', auth: selfSigned });
  // The demo talks to itself over loopback.
  const plainHttp = { insecurePlainHttp: true };
  new SecretsRoute(chart, 'Secrets', { gateway, secretNames: ['demo-credentials'], ...plainHttp });
  new SecretsRoute(chart, 'SelfSecrets', {
    gateway,
    name: 'self-secrets',
    pathPrefix: '/self/secrets',
    secretNames: ['demo-credentials'],
    ...plainHttp,
    auth: selfSigned,
  });
  return chart;
}
