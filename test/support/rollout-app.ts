/**
 * An app of its own for test/e2e/cluster, which is ESM: a gateway with a memory store and, unless that is to be alone,
 * one with a shared store, and an empty namespace. Their configs carry the second argument.
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

const [jwks, audience, alone] = process.argv.slice(2) as [string, string, 'alone' | undefined];
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
if (alone === undefined) {
  gateway('shared', {
    replayStore: ReplayStore.redis({ host: 'redis.aiops.svc', peer: Peer.pods({ app: 'redis' }) }),
  });
  new HardenedNamespace(new Chart(app, 'plain'), 'Namespace', {
    name: 'plain',
    admission: Admission.none(),
    maxPods: 3,
  });
}
gateway('single', {});
app.synth();
