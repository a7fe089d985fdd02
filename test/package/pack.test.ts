/**
 * What a user gets from npm: packed, installed into an empty folder, type-checked, synthesized from.
 * `npm run compile` comes before (npm test does it).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/synth';

const dir = mkdtempSync(join(tmpdir(), 'agw-pack-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const run = (command: string, args: string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const versions = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> }
).devDependencies;

describe('the tarball', () => {
  let files: string[];

  beforeAll(() => {
    const [packed] = JSON.parse(
      run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', dir], root),
    ) as { filename: string; files: { path: string }[] }[];
    files = packed.files.map(({ path }) => path);
    writeFileSync(join(dir, 'package.json'), JSON.stringify({ name: 'user', private: true }));
    const peers = ['cdk8s', 'constructs', 'cdk8s-plus-28'].map((name) => `${name}@${versions[name]}`);
    run(
      'npm',
      [
        'install',
        '--no-audit',
        '--no-fund',
        '--prefer-offline',
        join(dir, packed.filename),
        ...peers,
        `typescript@${versions.typescript}`,
        '@types/node@24',
      ],
      dir,
    );
  }, 180_000);

  it('has the library, the proxy and the command, and nothing of ours that users do not need', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        '.jsii',
        'build/index.js',
        'build/index.d.ts',
        'assets/proxy.mjs',
        'assets/agw.mjs',
        'assets/config.cjs',
        'assets/sbom.cdx.json',
        'assets/THIRD-PARTY-NOTICES.txt',
        'LICENSE',
        'README.md',
        'docs/guides/deploy.md',
        'apps/reference.ts',
        'package.json',
      ]),
    );
    const ours = files.filter((path) => /^(test|proxy|lib|\.ci|\.projen|assets\/types)\//.test(path));
    // docs/reference/image.md builds from the unpacked package.
    expect(ours).toEqual(['proxy/Dockerfile']);
  });

  it('type-checks in a strict project that checks libraries too', () => {
    writeFileSync(
      join(dir, 'user.ts'),
      [
        "import { Testing, Chart } from 'cdk8s';",
        "import { AgentGateway, JwksSource, McpRoute, Peer } from 'cdk8s-agentgateway';",
        "const chart = new Chart(Testing.app(), 'c', { namespace: 'aiops' });",
        "const gateway = new AgentGateway(chart, 'Gateway', { issuer: 'i', audience: 'a', jwks: " +
          `JwksSource.fromFile('${join(root, 'apps', 'jwks.json')}') });`,
        "new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer: Peer.pods({ app: 'mcp' }) });",
        'process.stdout.write(JSON.stringify(Testing.synth(chart)));',
      ].join('\n'),
    );
    run(
      join(dir, 'node_modules', '.bin', 'tsc'),
      [
        '--strict',
        '--module',
        'node16',
        '--moduleResolution',
        'node16',
        '--target',
        'es2022',
        '--types',
        'node',
        'user.ts',
      ],
      dir,
    );
    expect(existsSync(join(dir, 'user.js'))).toBe(true);
  }, 60_000);

  it('synthesizes, with the proxy of the tarball inside', () => {
    const objects = JSON.parse(run(process.execPath, ['user.js'], dir)) as {
      kind: string;
      data?: Record<string, string>;
    }[];
    expect(objects.map(({ kind }) => kind)).toContain('Deployment');
    const code = objects.find(({ data }) => data?.['proxy.mjs'] !== undefined);
    expect(code?.data?.['proxy.mjs']).toBe(
      readFileSync(join(dir, 'node_modules', 'cdk8s-agentgateway', 'assets', 'proxy.mjs'), 'utf8'),
    );
  });

  it('installs agw', () => {
    expect(run(join(dir, 'node_modules', '.bin', 'agw'), ['--help'], dir)).toContain('agw keys generate');
  });
});
