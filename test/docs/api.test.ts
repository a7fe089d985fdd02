/** API.md is what jsii-docgen makes of the library's docstrings; `npm test` compiles the library first. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/synth';

it('API.md is what the docstrings say; otherwise run "npx projen compile && npx projen docgen"', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-api-'));
  try {
    execFileSync('npx', ['jsii-docgen', '-o', join(dir, 'API.md')], { cwd: root, stdio: 'pipe' });
    expect(readFileSync(join(root, 'API.md'), 'utf8')).toBe(readFileSync(join(dir, 'API.md'), 'utf8'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000);
