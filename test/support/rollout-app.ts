/**
 * An app of its own for test/e2e/cluster/controllers.test.ts, which is ESM: a gateway with a shared replay
 * store and one without, whose configs carry the last argument.
 */
import { App, Chart } from 'cdk8s';
import {
  Admission,
  AgentGateway,
  AgentGatewayProps,
  HardenedNamespace,
  JwksSource,
  McpRoute,
  Peer,
  ReplayStore,
} from '../../lib';

const [jwks, audience] = process.argv.slice(2) as [string, string];
const app = new App();
const chart = new Chart(app, 'rollout', { namespace: 'aiops' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
const backendPeer = Peer.pods({ app: 'mcp' });
const gateway = (name: string, props: Partial<AgentGatewayProps>) =>
  new McpRoute(chart, `${name}-mcp`, {
    gateway: new AgentGateway(chart, name, {
      name,
      issuer: 'https://as.example',
      audience,
      jwks: JwksSource.fromFile(jwks),
      ...props,
    }),
    backend: 'mcp:5000',
    backendPeer,
  });
gateway('shared', {
  replayStore: ReplayStore.redis({ host: 'redis.aiops.svc', peer: Peer.pods({ app: 'redis' }) }),
});
gateway('single', {});
new HardenedNamespace(new Chart(app, 'plain'), 'Namespace', {
  name: 'plain',
  admission: Admission.none(),
  maxPods: 3,
});
app.synth();
