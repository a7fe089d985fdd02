/** docs/guides/patches.md: its app with each of its examples, compiled and run as they stand there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiObject, Yaml } from 'cdk8s';
import { Peer, ReplayStore } from '../../lib';
import { Manifest, newChart, newGateway, only, root } from '../support/synth';
import { makeUserProject, runTypeScript } from '../support/user-project';

const text = readFileSync(join(root, 'docs', 'guides', 'patches.md'), 'utf8');
const [start, ...examples] = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);

const dir = mkdtempSync(join(tmpdir(), 'agw-patches-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The objects of the app alone, and of the app with each example: one compiler for all of them. */
function synthesized(): Manifest[][] {
  makeUserProject(dir);
  const names = ['', ...examples].map((example, at) => {
    writeFileSync(join(dir, `example${at}.ts`), `${start}${example}app.synth();\n`);
    return `example${at}`;
  });
  const lines = names.map((name) => `process.env.CDK8S_OUTDIR = '${name}';\nrequire('./${name}');\n`);
  writeFileSync(join(dir, 'all.ts'), lines.join(''));
  runTypeScript(dir, 'all.ts', { CDK8S_AGENTGATEWAY_NOTES: 'off' });
  return names.map((name) =>
    readdirSync(join(dir, name)).flatMap((file) => Yaml.load(join(dir, name, file)) as Manifest[]),
  );
}

describe('docs/guides/patches.md', () => {
  let plain: Manifest[];
  let main: Manifest[];
  let other: Manifest[];
  let every: Manifest[];
  beforeAll(() => {
    [plain, main, other, every] = synthesized();
  }, 120_000);

  it('has three examples', () => expect(examples).toHaveLength(3));

  it('patches the main object of a construct, and nothing else', () => {
    const { spec } = only(main, 'Deployment');
    expect(spec.revisionHistoryLimit).toBe(10);
    expect(spec.template.spec.dnsConfig).toEqual({ options: [{ name: 'ndots', value: '1' }] });
    expect(only(main, 'HTTPRoute').metadata.annotations).toEqual({
      'external-dns.alpha.kubernetes.io/ttl': '60',
    });
    const others = (objects: Manifest[]) =>
      objects.filter(({ kind }) => !['Deployment', 'HTTPRoute'].includes(kind));
    expect(others(main)).toEqual(others(plain));
  });
  it('patches another object of it, by ids that are those of the gateway', () => {
    expect(only(other, 'Service').spec).toEqual({
      ...only(plain, 'Service').spec,
      trafficDistribution: 'PreferClose',
    });
  });
  it('names ids that the objects of a gateway have', () => {
    const [, sentence] = /By its id under the construct: (.*)\n/.exec(text)!;
    const ids = [...sentence.matchAll(/`([^`]+)`/g)].map(([, id]) => id);
    const replayStore = ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) });
    const gateway = newGateway(newChart(), { replayStore, autoscaling: { max: 4 } });
    expect(ids.length).toBeGreaterThan(4);
    expect(ids.filter((id) => !ApiObject.isApiObject(gateway.node.tryFindChild(id)))).toEqual([]);
  });
  it('patches every object of the app', () => {
    expect(every).toHaveLength(plain.length);
    for (const { kind, metadata } of every) {
      expect(metadata.labels['example.com/team']).toBe('aiops');
      expect(metadata.annotations?.['example.com/owner']).toBe(kind === 'ConfigMap' ? 'platform' : undefined);
    }
  });
});
