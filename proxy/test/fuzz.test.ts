/** What fuzzing kept (`npm run fuzz`), and what it found. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TARGETS } from '../fuzz/targets/index.js';
import { parseConfig } from '../src/config/index.js';

const corpusOf = (name: string): Buffer[] =>
  readFileSync(fileURLToPath(new URL(`../fuzz/corpus/${name}.jsonl`, import.meta.url)), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Buffer.from(JSON.parse(line) as string, 'latin1'));

it.each(TARGETS.map((target) => [target.name, target] as const))(
  'what must hold of every input holds of the corpus: %s',
  async (name, target) => {
    const corpus = corpusOf(name);
    expect(corpus.length).toBeGreaterThan(4);
    for (const input of corpus) await target.check(input);
  },
);

describe('found by fuzzing', () => {
  it.each([
    ['no name at all', { '': 1 }, 'config[""]: is not a known key'],
    ['a colon as the name', { ':': 1 }, 'config[":"]: is not a known key'],
    ['a name with a space, deeper', { limits: { 'max ': 1 } }, 'limits["max "]: is not a known key'],
  ])('an unknown key of a config is told where it is: %s', (_, config, problem) => {
    const parsed = parseConfig(config);
    expect(parsed.ok ? [] : parsed.problems).toContainEqual(expect.stringContaining(problem));
  });
});
