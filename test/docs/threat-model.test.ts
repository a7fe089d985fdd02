/** docs/concepts/threat-model.md: each row names what stands against a threat, and tests that show it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCES } from '../support/sources';
import { root } from '../support/synth';

const page = readFileSync(join(root, 'docs', 'concepts', 'threat-model.md'), 'utf8');

/** Rows of the table below a heading, each by the names of its columns. */
function rowsOf(heading: string): Record<string, string>[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const [names, , ...rows] = section
    .split('\n## ')[0]
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return rows.map((cells) => Object.fromEntries(names.map((name, n) => [name, cells[n]])));
}
const threats = rowsOf('STRIDE');
const surfaces = rowsOf('Attack surfaces');

describe('docs/concepts/threat-model.md', () => {
  it('has a row of each letter of STRIDE', () => {
    expect(threats.map(({ threat }) => threat[0]).join('')).toBe('STRIDE');
  });
  it('has the surfaces of the reference document, and those that it does not know', () => {
    expect(surfaces.length).toBeGreaterThanOrEqual(11);
    expect(new Set(surfaces.map(({ surface }) => surface)).size).toBe(surfaces.length);
  });
  it.each([...threats, ...surfaces].map((row) => [row.threat ?? row.surface, row] as const))(
    '%s: is shown by tests that there are, and says what is left',
    (_, row) => {
      const tests = [...row['shown by'].matchAll(/\[([^\]]+)\]\(([^)]+\.test\.ts)\)/g)];
      expect(tests.length).toBeGreaterThan(0);
      for (const [, title, link] of tests) {
        expect(link).toContain(SOURCES);
        expect(readFileSync(join(root, link.slice(SOURCES.length)), 'utf8')).toContain(title);
      }
      expect(row['shown by'].split('; ')).toHaveLength(tests.length);
      expect(row['left to you']).not.toBe('');
    },
  );
});
