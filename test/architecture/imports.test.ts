import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

/** Violations of .dependency-cruiser.cjs, as "rule: from -> to". */
function violations(): string[] {
  const out = execFileSync(
    join(root, 'node_modules', '.bin', 'depcruise'),
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'lib', 'proxy/src'],
    { cwd: root, maxBuffer: 1 << 26, encoding: 'utf8' },
  );
  const { summary } = JSON.parse(out) as {
    summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] };
  };
  expect(summary.totalCruised).toBeGreaterThan(50);
  return summary.violations.map((v) => `${v.rule.name}: ${v.from} -> ${v.to}`);
}

describe('imports', () => {
  it('go only where the architecture lets them', () => {
    expect(violations()).toEqual([]);
  }, 60_000);

  it('are caught when a check reaches for a file and a store for a stage', () => {
    const planted = join(root, 'proxy', 'src', 'checks', 'planted');
    mkdirSync(planted, { recursive: true });
    try {
      writeFileSync(
        join(planted, 'planted.ts'),
        "import { readFileSync } from 'node:fs';\nimport { rewrite } from " +
          "'../../stages/rewrite.js';\nexport const x = [readFileSync, rewrite];\n",
      );
      const names = violations().map((v) => v.split(':')[0]);
      expect(names).toEqual(expect.arrayContaining(['checks-imports', 'checks-touch-nothing']));
    } finally {
      rmSync(planted, { recursive: true });
    }
  }, 60_000);
});
