/** What a Helm release keeps, found in Secrets as Helm writes them. Helm's own are inspected in test/e2e/cluster. */
import { gzipSync } from 'node:zlib';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../../src/cli/command.js';
import { helmSecretInspect } from '../../src/cli/helm-secret.js';
import { rsa } from '../support/mint.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-helm-secret-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const base64 = (bytes: Buffer | string) => Buffer.from(bytes).toString('base64');
const packed = (release: unknown) => base64(base64(gzipSync(JSON.stringify(release))));
const secret = (release: string) => ({
  kind: 'Secret',
  type: 'helm.sh/release.v1',
  metadata: { name: 'sh.helm.release.v1.gw.v1' },
  data: { release },
});

const inspect = async (object: unknown, ...args: string[]) => {
  const file = join(dir, 'secret.json');
  writeFileSync(file, JSON.stringify(object));
  const lines: string[] = [];
  const code = await helmSecretInspect.run([file, ...args], { out: (line) => lines.push(line) });
  return {
    code,
    lines,
    marked: lines.flatMap((line) => /^ {2}SECRET {2}(.*): \w+/.exec(line)?.slice(1) ?? []),
  };
};
const release = (parts: object) => secret(packed({ name: 'gw', ...parts }));
const key = String(rsa().privateKey.export({ type: 'pkcs8', format: 'pem' }));

it('finds what --set gave, what the chart has and what became a Secret, and prints none of it', async () => {
  const { code, lines, marked } = await inspect(
    release({
      config: { database: { password: 'hunter2-set', host: 'db' }, replicas: 2 },
      chart: { values: { apiKey: 'hunter2-chart', image: 'node' } },
      manifest:
        '---\nkind: Secret\nmetadata: { name: db }\ndata: { plain: aHVudGVyMg== }\n---\nkind: Service\n',
    }),
  );
  expect(code).toBe(1);
  expect(marked).toEqual([
    'config.database.password',
    'chart.values.apiKey',
    'manifest.Secret/db.data.plain',
  ]);
  expect(lines[0]).toBe('"sh.helm.release.v1.gw.v1": 3 of 6 values look secret');
  expect(lines).toContain('          config.database.host: string, 2 characters');
  expect(lines).toContain('          config.replicas: number');
  expect(lines.join()).not.toMatch(/hunter2|aHVudGVyMg/);
});
it('says it for a program, too, and values only where it is told to', async () => {
  const object = release({ config: { password: 'a\u009b', replicas: 2 } });
  const { code, lines } = await inspect(object, '--json');
  const [path, looksSecret] = ['config.password', true];
  const name = 'sh.helm.release.v1.gw.v1';
  const replicas = { path: 'config.replicas', looksSecret: false };
  expect(code).toBe(1);
  expect(JSON.parse(lines.join(''))).toEqual([{ name, values: [{ path, looksSecret }, replicas] }]);
  const shown = (await inspect(object, '--json', '--show')).lines.join('');
  expect(shown).toContain('"a\\u009b"');
  expect(JSON.parse(shown)).toEqual([
    {
      name,
      values: [
        { path, looksSecret, value: 'a\u009b' },
        { ...replicas, value: 2 },
      ],
    },
  ]);
});
it('prints values where it is told to, without what a terminal obeys', async () => {
  const { lines } = await inspect(
    release({ config: { password: 'a\u001b[2Jb\u009b', 'k\u001b': 1 } }),
    '--show',
  );
  expect(lines[1]).toBe('  SECRET  config.password: string, 7 characters = "a\\u001b[2Jb\\u009b"');
  expect(lines[2]).toBe('          config."k\\u001b": number = 1');
});
it('finds them in hooks, notes, files and environment variables, too', async () => {
  const { marked } = await inspect(
    release({
      hooks: [{ manifest: 'kind: Secret\nmetadata: { name: h }\nstringData: { a: b }\n' }],
      info: { notes: 'log in at https://admin:pw@db.example' },
      chart: {
        files: [
          { name: 'tls.key', data: base64(key) },
          { name: 'logo', data: base64('none') },
        ],
      },
      manifest:
        'kind: "Pod\\e"\nspec: { containers: [{ env: [{ name: DB_PASSWORD, value: x }, { name: HOST, value: ' +
        'y }] }] }\n',
    }),
  );
  expect(marked).toEqual([
    'manifest."Pod\\u001b"/.spec.containers[0].env[0].value',
    'hooks[0].manifest.Secret/h.stringData.a',
    'info.notes',
    'chart.files["tls.key"]',
  ]);
});
it.each<[string, unknown]>([
  ['key', key],
  ['plain', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl'],
  ['redis', 'redis://:pw@redis:6379'],
  ['x', `ghp_${'a'.repeat(36)}`],
  ['passwd', 12345],
  ['client-secret', 'x'],
  ['AUTH_TOKEN', 'x'],
])('takes %s for a secret', async (name, value) => {
  expect((await inspect(release({ config: { [name]: value } }))).marked).toEqual([`config.${name}`]);
});
it('sees through lists and what is called value', async () => {
  const config = { tokens: ['a'], password: { value: 'b' }, replicas: { value: 3 } };
  expect((await inspect(release({ config }))).marked).toEqual(['config.tokens[0]', 'config.password.value']);
});
it('is content with names of Secrets and with nothing', async () => {
  const config = {
    secretName: 'db',
    tokenFile: '/a',
    password: '',
    tokens: null,
    existingSecretRef: 'x',
    tokenEnabled: true,
  };
  expect(await inspect(release({ config }))).toMatchObject({ code: 0, marked: [] });
});
it('reads every release of a List, and one that is not packed', async () => {
  const plain = secret(base64(base64(JSON.stringify({ config: { token: 't' } }))));
  const { lines } = await inspect({
    kind: 'List',
    items: [release({}), plain, { kind: 'Secret', metadata: {} }],
  });
  expect(lines.filter((line) => line.startsWith('"sh.helm'))).toHaveLength(2);
  expect(lines.at(-1)).toBe('  SECRET  config.token: string, 1 characters');
});

describe('what is no release', () => {
  const deep = '['.repeat(5000) + ']'.repeat(5000);
  it.each<[string, unknown, string | RegExp]>([
    [
      'a gzip bomb',
      secret(base64(base64(gzipSync(Buffer.alloc(33 * 2 ** 20))))),
      'must unpack to at most 32 MiB, got more: a gzip bomb?',
    ],
    [
      'gzip that is cut off',
      secret(base64(base64(gzipSync('{"a":1}').subarray(0, 15)))),
      'must be whole gzip, got unexpected end of file',
    ],
    ['gzip of no JSON', secret(base64(base64(gzipSync('a: 1')))), 'got gzip of something else'],
    [
      'no base64 of anything',
      secret('!!!'),
      'must be base64 of base64 of gzip of JSON, as Helm writes it, got something else',
    ],
    [
      'what nests without end',
      secret(base64(base64(gzipSync(`{"config":{"a":${deep}}}`)))),
      'must nest at most 100 deep',
    ],
    ['a Secret without a release', { ...secret(''), data: {} }, 'must have data.release'],
    [
      'another Secret',
      { kind: 'Secret', metadata: { name: 'x' } },
      'must have a Secret of type helm.sh/release.v1; kubectl get secrets',
    ],
  ])('%s is refused', async (_, object, problem) => {
    const failed = inspect(object);
    await expect(failed).rejects.toThrow(problem);
    await expect(failed).rejects.toBeInstanceOf(CliError);
  });
});
