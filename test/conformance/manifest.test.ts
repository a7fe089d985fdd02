import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REASONS } from '../../proxy/src/pipeline/reason.js';
import { MANIFEST, type Requirement } from './manifest.js';

const here = import.meta.dirname;
const root = join(here, '..', '..');
const page = join(root, 'docs', 'reference', 'conformance.md');
const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  repository: { url: string };
};
/** The package of npm has the page, and not the sources. */
const SOURCES = `${repository.url.replace(/\.git$/, '')}/blob/main/`;
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.test.ts') && f !== 'manifest.test.ts')
  .sort();

const row = ({ clause, says, where, test }: (typeof MANIFEST)[number]) =>
  `| ${clause} | ${says} | [${where}](${SOURCES}proxy/src/${where}) ` +
  `| [${test}](${SOURCES}test/conformance/${test}) |`;

const text = () => `# Conformance

What the gateway owes to the standards, where the code sees to it, and the test that shows it. Written from
\`test/conformance/manifest.ts\` by \`test/conformance/manifest.test.ts\`, which fails when a requirement has no
test or a test no requirement.

| clause | requirement | checked in | shown by |
|---|---|---|---|
${MANIFEST.map(row).join('\n')}
`;

/** A document, with its sections where it has some: `RFC 9449 4.3`, `RFC 8725 3.8, 3.10`, `MCP`. */
const CITATION = /(RFC \d+|MCP)((?:,? [\dA][\d.]*(?![\w.]))*)/g;
const OWN_SECTION = /\(((?:[\d.]+(?:, )?)+)\)/g;

/** What an entry rests on; a section in brackets is one of the clause's own document. */
function citationsOf({ clause, says }: Requirement): readonly (readonly [doc: string, sections: string[]])[] {
  const [doc = ''] = /^RFC \d+/.exec(clause) ?? [];
  const sections = (list: string) => list.split(/,? /).filter((section) => section !== '');
  return [
    ...[...`${clause}; ${says}`.matchAll(CITATION)].map(([, of, list]) => [of!, sections(list!)] as const),
    ...[...says.matchAll(OWN_SECTION)].map(([, list]) => [doc, sections(list!)] as const),
  ];
}

/** Whether a source cites one of them: the document, and one of the sections. */
function cites(source: string, requirement: Requirement): boolean {
  const prose = source.replace(/\s+(?:\*|\/\/)?\s*/g, ' ');
  const has = (section: string) =>
    new RegExp(`(?<![\\w.])${section.replaceAll('.', '\\.')}(?!\\d)`).test(prose);
  return citationsOf(requirement).some(
    ([doc, sections]) => doc !== '' && prose.includes(doc) && (sections.length === 0 || sections.some(has)),
  );
}

/** Reasons that both files name. */
const reasonsOf = (source: string, test: string) =>
  Object.keys(REASONS).filter((reason) => [source, test].every((file) => file.includes(`'${reason}'`)));

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
  it.each(MANIFEST.map((r) => [r.id, r] as const))(
    '%s is checked in a file that cites it, or refuses with a reason of its test',
    (_, requirement) => {
      const { where, test } = requirement;
      const source = readFileSync(join(root, 'proxy', 'src', where), 'utf8');
      const reasons = reasonsOf(source, readFileSync(join(here, test), 'utf8'));
      expect({ where, says: cites(source, requirement) || reasons.length > 0 }).toEqual({
        where,
        says: true,
      });
    },
  );
  it('is not taken in by a file that has nothing to do with a clause', () => {
    const source = '/** RFC 9449 11.1: jti is bounded. */';
    const [one] = MANIFEST.filter(({ id }) => id === 'proof-typ');
    expect(cites(source, one!)).toBe(false);
    expect(cites(source, { ...one!, says: 'jti is bounded (11.1)' })).toBe(true);
    expect(reasonsOf("deny('bad_path')", "toBe('dpop_malformed')")).toEqual([]);
  });
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
