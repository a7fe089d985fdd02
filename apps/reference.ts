import { join } from 'node:path';
import { App, Chart, Duration } from 'cdk8s';
import {
  AgentGateway,
  ApiServerAccess,
  AuditPolicy,
  AuthProfile,
  GatewayCertificate,
  GatewayMonitoring,
  HardenedNamespace,
  JwksSource,
  McpRoute,
  Peer,
  RateLimit,
  ReplayStore,
  SecretSource,
  SecretStoreRef,
  SecretsRoute,
} from '../lib';

/**
 * The whole reference architecture: MCP and secrets routes, Vault through External Secrets, Redis, agentgateway
 * behind the proxy, audit policy.
 */
export function reference(app: App): Chart {
  const chart = new Chart(app, 'reference', { namespace: 'aiops' });
  new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });

  const vault = SecretStoreRef.vault({
    server: 'https://vault.internal:8200',
    path: 'secret',
    role: 'agentgateway',
  });
  const inNamespace = (name: string) => ({ namespaceLabels: { 'kubernetes.io/metadata.name': name } });

  const gateway = new AgentGateway(chart, 'Gateway', {
    issuer: 'my-app-aiops',
    audience: 'mcp-gateway',
    jwks: JwksSource.fromFile(join(__dirname, 'jwks.json')),
    tlsSecretName: 'agentgateway-tls',
    auth: AuthProfile.selfSigned({ maxTokenAge: Duration.seconds(300) }),
    replayStore: ReplayStore.redis({
      host: 'redis.aiops.svc.cluster.local',
      peer: Peer.pods({ app: 'redis' }),
      username: 'agentgateway',
      password: SecretSource.externalSecret({ store: vault, remoteKey: 'aiops/redis', property: 'password' }),
    }),
    apiServer: ApiServerAccess.of({ serviceIp: '10.96.0.1', endpoints: ['172.18.0.2'] }),
    metricsPeer: Peer.pods({ 'app.kubernetes.io/name': 'prometheus' }, inNamespace('monitoring')),
  });
  gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));

  new McpRoute(chart, 'Mcp', {
    gateway,
    backend: 'my-mcp-server.default.svc.cluster.local:5000',
    backendPeer: Peer.pods({ app: 'my-mcp-server' }, inNamespace('default')),
    rateLimit: RateLimit.tokenBucket({
      maxTokens: 100,
      tokensPerFill: 10,
      fillInterval: Duration.seconds(1),
    }),
    credential: SecretSource.externalSecret({
      store: vault,
      remoteKey: 'aiops/agentgateway',
      property: 'backend_token',
    }),
  });
  new SecretsRoute(chart, 'Secrets', { gateway, secretNames: ['database-credentials'] });

  // cert-manager writes agentgateway-tls: the proxy ends TLS in the pod, so that no Secret leaves it in the clear.
  new GatewayCertificate(chart, 'Certificate', { gateway, issuer: 'internal' });
  new GatewayMonitoring(chart, 'Monitoring', { gateway, labels: { release: 'prometheus' }, dashboard: true });

  // A file for the API server's --audit-policy-file, not an object: it does not belong in manifests/.
  new AuditPolicy(chart, 'Audit', { gateways: [gateway] }).save('audit/policy.yaml');
  return chart;
}
