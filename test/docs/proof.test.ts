/** docs/reference/proof.md: each claim of README and SECURITY.md, with the tests that show it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SOURCES } from '../support/sources';
import { root } from '../support/synth';
import { Claim, OPERATION, PROFILES, PROMISES, PROPS } from './proof-claims';

const read = (file: string) => readFileSync(join(root, file), 'utf8');
const readme = read('README.md');
const security = read('SECURITY.md');

/** The first cells of the rows of the table that stands under such a header. */
function firstCells(header: string): string[] {
  const [, table = ''] = readme.split(`\n${header}\n`);
  const rows = table.split('\n').slice(1);
  return rows.slice(0, rows.indexOf('')).map((row) => row.split(' | ')[0].replace(/^\| /, ''));
}
const promised = /\*\*What is promised\.\*\*([^]*?)\n\n/.exec(security)![1].replace(/\s+/g, ' ').trim();

const cell = (text: string) => text.replace(/\s+/g, ' ').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
const linkOf = (test: string) => {
  const [file, title] = test.split(' › ');
  return `[${title}](${SOURCES}${file})`;
};
const row = ({ claims, shownBy, left }: Claim) =>
  `| ${cell(claims)} | ${shownBy.map(linkOf).join('; ')} | ${left ?? ''} |`;
const tableOf = (claims: readonly Claim[]) =>
  `| claim | shown by | left |\n|---|---|---|\n${claims.map(row).join('\n')}`;
const page = `# Proof

What [README.md](../../README.md) and [SECURITY.md](../../SECURITY.md) claim, the test that shows it, and what is
left to what does not run here: a kubelet, a CNI, a cloud, somebody else's controller. Written from
\`test/docs/proof-claims.ts\` by \`test/docs/proof.test.ts\`, which fails where a claim has no test. Clause by
clause: [conformance.md](conformance.md).

## What SECURITY.md promises

${tableOf(PROMISES)}

## What a request must be

${tableOf(PROFILES)}

## What is written for what

${tableOf(PROPS)}

## Run it

${tableOf(OPERATION)}
`;

describe('docs/reference/proof.md', () => {
  it.each<[string, string[], readonly Claim[]]>([
    ['what is written for what', firstCells('| you want | write |'), PROPS],
    ['what a request must be', firstCells('| profile | the client sends | checked |'), PROFILES],
    ['how it is run', firstCells('| | |'), OPERATION],
  ])('has every row of the table of %s, in its order', (_, rows, claims) => {
    expect(rows.length).toBeGreaterThan(4);
    expect(claims.map((claim) => claim.claims)).toEqual(rows);
  });
  it('has a claim of every sentence that promises something, and no other', () => {
    const sentences = promised.split(/\. (?=[A-Z])/);
    expect(sentences.length).toBeGreaterThan(3);
    expect(sentences.filter((sentence) => !PROMISES.some(({ claims }) => sentence.includes(claims)))).toEqual(
      [],
    );
    expect(PROMISES.filter(({ claims }) => !promised.includes(claims))).toEqual([]);
  });
  it.each([...PROMISES, ...PROFILES, ...PROPS, ...OPERATION])(
    'names tests of "$claims" that there are',
    ({ shownBy }) => {
      expect(shownBy).not.toEqual([]);
      for (const test of shownBy) {
        const [file, title] = test.split(' › ');
        expect([file, existsSync(join(root, file))]).toEqual([file, true]);
        expect(read(file)).toContain(title);
      }
    },
  );
  it('is what the claims say', () => {
    const file = join(root, 'docs', 'reference', 'proof.md');
    if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page);
    expect(readFileSync(file, 'utf8')).toBe(page);
  });
});
