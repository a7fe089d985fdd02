import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST } from './manifest.js';

const here = import.meta.dirname;
const root = join(here, '..', '..');
const page = join(root, 'docs', 'reference', 'conformance.md');
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.test.ts') && f !== 'manifest.test.ts')
  .sort();

const text = () => `# Conformance

What the gateway owes to the standards, where the code sees to it, and the test that shows it. Written from \`test/conformance/manifest.ts\` by
\`test/conformance/manifest.test.ts\`, which fails when a requirement has no test or a test no requirement.

| clause | requirement | checked in | shown by |
|---|---|---|---|
${MANIFEST.map(({ clause, says, where, test }) => `| ${clause} | ${says} | [${where}](../../proxy/src/${where}) | [${test}](../../test/conformance/${test}) |`).join('\n')}
`;

describe('the manifest of requirements', () => {
  it.each(MANIFEST.map((r) => [r.id, r] as const))(
    '%s is checked somewhere, and shown by a test that names its clause',
    (_, { clause, where, test }) => {
      expect(existsSync(join(root, 'proxy', 'src', where))).toBe(true);
      const source = readFileSync(join(here, test), 'utf8');
      const titles = /^(?:conforms|describe)\(\s*(['"])((?:(?!\1)[^\\]|\\.)*)\1/gm;
      const described = [...source.matchAll(titles)].map(([, , name]) => name!);
      expect(described.some((name) => name.startsWith(clause))).toBe(true);
      expect(source).toMatch(/expect\(/);
      expect(source).not.toMatch(/\b(?:it|describe|test)\.(?:skip|only|todo)\b/);
    },
  );
  it('names every test, and no requirement twice', () => {
    expect([...new Set(MANIFEST.map((r) => r.test))].sort()).toEqual(files);
    expect(new Set(MANIFEST.map((r) => r.id)).size).toBe(MANIFEST.length);
  });
  it('covers the numbered list of RFC 9449 4.3', () => {
    const items = MANIFEST.map(({ clause }) => Number(/^RFC 9449 4\.3 item (\d+)/.exec(clause)?.[1])).filter(
      (n) => !Number.isNaN(n),
    );
    expect([...new Set(items)].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
  it('is docs/reference/conformance.md', () => {
    if (process.env.UPDATE_DOCS === '1') writeFileSync(page, text());
    expect(readFileSync(page, 'utf8')).toBe(text());
  });
});
