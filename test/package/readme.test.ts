/**
 * The commands of README's "Use it", as they stand there, in an empty folder, with the tarball that would be
 * published. `npm run compile` comes before.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer, Server } from 'node:http';
import { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { root } from '../support/synth';

const NAME = 'cdk8s-agentgateway';
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

/** A registry that has this package too; for every other it sends npm to the one in use. */
async function registryWith(tarball: string, upstream: string): Promise<Server> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const server = createServer((request, response) => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${NAME}`;
    if (request.url === `/${NAME}.tgz`) return void response.end(readFileSync(tarball));
    if (request.url !== `/${NAME}`) {
      response.writeHead(307, { location: `${upstream.replace(/\/$/, '')}${request.url}` });
      return void response.end();
    }
    const version = { ...manifest, dist: { tarball: `${url}.tgz` } };
    const versions = { [manifest.version]: version };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name: NAME, 'dist-tags': { latest: manifest.version }, versions }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
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
  let registry: Server;
  beforeAll(async () => {
    const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', dir];
    const [{ filename }] = JSON.parse(
      execFileSync('npm', packing, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    ) as { filename: string }[];
    const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
    registry = await registryWith(join(dir, filename), upstream);
  }, 120_000);
  afterAll(() => {
    registry.closeAllConnections();
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
        npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}`,
        npm_config_cache: join(dir, `cache-${major}`),
        npm_config_replace_registry_host: 'never',
        npm_config_audit: 'false',
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
