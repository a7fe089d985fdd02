/** What every way of deploying needs of the objects: names, labels, annotations, sizes; and nothing twice. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiObject, App, Chart, Size, Yaml, YamlOutputType } from 'cdk8s';
import { version } from '../../package.json';
import {
  AgentGateway,
  GatewayCertificate,
  GatewayExposure,
  GatewayMonitoring,
  HardenedNamespace,
  JwksSource,
  McpRoute,
  Peer,
  ReplayStore,
} from '../../lib';
import { mebibytes, mebibytesIn, millicores, thousands } from '../../lib/support/quantity';
import {
  all,
  backendPeer,
  gatewayChart,
  Manifest,
  manifests,
  newGateway,
  only,
  pod,
  problems,
  synth,
} from '../support/synth';

/** Everything that the library emits for one gateway. */
function everything(chart: Chart): AgentGateway {
  new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
  const peer = Peer.pods({ app: 'redis' });
  const gateway = newGateway(chart, {
    metricsPeer: peer,
    tlsSecretName: 'tls',
    replayStore: ReplayStore.redis({ host: 'redis', peer }),
    autoscaling: { max: 4 },
  });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
  new GatewayMonitoring(chart, 'Monitoring', { gateway });
  new GatewayCertificate(chart, 'Certificate', { gateway, issuer: 'internal' });
  return gateway;
}

describe('the objects of an app', () => {
  it.each(Object.values(YamlOutputType).filter((type) => typeof type === 'number'))(
    'are all there in every layout of files: %s',
    (yamlOutputType) => {
      const outdir = mkdtempSync(join(tmpdir(), 'agw-files-'));
      const app = new App({ outdir, yamlOutputType });
      const chart = new Chart(app, 'test', { namespace: 'aiops' });
      everything(chart);
      const names = (objects: Manifest[]) =>
        objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
      const wanted = names(chart.toJson());
      app.synth();
      const files = readdirSync(outdir, { recursive: true, encoding: 'utf8' }).filter((f) =>
        f.endsWith('.yaml'),
      );
      const written = files.flatMap((f) => Yaml.load(join(outdir, f)) as Manifest[]);
      expect(names(written)).toEqual(wanted);
      rmSync(outdir, { recursive: true });
    },
  );
  it('say which library made them, and which version of it', () => {
    const chart = new Chart(new App(), 'test', { namespace: 'aiops' });
    everything(chart);
    for (const { kind, metadata } of synth(chart))
      expect([kind, metadata.labels]).toEqual([
        kind,
        expect.objectContaining({
          'app.kubernetes.io/managed-by': 'cdk8s',
          'app.kubernetes.io/part-of': 'cdk8s-agentgateway',
          'app.kubernetes.io/version': version,
        }),
      ]);
  });
  it('keep a version out of the pods and their selectors, which a new one would restart', () => {
    expect(JSON.stringify(only(manifests(), 'Deployment').spec)).not.toContain('app.kubernetes.io/version');
  });
  it('are kept by Argo CD until the rollout is over, and by Flux as they are, where old pods mount them', () => {
    for (const { metadata } of all(manifests(), 'ConfigMap'))
      expect(metadata.annotations).toEqual({
        'argocd.argoproj.io/sync-options': 'PruneLast=true',
        'kustomize.toolkit.fluxcd.io/prune': 'disabled',
        'kustomize.toolkit.fluxcd.io/substitute': 'disabled',
      });
  });
});

