/** What `cdk8s synth --format helm` gets of the constructs; that Helm takes it, test/e2e/cluster/helm.test.ts shows. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiObject, App, Chart, JsonPatch, Yaml, YamlOutputType } from 'cdk8s';
import {
  Autoscaling,
  GatewayMonitoring,
  HardenedNamespace,
  Image,
  McpRoute,
  Peer,
  ReplayStore,
  SecretSource,
} from '../../lib';
import { templated } from '../../lib/manifests/helm-chart';
import { backendPeer, Manifest, newGateway, only } from '../support/synth';

/** What Helm makes of a template whose only actions print raw strings; any other is an error to it. */
const rendered = (template: string) =>
  template.replace(/\{\{(?:`([^`]*)`\}\})?/g, (action, text: string | undefined) => {
    if (text === undefined) throw new Error(`function not defined: ${action}`);
    return text;
  });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'agw-chart-'));
  // As `cdk8s synth --format helm` has it when it runs the app.
  writeFileSync(join(dir, 'Chart.yaml'), 'apiVersion: v2\n');
  mkdirSync(join(dir, 'templates'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const peer = Peer.pods({ app: 'redis' });
const REDIS = ReplayStore.redis({ host: 'redis', peer });
const VALKEY = ReplayStore.valkey({
  image: Image.fromDigest(`docker.io/valkey/valkey@sha256:${'0'.repeat(64)}`),
  password: SecretSource.existing('replay-store', 'password'),
  issuer: 'internal',
  requestsPerSecond: 100,
});

const synthesize = (
  outdir: string,
  replayStore: ReplayStore,
  patch: (deployment: ApiObject) => void = () => {},
  autoscaling?: Autoscaling,
): Manifest[] => {
  const app = new App({ outdir, yamlOutputType: YamlOutputType.FILE_PER_APP });
  const chart = new Chart(app, 'test', { namespace: 'aiops' });
  new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
  const gateway = newGateway(chart, { replayStore, metricsPeer: peer, autoscaling });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
  new GatewayMonitoring(chart, 'Monitoring', { gateway });
  patch(gateway.node.children.filter(ApiObject.isApiObject).find(({ kind }) => kind === 'Deployment')!);
  app.synth();
  return Yaml.load(join(outdir, 'app.k8s.yaml')) as Manifest[];
};
const chart = (replayStore = REDIS) => synthesize(join(dir, 'templates'), replayStore);
const file = (name: string) => readFileSync(join(dir, name), 'utf8');

describe('a text in a template', () => {
  it.each([
    '{{',
    '{{{',
    '{{{{',
    '{{}}',
    '{}}',
    '{{ .Values.x }}',
    '{{`{{`}}',
    '{{- a -}} {{{ b }}}',
    'plain',
    '',
  ])('is what Helm renders to %j', (text) => {
    expect(rendered(templated(text))).toBe(text);
    expect(templated({ a: [text, { b: text }], c: 1, d: null })).toEqual({
      a: [templated(text), { b: templated(text) }],
      c: 1,
      d: null,
    });
  });
});

describe('an app as a chart', () => {
  it('says the same as its manifests, but for what can be set, and for the default ServiceAccount', () => {
    const plain = synthesize(join(dir, 'plain'), REDIS).filter(
      ({ kind, metadata }) => !(kind === 'ServiceAccount' && metadata.name === 'default'),
    );
    const templates = chart();
    expect(() => rendered(JSON.stringify(plain))).toThrow('function not defined');
    const others = (objects: Manifest[]) => objects.filter(({ kind }) => kind !== 'Deployment');
    expect(JSON.parse(rendered(JSON.stringify(others(templates))))).toEqual(others(plain));
    expect(templates).toHaveLength(plain.length);
  });
  it('deploys a Valkey as its manifests do, whose image and memory are those of the app', () => {
    const beside = (objects: Manifest[]) =>
      objects.filter(({ metadata }) => metadata.name.startsWith('agentgateway-valkey'));
    const plain = beside(synthesize(join(dir, 'plain'), VALKEY));
    expect(plain.map(({ kind }) => kind).sort()).toEqual([
      'Certificate',
      'ConfigMap',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'StatefulSet',
    ]);
    expect(JSON.parse(rendered(JSON.stringify(beside(chart(VALKEY)))))).toEqual(plain);
    expect(file('values.yaml')).not.toContain('valkey');
  });
  it('has values for replicas, images and resources, and a schema that says what they may be', () => {
    chart();
    const { spec } = only(synthesize(join(dir, 'plain'), REDIS), 'Deployment');
    const { containers, initContainers } = spec.template.spec;
    const [[proxy], [dataPlane]] = [containers, initContainers] as Manifest[][];
    const resources = { cpu: '100m', ephemeralStorageMebibytes: 512 };
    expect(Yaml.load(join(dir, 'values.yaml'))).toEqual([
      {
        aiops: {
          agentgateway: {
            replicas: 2,
            image: proxy.image,
            resources: { ...resources, memoryMebibytes: 256 },
            dataPlane: { image: dataPlane.image, resources: { ...resources, memoryMebibytes: 264 } },
          },
        },
      },
    ]);
    const { properties } = JSON.parse(file('values.schema.json'));
    const settings = properties.aiops.properties.agentgateway;
    expect(settings.additionalProperties).toBe(false);
    expect(settings.properties.replicas).toEqual({ type: 'integer', minimum: 1, maximum: 1000 });
    expect(settings.properties.image.pattern).toContain('sha256');
    expect(settings.properties.resources.properties.memoryMebibytes).toEqual({
      type: 'integer',
      minimum: 256,
    });
  });
  it('has no replicas to set where a second pod would take each proof once more', () => {
    const { spec } = only(chart(ReplayStore.memory()), 'Deployment');
    expect(spec.replicas).toBe(1);
    expect(file('values.yaml')).not.toContain('replicas');
  });
  it('takes no image or CPU that would end the quotes that it is printed in, or is less than nothing', () => {
    chart();
    const { properties } = JSON.parse(file('values.schema.json'));
    const { image, resources } = properties.aiops.properties.agentgateway.properties;
    const digest = `@sha256:${'0'.repeat(64)}`;
    expect(`registry.example/proxy:1${digest}`).toMatch(new RegExp(image.pattern));
    for (const name of ['a"b', 'a\\b', 'a\nb', 'a b'])
      expect(name + digest).not.toMatch(new RegExp(image.pattern));
    expect(resources.properties.cpu.minimum).toBe(0);
    expect('100m"').not.toMatch(new RegExp(resources.properties.cpu.pattern));
  });
  it('leaves out what a patch takes out: an autoscaler sets the replicas, and nobody a request', () => {
    synthesize(join(dir, 'templates'), REDIS, (deployment) => {
      deployment.addJsonPatch(JsonPatch.remove('/spec/replicas'));
      deployment.addJsonPatch(JsonPatch.remove('/spec/template/spec/containers/0/resources'));
    });
    const [values] = Yaml.load(join(dir, 'values.yaml'));
    expect(Object.keys(values.aiops.agentgateway)).toEqual(['image', 'dataPlane']);
    expect(file('templates/app.k8s.yaml')).not.toContain('replicas`');
  });
  it('has no replicas to set where an autoscaler sets them', () => {
    const objects = synthesize(join(dir, 'templates'), REDIS, () => {}, { max: 4 });
    expect(only(objects, 'HorizontalPodAutoscaler').spec.maxReplicas).toBe(4);
    expect(only(objects, 'Deployment').spec).not.toHaveProperty('replicas');
    expect(file('values.yaml')).not.toContain('replicas');
    expect(file('values.schema.json')).not.toContain('replicas');
  });
  it('says in its notes what it leaves to the user', () => {
    chart();
    expect(file('templates/NOTES.txt')).toContain(
      `kubectl patch serviceaccount default --namespace aiops --patch '{"automountServiceAccountToken":false}'`,
    );
  });
  it('is refused with two gateways, whose release Helm could not keep', () => {
    const app = new App({ outdir: join(dir, 'templates') });
    const both = new Chart(app, 'test', { namespace: 'aiops' });
    for (const name of ['one', 'two']) {
      const gateway = newGateway(both, { name }, name);
      new McpRoute(both, `Mcp-${name}`, { gateway, backend: 'mcp:5000', backendPeer });
    }
    expect(() => app.synth()).toThrow('app: must have one gateway to be a Helm chart');
  });
  it('is none where no chart is made', () => {
    rmSync(join(dir, 'Chart.yaml'));
    expect(only(chart(), 'ServiceAccount', 'default').automountServiceAccountToken).toBe(false);
    expect(
      ['values.yaml', 'values.schema.json', 'templates/NOTES.txt'].filter((f) => existsSync(join(dir, f))),
    ).toEqual([]);
  });
});
