/** What a manifest mounts into a gateway is checked and asked on the machine of whoever has the manifest. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { synthesized } from '../../../test/e2e/support/synthesized.js';
import { CliError } from '../../src/cli/command.js';
import { configExtract } from '../../src/cli/config-extract.js';
import { explain } from '../../src/cli/explain.js';

const agwFile = join(import.meta.dirname, '..', '..', '..', 'assets', 'agw.mjs');
const dir = mkdtempSync(join(tmpdir(), 'agw-extract-'));
const at = (...names: string[]) => join(dir, ...names);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function linesOf(command: typeof configExtract, ...args: string[]) {
  const lines: string[] = [];
  const code = await command.run(args, { out: (line) => lines.push(line) });
  return { code, lines };
}
const extract = async (...args: string[]) => (await linesOf(configExtract, ...args)).lines;
const problemOf = (...args: string[]) =>
  extract(...args).then(
    () => 'none',
    (cause: Error) => {
      expect(cause).toBeInstanceOf(CliError);
      return cause.message;
    },
  );
/** The places in the config that `agw check` complains of. */
const checked = (file: string) =>
  new Promise<string[]>((resolve) => {
    execFile(process.execPath, [agwFile, 'check', '--elsewhere', '--config', file], (_, out, err) =>
      resolve(
        err === '' ? [out.trim().split('\n')[0]!] : [...err.matchAll(/^ {2}(\S+): /gm)].map((m) => m[1]!),
      ),
    );
  });
const missingIn = (lines: readonly string[]) =>
  lines.flatMap(
    (line) => /^ {2}missing: (\S+): comes from (.*); put it into (\S+)$/.exec(line)?.slice(1) ?? [],
  );

/** The smallest pod that runs the proxy. */
const gateway = (name: string, config: object, { namespace = 'aiops', volume = {} } = {}) => [
  {
    kind: 'ConfigMap',
    metadata: { name: `${name}-config`, namespace },
    data: { 'config.json': JSON.stringify(config), 'keys.json': `keys of ${name}` },
  },
  {
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      template: {
        spec: {
          containers: [
            {
              command: ['node', '/opt/gateway/proxy.mjs', 'serve', '--config', '/etc/gateway/config.json'],
              volumeMounts: [
                { name: 'config', mountPath: '/etc/gateway' },
                { name: 'more', mountPath: '/etc/gateway/more' },
              ],
            },
          ],
          volumes: [
            { name: 'config', configMap: { name: `${name}-config` } },
            { name: 'more', ...volume },
          ],
        },
      },
    },
  },
];
function manifest(name: string, objects: readonly object[]): string {
  writeFileSync(at(name), objects.map((object) => stringify(object)).join('---\n'));
  return at(name);
}

describe('every example app', () => {
  it.each([
    ['quickstart', []],
    ['reference', ['Secret agentgateway-tls, key tls.crt', 'Secret agentgateway-redis-password, key value']],
    ['demo', ['ConfigMap kube-root-ca.crt, key ca.crt, which the manifest does not have']],
  ])('%s is checked as it is synthesized, as far as it has no Secrets', async (app, origins) => {
    mkdirSync(at(app));
    synthesized('apps/main.ts', at(app), app);
    const lines = await extract(
      ...readdirSync(at(app)).map((file) => at(app, file)),
      '--out',
      at(`${app}-out`),
    );
    const missing = missingIn(lines);
    expect(missing).toEqual(expect.arrayContaining(origins));
    const complaints = await checked(at(`${app}-out`, 'config.json'));
    if (origins.length === 0)
      expect(complaints).toEqual([`${at(`${app}-out`, 'config.json')}: ok, 1 route(s)`]);
    else expect(missing).toEqual(expect.arrayContaining(complaints));
    expect(readFileSync(at(`${app}-out`, 'files/etc/gateway/jwks.json'), 'utf8')).toContain('"kty"');
  });
  it('is asked about a request, too', async () => {
    const asked = ['--method', 'POST', '--url', 'https://gateway.example.com/mcp'];
    const { code, lines } = await linesOf(explain, '--config', at('quickstart-out', 'config.json'), ...asked);
    expect([code, lines[1]]).toEqual([1, expect.stringMatching(/^refused: 401 credentials_missing/)]);
  });
});

