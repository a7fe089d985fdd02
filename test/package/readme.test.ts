/**
 * The commands of README's "Use it", as they stand there, in an empty folder, with the tarball that would be
 * published. `npm run compile` comes before.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { PackageRegistry, packageRegistry } from '../support/package-registry';
import { root } from '../support/synth';

const exec = promisify(
  jest.requireActual<typeof import('node:child_process')>('node:child_process').execFile,
);
const dir = mkdtempSync(join(tmpdir(), 'agw-readme-'));

/** The lines of the first shell block of "Use it", without their comments. */
function commands(): string[] {
  const [, section] = readFileSync(join(root, 'README.md'), 'utf8').split('\n## Use it\n');
  const [, block] = /```sh\n([\s\S]*?)```/.exec(section)!;
  return block
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, ''))
    .filter((line) => line !== '');
}

/** The folder of the interpreter of this major; undefined where the registry has none for this machine. */
function nodeOf(major: number): string | undefined {
  if (process.version.startsWith(`v${major}.`)) return dirname(process.execPath);
  const prefix = join(dir, `node-${major}`);
  mkdirSync(prefix);
  try {
    const options = { cwd: prefix, stdio: 'pipe' } as const;
    execFileSync('npm', ['install', '--no-audit', '--no-fund', `node@${major}`], options);
    const bin = join(prefix, 'node_modules', 'node', 'bin');
    return execFileSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' }).startsWith(`v${major}.`)
      ? bin
      : undefined;
  } catch {
    return undefined;
  }
}

describe('the README', () => {
  let registry: PackageRegistry;
  beforeAll(async () => {
    registry = await packageRegistry(dir);
  }, 120_000);
  afterAll(() => {
    registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('says how a project is made, and ends with a cluster', () => {
    expect(commands()).toEqual([
      'npx --yes cdk8s-agentgateway init',
      'npm install',
      'npm run synth',
      'kubectl apply -f dist/',
    ]);
  });

  const majors = [22, 24].map((major) => ({ major, bin: nodeOf(major) }));
  it.each(majors)(
    'works in an empty folder on Node $major',
    async ({ major, bin }) => {
      if (bin === undefined) throw new Error(`no npm package of Node ${major} can be installed here`);
      const cwd = join(dir, `project-${major}`);
      mkdirSync(cwd);
      const env = {
        ...process.env,
        PATH: `${bin}${delimiter}${process.env.PATH}`,
        ...registry.env,
        npm_config_cache: join(dir, `cache-${major}`),
        CDK8S_AGENTGATEWAY_NOTES: '',
      };
      const said: string[] = [];
      for (const command of commands().filter((line) => !line.startsWith('kubectl '))) {
        const { stdout, stderr } = await exec('sh', ['-c', command], { cwd, env, maxBuffer: 2 ** 26 });
        said.push(stdout, stderr);
      }
      const [file] = readdirSync(join(cwd, 'dist'));
      const documents = parseAllDocuments(readFileSync(join(cwd, 'dist', file), 'utf8'));
      const kinds = documents.map((document) => (document.toJS() as { kind: string }).kind);
      expect(kinds).toEqual(
        expect.arrayContaining(['Namespace', 'Deployment', 'NetworkPolicy', 'ConfigMap']),
      );
      expect(said.join('')).toContain(
        'cdk8s-agentgateway: the cluster must have\n  Kubernetes 1.30 or later',
      );
      expect(statSync(join(cwd, 'private.pem')).mode & 0o077).toBe(0);
      expect(readFileSync(join(cwd, '.gitignore'), 'utf8')).toContain('private.pem');
      expect(existsSync(join(cwd, 'jwks.json'))).toBe(true);
    },
    600_000,
  );
});
