import { join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { AgentGateway, HardenedNamespace, JwksSource, McpRoute, Peer } from '../lib';

/** One MCP server behind proof of possession (RFC 9449), and nothing else. */
export function quickstart(app: App): Chart {
  const chart = new Chart(app, 'quickstart', { namespace: 'mcp' });
  new HardenedNamespace(chart, 'Namespace', { name: 'mcp' });

  const gateway = new AgentGateway(chart, 'Gateway', {
    issuer: 'https://idp.example.com',
    audience: 'https://gateway.example.com/mcp',
    publicOrigins: ['https://gateway.example.com'],
    jwks: JwksSource.fromFile(join(__dirname, 'jwks.json')),
  });
  gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));

  new McpRoute(chart, 'Mcp', {
    gateway,
    backend: 'my-mcp-server.default.svc.cluster.local:5000',
    backendPeer: Peer.pods(
      { app: 'my-mcp-server' },
      { namespaceLabels: { 'kubernetes.io/metadata.name': 'default' } },
    ),
  });
  return chart;
}
