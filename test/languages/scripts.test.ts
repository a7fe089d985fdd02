/**
 * What a contributor does first: `npm ci`, then any script. A copy of the sources without anything that a build
 * made stands for the fresh clone.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshClone } from '../support/fresh-clone';
import { root } from '../support/synth';

interface Step {
  readonly exec?: string;
  readonly spawn?: string;
}
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const { tasks } = JSON.parse(read('.projen/tasks.json')) as { tasks: Record<string, { steps?: Step[] }> };

/** They read sources or commits only, or make what the others need. */
const NEEDS_NOTHING = [
  ...['bundle', 'clean', 'default', 'format', 'format:check', 'pre-compile', 'projen'],
  ...['bump', 'bump:next-version', 'bump:releasable-commits', 'unbump'],
];
/** They bundle or install for themselves, as the first thing that they do; a release builds, which does. */
const BY_ITSELF = ['demo', 'docs', 'fuzz', 'release', 'synth'];

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
    beforeAll(() => freshClone(dir));
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
