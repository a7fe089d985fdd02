import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JwksSource } from '../../lib';
import { PINNED, PINNED_TOOLS, projectFiles } from '../../lib/cli/project-files';
import { root } from '../support/synth';

const COMMAND = ['-r', 'ts-node/register/transpile-only', join(root, 'lib', 'cli', 'init.ts')];
const run = (cwd: string, ...args: string[]) =>
  spawnSync(process.execPath, [...COMMAND, ...args], {
    cwd,
    encoding: 'utf8',
    env: {
      ...process.env,
      NODE_PATH: join(root, 'node_modules'),
      TS_NODE_PROJECT: join(root, 'tsconfig.json'),
    },
  });

describe('cdk8s-agentgateway init', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'agw-init-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('writes a project, a key and a key set that synth takes', () => {
    const { status, stdout, stderr } = run(dir, 'init');
    expect([status, stderr]).toEqual([0, '']);
    expect(readdirSync(dir).sort()).toEqual([
      '.gitignore',
      'cdk8s.yaml',
      'jwks.json',
      'main.ts',
      'package.json',
      'private.pem',
      'public.pem',
      'tsconfig.json',
    ]);
    expect(stdout).toContain('Now: npm install && npm run synth && kubectl apply -f dist/');
    expect(() => JwksSource.fromFile(join(dir, 'jwks.json'))).not.toThrow();
  });
  it.each(['main.ts', 'package.json', 'private.pem', 'jwks.json'])(
    'refuses a folder that has %s, and writes nothing',
    (file) => {
      writeFileSync(join(dir, file), '{}');
      const { status, stderr } = run(dir, 'init');
      expect(status).toBe(1);
      expect(stderr).toContain(`init: must run in a folder without its files, got ${file} in `);
      expect(readdirSync(dir)).toEqual([file]);
      expect(readFileSync(join(dir, file), 'utf8')).toBe('{}');
    },
  );
  it('says how it is used', () => {
    expect(run(dir, '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('usage:') });
    expect(run(dir)).toMatchObject({ status: 2, stderr: expect.stringContaining('usage:') });
    expect(existsSync(join(dir, 'main.ts'))).toBe(false);
  });
  it('pins the versions that this repository is tested with', () => {
    const installed = (name: string) =>
      (
        JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
          version: string;
        }
      ).version;
    const pinned = { ...PINNED, ...PINNED_TOOLS };
    expect(pinned).toEqual(Object.fromEntries(Object.keys(pinned).map((name) => [name, installed(name)])));
    const { dependencies, devDependencies } = JSON.parse(projectFiles()['package.json']) as Record<
      string,
      object
    >;
    for (const version of Object.values({ ...dependencies, ...devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });
});

it('a key set that is not there is answered with the two commands that make one', () => {
  expect(() => JwksSource.fromFile('nowhere/jwks.json')).toThrow(
    'jwks: must be a readable file, got "nowhere/jwks.json"; it is not there; download what the jwks_uri of ' +
      'your issuer answers, or make one to try: "npx agw keys generate --out private.pem --public public.pem" ' +
      'and then "npx agw jwks create --key public.pem --kid my-key-1 --out jwks.json"',
  );
});