describe('a manifest', () => {
  const secret = { secret: { secretName: 'nonces' } };
  const config = {
    a: [{ file: '/etc/gateway/keys.json' }],
    caFile: '/etc/gateway/more/ca.crt',
    file: '/dev/stdout',
    pathPrefix: '/etc/gateway/keys.json',
  };

  it('has its files where the config says, and says of those in Secrets where they belong', async () => {
    const lines = await extract(
      manifest('one.yaml', gateway('one', config, { volume: secret })),
      '--out',
      at('one'),
    );
    expect(JSON.parse(readFileSync(at('one', 'config.json'), 'utf8'))).toEqual({
      a: [{ file: at('one/files/etc/gateway/keys.json') }],
      caFile: at('one/files/etc/gateway/more/ca.crt'),
      file: '/dev/stdout',
      pathPrefix: '/etc/gateway/keys.json',
    });
    expect(readFileSync(at('one/files/etc/gateway/keys.json'), 'utf8')).toBe('keys of one');
    expect(missingIn(lines)).toEqual([
      'caFile',
      'Secret nonces, key ca.crt',
      at('one/files/etc/gateway/more/ca.crt'),
    ]);
    writeFileSync(at('one/files/etc/gateway/more/ca.crt'), 'it has a folder to be put into');
  });
  it('with several gateways gives each a folder, or the one that is named', async () => {
    const file = manifest('two.yaml', [...gateway('one', config), ...gateway('two', config)]);
    await extract(file, '--out', at('both'));
    expect(readFileSync(at('both/two/files/etc/gateway/keys.json'), 'utf8')).toBe('keys of two');
    expect(existsSync(at('both/one/config.json'))).toBe(true);
    await extract(file, '--out', at('named'), '--gateway', 'two');
    expect(readFileSync(at('named/files/etc/gateway/keys.json'), 'utf8')).toBe('keys of two');
  });
  it('of kubectl is a List, and may be JSON', async () => {
    writeFileSync(at('list.json'), JSON.stringify({ kind: 'List', items: gateway('one', config) }));
    expect(await extract(at('list.json'), '--out', at('list'))).toContainEqual(
      expect.stringContaining('2 file(s)'),
    );
  });
  it('never writes outside of the folder', async () => {
    const bad = {
      caFile: '/etc/gateway/more/../../../../keys.json',
      keyFile: '/etc/gateway/../gateway/keys.json',
      certFile: '/../../../../../../../../../../../../etc/gateway/keys.json',
    };
    await extract(manifest('up.yaml', gateway('one', bad)), '--out', at('up'));
    expect(JSON.parse(readFileSync(at('up', 'config.json'), 'utf8'))).toEqual({
      caFile: bad.caFile,
      keyFile: at('up/files/etc/gateway/keys.json'),
      certFile: at('up/files/etc/gateway/keys.json'),
    });
    expect(
      await problemOf(
        manifest('name.yaml', [...gateway('../x', config), ...gateway('b', config)]),
        '--out',
        at('x', 'y'),
      ),
    ).toBe('MANIFEST: must have names as Kubernetes has them, got "../x"');
  });
  it('prints nothing that a terminal obeys', async () => {
    const odd = { '\u001b[2J': { file: '/etc/gateway/more/keys.json' } };
    const volume = { secret: { secretName: 'more' } };
    const file = manifest('odd.yaml', gateway('one', odd, { volume }));
    expect((await extract(file, '--out', at('odd'))).at(-1)).toMatch(/^ {2}missing: \\u001b\[2J\.file: /);
  });
  it('leaves a folder alone that has anything in it', async () => {
    mkdirSync(at('taken'));
    writeFileSync(at('taken', 'mine'), 'mine');
    expect(await problemOf(manifest('one.yaml', gateway('one', config)), '--out', at('taken'))).toBe(
      `--out: must be empty or not exist, got ${at('taken')} with mine; name another`,
    );
    expect(readdirSync(at('taken'))).toEqual(['mine']);
  });
  it.each<[string, readonly object[], string]>([
    [
      'none.yaml',
      [{ kind: 'Service', metadata: {} }],
      'MANIFEST: must have a Deployment whose container runs',
    ],
    [
      'odd.yaml',
      [{ kind: 'Deployment', spec: { template: { spec: { containers: 5, volumes: 'x' } } } }],
      'MANIFEST: must have a Deployment',
    ],
    [
      'no-map.yaml',
      gateway('one', config).slice(1),
      'gateway one: must have /etc/gateway/config.json in a ConfigMap, got ConfigMap one-config, key ' +
        'config.json, which the manifest does not have',
    ],
    [
      'twice.yaml',
      [...gateway('one', config), ...gateway('one', config, { namespace: 'b' })],
      'MANIFEST: must have one gateway of a name, got several called one; give the manifest of one namespace',
    ],
  ])('%s is refused with what it lacks', async (name, objects, problem) => {
    expect(await problemOf(manifest(name, objects), '--out', at('refused'))).toContain(problem);
    expect(existsSync(at('refused'))).toBe(false);
  });
  it('that is no YAML, not there or not named is refused', async () => {
    writeFileSync(at('bad.yaml'), 'a: [b');
    expect(await problemOf(at('bad.yaml'), '--out', at('refused'))).toMatch(
      /bad\.yaml: must be YAML or JSON, got /,
    );
    expect(await problemOf(at('absent.yaml'), '--out', at('refused'))).toMatch(
      /must be a readable file, .*ENOENT/,
    );
    expect(await problemOf('--out', at('refused'))).toMatch(/^MANIFEST: is required/);
    expect(
      await problemOf(
        manifest('one.yaml', gateway('one', config)),
        '--out',
        at('refused'),
        '--gateway',
        'oen',
      ),
    ).toBe('--gateway: must be one of one, got "oen"');
  });
});
