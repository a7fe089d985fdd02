/**
 * What a contributor does first: `npm ci`, then any script. A copy of the sources without anything that a build
 * made stands for the fresh clone.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../support/synth';

interface Step {
  readonly exec?: string;
  readonly spawn?: string;
}
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const { tasks } = JSON.parse(read('.projen/tasks.json')) as { tasks: Record<string, { steps?: Step[] }> };

/** They read sources only, or make what the others need. */
const NEEDS_NOTHING = ['bundle', 'clean', 'default', 'format', 'format:check', 'pre-compile', 'projen'];
/** They bundle or install for themselves, as the first thing that they do. */
const BY_ITSELF = ['demo', 'docs', 'fuzz', 'synth'];

function makesWhatItNeeds(name: string): boolean {
  const [first] = tasks[name]?.steps ?? [];
  if (first?.exec?.startsWith('test -f ') === true) return true;
  return first?.spawn !== undefined && (NEEDS_NOTHING.includes(first.spawn) || makesWhatItNeeds(first.spawn));
}

describe('after npm ci', () => {
  const names = Object.keys(scripts).filter((name) => ![...NEEDS_NOTHING, ...BY_ITSELF].includes(name));
  it.each(names)('npm run %s makes what it does not find', (name) => {
    const [, task] = /^projen (\S+)$/.exec(scripts[name]) ?? [];
    expect([name, task === undefined ? undefined : makesWhatItNeeds(task)]).toEqual([name, true]);
  });

  describe('in a fresh clone', () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-clone-'));
    afterAll(() => rmSync(dir, { recursive: true, force: true }));
    beforeAll(() => {
      const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
        cwd: root,
        encoding: 'utf8',
      });
      for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
        mkdirSync(join(dir, dirname(file)), { recursive: true });
        cpSync(join(root, file), join(dir, file));
      }
      for (const modules of ['node_modules', 'proxy/node_modules'].filter((m) => existsSync(join(root, m)))) {
        symlinkSync(join(root, modules), join(dir, modules));
      }
    });
    it.each(['npx cdk8s synth --check-upgrade=false', 'npm run synth', 'npm run docgen'])(
      '%s works',
      (command) => {
        for (const made of ['assets', 'manifests', '.jsii']) {
          rmSync(join(dir, made), { recursive: true, force: true });
        }
        execFileSync('sh', ['-c', command], { cwd: dir, stdio: 'pipe' });
        if (!command.includes('synth')) return expect(existsSync(join(dir, '.jsii'))).toBe(true);
        expect(readdirSync(join(dir, 'manifests')).length).toBeGreaterThan(2);
      },
      300_000,
    );
  });
});
