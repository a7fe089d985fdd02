/**
 * What a ConfigMap takes of an annotation is counted by our own means (test/support/config-map-size.ts), in every
 * `npm test`. Here the real kubectl writes the annotation, and both counts are the same: of all maps with our code,
 * and of one with what Go's JSON encoder writes otherwise than JSON.stringify.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, programOf } from '../support/daemon.js';
import { goProgram } from '../support/go-program.js';
import { synthesized } from '../support/synthesized.js';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** `apply` writes it, and `create`, whose object is a Go struct that leaves out what is empty, does not. */
const ONLY_BY_APPLY = '"annotations":{},';
/** Of `annotationBytes`, which is CommonJS, so that it is asked in a process of its own. */
const COUNT = `
  const { annotationBytes } = require('./test/support/config-map-size');
  process.stdout.write(String(annotationBytes(JSON.parse(require('fs').readFileSync(0, 'utf8')))));
`;
const root = join(import.meta.dirname, '..', '..', '..');
const BUILD_MS = 600_000;

type Files = Readonly<Record<string, string>>;
interface ConfigMap {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: Files;
}
interface Created {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
}

const missing = ['go'].filter((name) => programOf(name) === undefined);
needs('kubectl create', missing);
(missing.length === 0 ? describe : describe.skip)('the annotation of kubectl', () => {
  let dir: string;
  let program: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'agw-kubectl-'));
    program = goProgram('kubectl');
  }, BUILD_MS);
  afterAll(() => rmSync(dir, { recursive: true }));

  const writtenBy = (name: string, data: Files): Created => {
    const files = join(dir, name);
    mkdirSync(files);
    for (const [file, text] of Object.entries(data)) writeFileSync(join(files, file), text);
    const args = [
      'create',
      'configmap',
      name,
      `--from-file=${files}`,
      '--save-config',
      '--dry-run=client',
      '-o=json',
    ];
    return JSON.parse(execFileSync(program, args, { maxBuffer: 2 ** 24 }).toString()) as Created;
  };
  const bytesOf = ({ metadata: { annotations } }: Created): number =>
    Buffer.byteLength(ANNOTATION) + Buffer.byteLength(annotations[ANNOTATION]!) + ONLY_BY_APPLY.length;
  const counted = (name: string, data: Files): number => {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
    const args = ['-r', 'ts-node/register/transpile-only', '-e', COUNT];
    const env = { ...process.env, NODE_OPTIONS: '' };
    return Number(execFileSync(process.execPath, args, { cwd: root, input, env }).toString());
  };

  it('takes the bytes that are counted, whatever a file holds', () => {
    const odd = '<script>&amp;"\\ \b\f\n\r\t\u0000\u001f\u007f\u0085\u2028\u2029é€😀</script>\n';
    const data = { 'a.mjs': odd, 'empty.txt': '', 'long.txt': '=>'.repeat(50_000) };
    expect(bytesOf(writtenBy('odd', data))).toBe(counted('odd', data));
  });
  it('takes the bytes that are counted of each ConfigMap with our code', () => {
    const manifests = synthesized<ConfigMap>('apps/main.ts', join(dir, 'synth'));
    const maps = new Map(
      manifests
        .filter(({ kind }) => kind === 'ConfigMap')
        .filter(({ data }) => Object.keys(data).some((file) => file.endsWith('.mjs')))
        .map(({ metadata, data }) => [metadata.name, data]),
    );
    expect(maps.size).toBeGreaterThan(3);
    for (const [name, data] of maps)
      expect([name, bytesOf(writtenBy(name, data))]).toEqual([name, counted(name, data)]);
  });
});
