// npm run bench [-- proxy|verify|all] [options of the one that is named]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const [first, ...rest] = process.argv.slice(2);
const named = first === undefined || first.startsWith('--') ? 'all' : first;
const options = named === first ? rest : process.argv.slice(2);
if (!['all', 'proxy', 'verify'].includes(named)) {
  process.stderr.write(`bench: must be proxy, verify or all, got ${JSON.stringify(named)}\n`);
  process.exit(2);
}
const TRIES = 3;
const run = (file, args) => spawnSync(process.execPath, [file, ...args], { stdio: 'inherit' }).status ?? 1;
let failed = 0;
if (named !== 'proxy') {
  // TypeScript sources, as one file that any Node runs.
  const dir = mkdtempSync(join(tmpdir(), 'agw-bench-'));
  try {
    await build({ entryPoints: [join(here, 'verify.ts')], bundle: true, platform: 'node', format: 'esm', target: 'node20', outfile: join(dir, 'verify.mjs'), external: ['ioredis'], logLevel: 'warning' });
    // A bound that is broken in a loud minute may hold in the next; one that is broken three times is broken.
    let status = 1;
    for (let i = 0; i < TRIES && status !== 0; i++) status = run('--expose-gc', [join(dir, 'verify.mjs')]);
    failed += status;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
if (named !== 'verify') failed += run(join(here, 'proxy.mjs'), options);
process.exitCode = failed === 0 ? 0 : 1;