describe('an object that is emitted twice', () => {
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'agentgateway-allow' },
  };
  const twice = 'NetworkPolicy aiops/agentgateway-allow: must be emitted once';
  it.each(['before', 'after'])('is refused, the other one of which came %s', (order) => {
    const found = problems((app) => {
      const chart = new Chart(app, 'test', { namespace: 'aiops' });
      if (order === 'before') new ApiObject(chart, 'Theirs', policy);
      const gateway = newGateway(chart);
      new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
      if (order === 'after') new ApiObject(chart, 'Theirs', policy);
    });
    expect(found.filter((line) => line.includes(twice))).toHaveLength(1);
  });
  it.each<[string, (chart: Chart, gateway: AgentGateway) => unknown]>([
    ['PodMonitor', (chart, gateway) => new GatewayMonitoring(chart, 'Again', { gateway })],
    ['Certificate', (chart, gateway) => new GatewayCertificate(chart, 'Again', { gateway, issuer: 'other' })],
    ['Namespace', (chart) => new HardenedNamespace(chart, 'Again', { name: 'aiops' })],
  ])('is refused once: %s', (kind, again) => {
    const found = problems((app) => {
      const chart = new Chart(app, 'test', { namespace: 'aiops' });
      again(chart, everything(chart));
    });
    expect(found.filter((line) => line.includes('must be emitted once'))).toEqual([
      expect.stringContaining(`${kind} `),
    ]);
  });
  it('is refused of two HTTPRoutes', () => {
    const found = problems((app) => {
      const chart = new Chart(app, 'test', { namespace: 'aiops' });
      const gateway = newGateway(chart, { publicOrigins: ['https://gateway.example.com'] });
      new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
      const props = { gateway, parents: [{ name: 'public' }], peer: Peer.namespace('ingress') };
      new GatewayExposure(chart, 'Exposure', props);
      new GatewayExposure(chart, 'Again', props);
    });
    expect(
      found.filter((line) => line.includes('HTTPRoute aiops/agentgateway: must be emitted once')),
    ).toHaveLength(1);
  });
});

describe('a config beyond the room of a ConfigMap', () => {
  const tooMuch =
    /routes and jwks: must fit into a ConfigMap that kubectl can apply, 262144 bytes, got "\d+ \(config/;
  it('is refused with the figure: 20 routes with 200 tools', () => {
    const found = problems((app) => {
      const chart = new Chart(app, 'test', { namespace: 'aiops' });
      const gateway = newGateway(chart);
      const names = Array.from(
        { length: 200 },
        (_, i) => `a-tool-whose-name-is-of-the-length-that-tools-have-${i}`,
      );
      for (let i = 0; i < 20; i++) {
        const allow = [{ method: 'tools/call', names }];
        new McpRoute(chart, `Mcp${i}`, {
          gateway,
          pathPrefix: `/mcp${i}`,
          backend: 'mcp:5000',
          backendPeer,
          allow,
        });
      }
    });
    expect(found.join('\n')).toMatch(tooMuch);
  });
  it('is refused with the figure: 100 keys with their certificates', () => {
    const outdir = mkdtempSync(join(tmpdir(), 'agw-keys-'));
    const x5c = [Buffer.alloc(2_000).toString('base64')];
    const n = Buffer.alloc(256, 0xff).toString('base64url');
    const keys = Array.from({ length: 100 }, (_, i) => ({
      kty: 'RSA',
      use: 'sig',
      alg: 'RS256',
      kid: `k${i}`,
      e: 'AQAB',
      n,
      x5c,
    }));
    const text = JSON.stringify({ keys });
    const file = join(outdir, 'jwks.json');
    writeFileSync(file, text);
    const found = problems(() => gatewayChart({ gateway: { jwks: JwksSource.fromFile(file) } }));
    rmSync(outdir, { recursive: true });
    expect(found.join('\n')).toMatch(tooMuch);
  });
});

describe('a quantity', () => {
  it('stands as the API server stores it', () => {
    expect([256, 1024, 1536, 32_768, 1_048_576].map(mebibytes)).toEqual([
      '256Mi',
      '1Gi',
      '1536Mi',
      '32Gi',
      '1Ti',
    ]);
    expect([100, 1000, 1500, 16_000].map(millicores)).toEqual(['100m', '1', '1500m', '16']);
    expect([999, 1000, 1500, 20_000, 1_000_000].map(thousands)).toEqual(['999', '1k', '1500', '20k', '1M']);
    for (const count of [1, 256, 1024, 1536, 32_768]) expect(mebibytesIn(mebibytes(count))).toBe(count);
    const objects = manifests({ gateway: { memory: Size.gibibytes(1), workers: 10 } });
    expect(pod(objects).containers[0].resources.requests).toMatchObject({ cpu: '1', memory: '1Gi' });
  });
});

describe('the wait before SIGTERM', () => {
  it('is none where the next pod begins only when this one has ended, and 15 s elsewhere', () => {
    expect(pod(manifests()).containers[0].lifecycle).toBeUndefined();
    const replayStore = ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) });
    expect(pod(manifests({ gateway: { replayStore } })).containers[0].lifecycle).toEqual({
      preStop: { sleep: { seconds: 15 } },
    });
  });
});
