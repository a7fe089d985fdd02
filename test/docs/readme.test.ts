import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { MAIN_TS } from '../../lib/cli/project-files';
import { root } from '../support/synth';
import { makeUserProject, runTypeScript } from '../support/user-project';

const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('the README', () => {
  it('has code that compiles and synthesizes as it stands there', () => {
    const blocks = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
    expect(blocks).toEqual([MAIN_TS]);
    const dir = mkdtempSync(join(tmpdir(), 'readme-'));
    try {
      makeUserProject(dir);
      writeFileSync(join(dir, 'main.ts'), blocks[0]);
      runTypeScript(dir, 'main.ts');
      const [file] = readdirSync(join(dir, 'dist'));
      const kinds = parseAllDocuments(readFileSync(join(dir, 'dist', file), 'utf8')).map(
        (d) => d.toJS().kind,
      );
      expect(kinds).toEqual(
        expect.arrayContaining([
          'Namespace',
          'Deployment',
          'ServiceAccount',
          'ConfigMap',
          'Service',
          'NetworkPolicy',
        ]),
      );
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }, 60_000);

  it('says whom it is for, and has its first code within one screen', () => {
    const [before] = read('README.md').split('\n```');
    expect(before.split('\n').length).toBeLessThanOrEqual(24);
    expect(before).toContain('It is for ');
  });

  it('names commands that exist', () => {
    const usage = execFileSync(process.execPath, [join(root, 'assets', 'agw.mjs'), '--help'], {
      encoding: 'utf8',
    });
    const used = [...read('README.md').matchAll(/agw (\w+ \w+|check) --/g)].map(([, command]) => command);
    expect(used.length).toBeGreaterThan(6);
    for (const command of used) expect(usage).toContain(`agw ${command} `);
    const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;
    for (const [, script] of read('README.md').matchAll(/npm run (\w+)/g)) {
      expect(scripts).toHaveProperty(script);
    }
  });
});

describe('the documents', () => {
  const pages = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((f) => f.endsWith('.md'))
      .map((f) => join('docs', f)),
  ];

  it.each(pages)('%s links to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, link]) => join(dirname(page), link))
      .filter((link) => link !== 'API.md');
    expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });
  it('ARCHITECTURE.md stays under 150 lines', () => {
    expect(read('ARCHITECTURE.md').split('\n').length).toBeLessThan(150);
  });
  it('invariants name tests that exist', () => {
    const text = read('ARCHITECTURE.md') + read(join('docs', 'reference', 'invariants.md'));
    const tests = [...text.matchAll(/`((?:proxy\/)?test\/[^`]*?)`/g)].map(([, path]) => path);
    expect(tests.length).toBeGreaterThan(20);
    expect(tests.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
  it('decisions stay under 40 lines', () => {
    for (const file of readdirSync(join(root, 'docs', 'decisions'))) {
      expect(read(join('docs', 'decisions', file)).split('\n').length).toBeLessThanOrEqual(40);
    }
  });
});
