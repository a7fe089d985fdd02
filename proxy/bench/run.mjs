// npm run bench [-- proxy|verify|latency|workers|streams|rooms|synth|all|docs] [options of the one that is named]
// verify, rooms, synth --docs: also writes its section of docs/benchmarks.md.
// all: what CI runs, verify and proxy.
// docs: runs everything, with the peers, and writes docs/benchmarks.md from what it measured.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { page, proofs, rooms, synth, writeBenchmarks } from './benchmarks-page.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [first, ...rest] = process.argv.slice(2);
const named = first === undefined || first.startsWith('--') ? 'all' : first;
const options = named === first ? rest : process.argv.slice(2);
const NAMES = ['proxy', 'verify', 'latency', 'workers', 'streams', 'rooms', 'synth', 'all', 'docs'];
if (!NAMES.includes(named)) {
  process.stderr.write(`bench: must be one of ${NAMES.join(', ')}, got ${JSON.stringify(named)}\n`);
  process.exit(2);
}
const TRIES = 3;

/** Runs one benchmark; its last line is its figures. @param flags of node */
function run(file, args, flags = []) {
  const { status, stdout } = spawnSync(process.execPath, [...flags, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(stdout);
  const last = stdout.toString().trim().split('\n').at(-1);
  return { status: status ?? 1, figures: status === 0 ? JSON.parse(last) : undefined };
}

/** TypeScript sources, as one file that any Node runs. */
async function verify() {
  const dir = mkdtempSync(join(tmpdir(), 'agw-bench-'));
  try {
    await build({
      entryPoints: [join(here, 'verify.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      outfile: join(dir, 'verify.mjs'),
      external: ['ioredis', 'rate-limiter-flexible'],
      logLevel: 'warning',
    });
    // A bound that is broken in a loud minute may hold in the next; one that is broken three times is broken.
    let result;
    for (let i = 0; i < TRIES && result?.status !== 0; i++)
      result = run(join(dir, 'verify.mjs'), [], ['--expose-gc']);
    return result;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
/** A load that hardly collects garbage while it measures. */
const LEAN = ['--expose-gc', '--max-semi-space-size=64'];
const bench = (name, args) =>
  run(join(here, `${name}.mjs`), args, ['latency', 'workers'].includes(name) ? LEAN : []);

const OTHERS = ['latency', 'workers', 'streams', 'rooms', 'synth'];
/** Longer than one asks for by hand; as many streams as 20 000 descriptors allow. */
const DOCS_OPTIONS = { streams: ['--streams', '4500', '--seconds', '60'] };
const results = {
  ...(['all', 'verify', 'docs'].includes(named) ? { verify: await verify() } : {}),
  ...(['all', 'proxy'].includes(named) ? { proxy: bench('proxy', options) } : {}),
  ...(named === 'docs' ? { proxy: bench('proxy', ['--peers']) } : {}),
  ...Object.fromEntries(
    OTHERS.filter((name) => named === name || named === 'docs').map((name) => [
      name,
      bench(name, named === 'docs' ? (DOCS_OPTIONS[name] ?? []) : options),
    ]),
  ),
};
const failed = Object.values(results).some(({ status }) => status !== 0);
process.exitCode = failed ? 1 : 0;
/** Section of the page -> what it is made of. */
const SECTIONS = {
  verify: ['Proofs', proofs],
  rooms: ['Where the time goes', rooms],
  synth: ['Synth', synth],
};
const sectionOf = (name) => {
  const [heading, text] = SECTIONS[name];
  return { [heading]: text(results[name].figures) };
};
if (named === 'docs' && !failed) {
  const figures = ['verify', 'proxy', 'latency', 'workers', 'streams'].map((name) => results[name].figures);
  const sections = Object.keys(SECTIONS).map(sectionOf);
  writeBenchmarks({ top: page(...figures), sections: Object.assign({}, ...sections) });
} else if (named in SECTIONS && options.includes('--docs') && !failed) {
  writeBenchmarks({ sections: sectionOf(named) });
}
