/**
 * docs/guides/validation.md: `cdk8s synth` with the plugin of the package that would be published, as a dependency and
 * as cdk8s installs it. `npm run compile` comes before.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { PackageRegistry, packageRegistry } from '../support/package-registry';
import { pod, podSpec } from '../support/planted-manifests';
import { root } from '../support/synth';
import { makeUserProject } from '../support/user-project';

const exec = promisify(
  jest.requireActual<typeof import('node:child_process')>('node:child_process').execFile,
);
const text = readFileSync(join(root, 'docs', 'guides', 'validation.md'), 'utf8');
const block = (language: string, of = text) =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(of)![1];
const dir = mkdtempSync(join(tmpdir(), 'agw-validation-'));

interface Report {
  readonly summary: { readonly status: string; readonly metadata: Readonly<Record<string, string>> };
  readonly violations: readonly {
    readonly ruleName: string;
    readonly violatingConstructs: readonly { readonly constructPath: string; readonly locations: string[] }[];
  }[];
}
interface Synthesized {
  readonly code: number;
  readonly said: string;
  readonly report: Report;
}

/** An app of somebody who does not use our constructs. */
const appWith = (object: object, more = '') => `
import { ApiObject, App, Chart } from 'cdk8s';
const app = new App();
const chart = new Chart(app, 'shop');
new ApiObject(chart, 'Front', ${JSON.stringify(object)});
${more}
app.synth();
`;

describe('docs/guides/validation.md', () => {
  let registry: PackageRegistry;
  beforeAll(async () => {
    registry = await packageRegistry(dir);
  }, 120_000);
  afterAll(() => {
    registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A folder with the packed library, cdk8s-cli and ts-node. */
  function project(name: string): string {
    const cwd = join(dir, name);
    mkdirSync(cwd);
    makeUserProject(cwd);
    const installed = join(cwd, 'node_modules', 'cdk8s-agentgateway');
    rmSync(installed);
    mkdirSync(installed);
    execFileSync('tar', ['-xzf', registry.tarball, '-C', installed, '--strip-components=1']);
    for (const tool of ['cdk8s-cli', 'ts-node', 'typescript', '.bin'])
      symlinkSync(join(root, 'node_modules', tool), join(cwd, 'node_modules', tool));
    return cwd;
  }
  async function synthesized(cwd: string, command: string): Promise<Synthesized> {
    const env = {
      ...process.env,
      ...registry.env,
      CDK8S_CHECK_UPGRADE: 'false',
      CDK8S_AGENTGATEWAY_NOTES: 'off',
    };
    const file = join(cwd, 'report.json');
    const args = ['-c', `${command} --validation-reports-output-file ${file}`];
    const { code, stdout } = await exec('sh', args, { cwd, env, maxBuffer: 2 ** 26 }).then(
      (out) => ({ ...out, code: 0 }),
      (error: { code: number; stdout: string }) => error,
    );
    const { reports } = JSON.parse(readFileSync(file, 'utf8')) as { reports: Report[] };
    return { code, said: stdout, report: reports[0] };
  }

  it('fails the synth of a chart that breaks a rule, and names the construct', async () => {
    const cwd = project('broken');
    writeFileSync(join(cwd, 'cdk8s.yaml'), block('yaml'));
    writeFileSync(join(cwd, 'main.ts'), appWith(pod(podSpec({ hostPID: true }))));
    const { code, said, report } = await synthesized(cwd, block('sh').trim());
    expect(code).toBe(2);
    expect(said).toContain('Construct Path: shop/Front');
    expect(said).toContain('Pod apps/app spec.hostPID: must be false or left out, got true');
    expect(report.violations.map(({ ruleName }) => ruleName)).toEqual([
      'pod-security/hostNamespaces',
      'default-deny',
    ]);
    const env = { ...process.env, CDK8S_CHECK_UPGRADE: 'false' };
    const { stdout } = await exec('sh', ['-c', `${block('sh').trim()} --no-validate`], { cwd, env });
    expect(stdout).not.toContain('Validation Report');
  }, 120_000);
  it('has the construct path that cdk8s keeps by a name, and the kind of the object', async () => {
    const cwd = project('named');
    writeFileSync(join(cwd, 'cdk8s.yaml'), block('yaml'));
    const service = { apiVersion: 'v1', kind: 'Service', metadata: pod().metadata };
    const second = `new ApiObject(chart, 'Reach', ${JSON.stringify(service)});`;
    writeFileSync(join(cwd, 'main.ts'), appWith(pod(podSpec({ hostPID: true })), second));
    const { report } = await synthesized(cwd, block('sh').trim());
    expect(report.violations[0].violatingConstructs).toEqual([
      expect.objectContaining({
        constructPath: 'shop/Reach',
        locations: [expect.stringMatching(/^Pod apps\/app /)],
      }),
    ]);
  }, 120_000);
  it('leaves a rule out that the app cannot keep, and says so', async () => {
    const cwd = project('excepted');
    const [, second] = text.slice(text.indexOf('left out by name')).split(/(?=```yaml)/);
    writeFileSync(join(cwd, 'cdk8s.yaml'), block('yaml') + block('yaml', second));
    writeFileSync(join(cwd, 'main.ts'), appWith(pod()));
    const { code, report } = await synthesized(cwd, block('sh').trim());
    expect([code, report.summary]).toEqual([
      0,
      expect.objectContaining({ status: 'success', metadata: { Objects: '1', Without: 'default-deny' } }),
    ]);
  }, 120_000);
  it('finds nothing in the apps of this library, with the package that cdk8s installs', async () => {
    const cwd = project('ours');
    const { validations } = parse(block('yaml')) as { validations: [{ class: string }] };
    const config = {
      app: `cd ${root} && npx ts-node -T apps/main.ts`,
      output: join(cwd, 'dist'),
      pluginsDirectory: join(cwd, 'plugins'),
      validations: [
        { package: 'cdk8s-agentgateway', version: registry.version, class: validations[0].class },
      ],
    };
    writeFileSync(join(cwd, 'cdk8s.yaml'), stringify(config));
    const { code, said, report } = await synthesized(cwd, 'npx cdk8s synth');
    expect(said).toContain(`Installing validation plugin: cdk8s-agentgateway@${registry.version}`);
    expect([code, report.violations, report.summary.status]).toEqual([0, [], 'success']);
    // All three of them were read.
    expect(Number(report.summary.metadata.Objects)).toBeGreaterThan(50);
  }, 300_000);
  it('names the Kubernetes whose admission the plugin is held against', () => {
    const module = readFileSync(join(root, 'test', 'e2e', 'cluster', 'controlplane', 'go.mod'), 'utf8');
    const [, version] = /k8s\.io\/kubernetes v(\d+\.\d+)\./.exec(module)!;
    expect(text).toContain(`at Kubernetes ${version},`);
  });
  it('names every rule, and no other', () => {
    const named = [...text.matchAll(/^\| `([\w-]+)(\/…)?` \|(.*)$/gm)].flatMap(([, name, checks, found]) =>
      checks === undefined
        ? [name]
        : [...found.split(':')[1].matchAll(/`(\w+)`/g)].map(([, check]) => `${name}/${check}`),
    );
    expect(named.length).toBeGreaterThan(15);
    const { HardeningValidation } = jest.requireActual<typeof import('../../lib')>('../../lib');
    let said = '';
    try {
      new HardeningValidation({ without: ['none'] });
    } catch (error) {
      said = (error as Error).message;
    }
    const [, rules] = /must be one of (.*), got "none"/.exec(said)!;
    expect([...named].sort()).toEqual(rules.split(', ').sort());
  });
});
