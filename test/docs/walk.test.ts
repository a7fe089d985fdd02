/** docs/walk.md names each file of a walk once, and a file that one of an earlier step imports. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { root } from '../support/synth';

interface Step {
  readonly step: string;
  readonly file: string;
  readonly from: string;
}

const ROW = /^\| (\d+) \| `([^`]+)` \| (\d+|-) \| .+ \|$/gm;

/** The steps of each walk. */
const walks = readFileSync(join(root, 'docs', 'walk.md'), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((text): [string, Step[]] => [
    text.split('\n', 1)[0],
    [...text.matchAll(ROW)].map(([, step, file, from]) => ({ step, file, from })),
  ]);

/** The files of ours that this one imports. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  return [...source.matchAll(/\bfrom '(\.[^']+)'/g)].map(([, path]) =>
    normalize(join(dirname(file), path)).replace(/(\.[jt]s)?$/, '.ts'),
  );
}

describe.each(walks)('the walk of %s', (_, steps) => {
  it('is counted through, with each file once', () => {
    expect(steps.map(({ step }) => Number(step))).toEqual(steps.map((__, at) => at + 1));
    expect(steps.length).toBeGreaterThan(20);
    expect(new Set(steps.map(({ file }) => file)).size).toBe(steps.length);
  });
  it.each(steps.map(({ step, file, from }) => [step, file, from] as const))(
    'step %s, %s, is there, and imported where it says so',
    (step, file, from) => {
      expect(existsSync(join(root, file))).toBe(true);
      if (from === '-') return;
      expect(Number(from)).toBeLessThan(Number(step));
      expect(importsOf(steps[Number(from) - 1].file)).toContain(file);
    },
  );
});

it('there are two walks', () => expect(walks).toHaveLength(2));
