/** `npm pack` in a clean clone, with nothing built. npm run test:languages */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freshClone } from '../support/fresh-clone';
import { SOURCES } from '../support/sources';
import { manifest, run } from './bindings';

const dir = mkdtempSync(join(tmpdir(), 'agw-clone-'));
const clone = join(dir, 'clone');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Packed as a user's npm does it: with the scripts of the package. @returns what is in the tarball */
function pack(): Set<string> {
  const args = [
    'pack',
    '--json',
    '--ignore-scripts=false',
    '--foreground-scripts=false',
    '--pack-destination',
    dir,
  ];
  const [{ files }] = JSON.parse(run('npm', args, clone)) as { files: { path: string }[] }[];
  return new Set(files.map(({ path }) => path));
}

const linksOf = (page: string) =>
  [...readFileSync(join(clone, page), 'utf8').matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => link);

describe('npm pack in a clean clone', () => {
  let packed: Set<string>;
  beforeAll(() => {
    freshClone(clone);
    expect(existsSync(join(clone, 'build')) || existsSync(join(clone, 'assets'))).toBe(false);
    packed = pack();
  }, 300_000);

  it('builds what the package needs', () => {
    const needed = ['.jsii', 'build/index.js', 'build/index.d.ts', 'build/cli/init.js'];
    const assets = ['agw.mjs', 'proxy.mjs', 'config.cjs', 'sbom.cdx.json', 'THIRD-PARTY-NOTICES.txt'];
    expect([...packed]).toEqual(
      expect.arrayContaining([...needed, ...assets.map((name) => `assets/${name}`)]),
    );
  });
  it('has every file that a page in it links to', () => {
    /** A file, or a folder of which something is there. */
    const has = (path: string) => packed.has(path) || [...packed].some((file) => file.startsWith(`${path}/`));
    const pages = [...packed].filter((file) => file.endsWith('.md'));
    expect(pages.length).toBeGreaterThan(40);
    const missing = pages.flatMap((page) =>
      linksOf(page)
        .filter((link) => !/^(https?|mailto):/.test(link))
        .map((link) => join(dirname(page), link))
        .filter((file) => !has(file))
        .map((file) => `${page}: ${file}`),
    );
    expect(missing).toEqual([]);
  });
  it('links by the address of the repository to files that are there', () => {
    expect(SOURCES).toBe(`${manifest.repository.url.replace(/\.git$/, '')}/blob/main/`);
    const files = [...packed]
      .filter((file) => file.endsWith('.md'))
      .flatMap(linksOf)
      .filter((link) => link.startsWith(SOURCES))
      .map((link) => link.slice(SOURCES.length));
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => !existsSync(join(clone, file)))).toEqual([]);
  });
});
