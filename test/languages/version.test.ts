/** Which version a release has, and its changelog: by projen's tasks, in a clone. npm run test:languages */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/synth';
import { run } from './bindings';

const dir = mkdtempSync(join(tmpdir(), 'agw-version-'));
const clone = join(dir, 'clone');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const git = (...args: string[]) =>
  run('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], clone);
const commit = (subject: string) => git('commit', '--quiet', '--allow-empty', '-m', subject);
const read = (file: string) => readFileSync(join(clone, file), 'utf8').trim();
const projen = (task: string) => run(join(root, 'node_modules', '.bin', 'projen'), [task], clone);

/** What `npm run release` would call the commits since the last tag; the tag is set. */
function release(): { version: string; inPackage: string; changelog: string } {
  projen('bump');
  const inPackage = (JSON.parse(read('package.json')) as { version: string }).version;
  const made = { version: read('dist/version.txt'), inPackage, changelog: read('dist/changelog.md') };
  projen('unbump');
  git('tag', read('dist/releasetag.txt'));
  return made;
}

describe('the version', () => {
  beforeAll(() => {
    run('git', ['clone', '--quiet', '--no-tags', '--depth', '20', `file://${root}`, clone], dir);
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
    for (const file of ['package.json', '.projen/tasks.json'])
      copyFileSync(join(root, file), join(clone, file));
    git('add', 'package.json', '.projen/tasks.json');
    commit('chore: the tasks as they are here, committed or not');
  }, 60_000);

  it('is 0.1.0 at first, with a changelog of the commits', () => {
    commit('feat(lib): something that a user gets');
    const { version, inPackage, changelog } = release();
    expect([version, inPackage]).toEqual(['0.1.0', '0.1.0']);
    expect(changelog).toMatch(/0\.1\.0/);
    expect(changelog).toMatch(/### Features[^]*\*\*lib:\*\* something that a user gets/);
  }, 120_000);
  it('leaves no trace in the sources', () => {
    expect(git('status', '--porcelain', '--untracked-files=no')).toBe('');
    expect((JSON.parse(read('package.json')) as { version: string }).version).toBe('0.0.0');
  });
  it('is the next patch after a fix or a feature', () => {
    commit('fix(lib): what was wrong');
    commit('feat(lib): what was not there');
    expect(release().version).toBe('0.1.1');
  }, 120_000);
  it('is the next minor after what breaks', () => {
    commit('feat(lib)!: what was another way');
    const { version, changelog } = release();
    expect(version).toBe('0.2.0');
    expect(changelog).toContain('BREAKING CHANGES');
  }, 120_000);
});
