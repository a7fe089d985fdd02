import { JwksSource, McpRoute, Peer, ReplayStore } from '../../lib';
import { backendPeer, gatewayChart, Manifest, manifests, newChart, newGateway, only, synth } from '../support/synth';

const policy = (objects: Manifest[]) => only(objects, 'NetworkPolicy').spec;
const egress = (objects: Manifest[]) => policy(objects).egress.map((rule: Manifest) => `${JSON.stringify(Object.values(rule.to[0])[0])} ${rule.ports.map((p: Manifest) => p.port)}`);

describe('the network policy', () => {
  it('never has a rule without its peer', () => {
    const chart = gatewayChart({ secrets: ['db'], gateway: { replayStore: ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) }), metricsPeer: Peer.namespace('monitoring') } });
    const { ingress, egress: out, policyTypes } = policy(synth(chart));
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    for (const rule of ingress) expect(rule.from.length).toBeGreaterThan(0);
    for (const rule of out) expect(rule.to.length).toBeGreaterThan(0);
    for (const rule of [...ingress, ...out]) expect(rule.ports.length).toBeGreaterThan(0);
  });
  it('lets nobody in until somebody is allowed', () => {
    expect(policy(manifests()).ingress).toEqual([]);
  });
  it('lets clients to 8080, the scraper to 9090, nobody to agentgateway', () => {
    const chart = newChart();
    const gateway = newGateway(chart, { metricsPeer: Peer.pods({ app: 'prometheus' }, { namespaceLabels: { 'kubernetes.io/metadata.name': 'monitoring' } }) });
    gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));
    new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
    expect(policy(synth(chart)).ingress).toEqual([
      { from: [{ podSelector: { matchLabels: { app: 'ai-agent' } } }], ports: [{ port: 8080, protocol: 'TCP' }] },
      { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } }, podSelector: { matchLabels: { app: 'prometheus' } } }], ports: [{ port: 9090, protocol: 'TCP' }] },
    ]);
  });
  it('lets out to DNS and the backend, and to each thing that the config talks to when it does', () => {
    const usual = egress(manifests());
    expect(usual).toEqual([expect.stringMatching(/kube-system.* 53,53$/), expect.stringMatching(/"app":"mcp".* 5000$/)]);
    const more = egress(manifests({
      secrets: ['db'],
      gateway: { jwks: JwksSource.fromUrl('https://idp.example/jwks', { peer: Peer.cidr('203.0.113.7/32') }), replayStore: ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) }) },
    }));
    expect(more.slice(2)).toEqual([
      expect.stringMatching(/"app":"redis".* 6379$/), expect.stringMatching(/203\.0\.113\.7\/32.* 443$/), expect.stringMatching(/10\.96\.0\.1\/32.* 443$/), expect.stringMatching(/172\.18\.0\.2\/32.* 6443$/),
    ]);
  });
  it.each(['0.0.0.0/0', '::/0'])('cannot be opened to %s', (range) => {
    expect(() => Peer.cidr(range)).toThrow(`cidr: must not be the whole internet, got "${range}"; name the range that the backend lives in, or its pods with Peer.pods`);
  });
  it.each(['10.0.0.1', 'x/8', '10.0.0.0/33'])('refuses the range %s', (range) => {
    expect(() => Peer.cidr(range)).toThrow(/cidr: must be an IP address, "\/" and a prefix length, got/);
  });
});
