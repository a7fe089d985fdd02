// Coverage-guided fuzzing of what reads strangers' bytes. The sources are counted by istanbul, statement by
// statement and branch by branch; an input that reaches something new is kept and changed further. What is
// wrong is saved, printed, and ends the run with 1; it then becomes a case of the ordinary tests.
//   FUZZ_SECONDS=300 npm run fuzz [-- TARGET ...] [--seed N] [--keep] [--input FILE]
// FUZZ_SECONDS: of all targets together. keep: inputs that reached something new go into the corpus. input:
// runs this one file against the named target.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import instrumenters from 'istanbul-lib-instrument';

const here = dirname(fileURLToPath(import.meta.url));
const FOUND = join(here, 'found');
/** An input that takes longer never ends. */
const HANG_MS = 5_000;
/** Kept in the corpus: small enough to read. */
const KEEP_BYTES = 512;
const MAX_INPUT_BYTES = 65_536;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    keep: { type: 'boolean', default: false },
    input: { type: 'string' },
  },
});
const seconds = Number(process.env.FUZZ_SECONDS ?? 300);
const seed = Number(values.seed);
if (!(seconds >= 1) || !Number.isInteger(seed)) {
  process.stderr.write('fuzz: FUZZ_SECONDS must be at least 1, --seed a whole number\n');
  process.exit(2);
}

/**
 * The targets with what they call of ours, counted; libraries stay as they are. Beside the sources' libraries,
 * so that they are found.
 */
async function instrument(dir) {
  const { outputFiles } = await build({
    entryPoints: [join(here, 'targets', 'index.ts')],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node24',
    write: false,
    logLevel: 'warning',
  });
  const instrumenter = instrumenters.createInstrumenter({
    esModules: true,
    coverageVariable: '__fuzz__',
    compact: true,
  });
  const file = join(dir, 'targets.mjs');
  writeFileSync(file, instrumenter.instrumentSync(outputFiles[0].text, file));
  symlinkSync(join(here, '..', '..', 'node_modules'), join(dir, 'node_modules'));
  return file;
}

const corpusFile = (name) => join(here, 'corpus', `${name}.jsonl`);
/** One input a line, as a JSON string of its bytes. */
const corpusOf = (name) =>
  readFileSync(corpusFile(name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** One target in a thread of its own. */
function fuzz(file, name, ofSeconds) {
  const corpus = values.input === undefined ? corpusOf(name) : [readFileSync(values.input, 'latin1')];
  const current = new SharedArrayBuffer(8 + MAX_INPUT_BYTES);
  const words = new Int32Array(current, 0, 2);
  const worker = new Worker(join(here, 'thread.mjs'), {
    workerData: {
      file,
      name,
      corpus,
      seconds: values.input === undefined ? ofSeconds : 0.001,
      seed,
      current,
    },
  });
  return new Promise((resolve, reject) => {
    let before = -1;
    const watch = setInterval(() => {
      const now = Atomics.load(words, 0);
      if (now !== before || now === 0) return void (before = now);
      clearInterval(watch);
      const found = Buffer.from(current.slice(8, 8 + words[1])).toString('latin1');
      void worker.terminate();
      resolve({ name, runs: now, found, id: `hang-${now}`, fault: `not done after ${HANG_MS} ms` });
    }, HANG_MS);
    worker.once('error', reject).once('message', (result) => {
      clearInterval(watch);
      resolve(result);
    });
  });
}

function report({ name, runs, covered, counters, kept, found, id, fault }) {
  if (found === undefined) {
    process.stdout.write(`${name}: ${runs} inputs, ${covered} of ${counters} counters, ${kept.length} new\n`);
    const small = kept.filter((text) => text.length <= KEEP_BYTES);
    if (values.keep && small.length > 0)
      writeFileSync(
        corpusFile(name),
        `${[...corpusOf(name), ...small].map((text) => JSON.stringify(text)).join('\n')}\n`,
      );
    return;
  }
  mkdirSync(FOUND, { recursive: true });
  const saved = join(FOUND, `${name}-${id}`);
  writeFileSync(saved, found, 'latin1');
  process.stdout.write(
    `${name}: FOUND after ${runs} inputs: ${JSON.stringify(found)}\n${fault}\nsaved as ${saved}; again: npm ` +
      `run fuzz -- ${name} --input ${saved}\n`,
  );
}

const dir = mkdtempSync(join(tmpdir(), 'agw-fuzz-'));
try {
  const file = await instrument(dir);
  const { TARGETS } = await import(pathToFileURL(file).href);
  const all = TARGETS.map(({ name }) => name);
  const unknown = positionals.find((name) => !all.includes(name));
  if (unknown !== undefined || (values.input !== undefined && positionals.length !== 1))
    throw new Error(
      `fuzz: name ${values.input === undefined ? 'targets' : 'one target'} of ${all.join(', ')}`,
    );
  const named = positionals.length > 0 ? positionals : all;
  process.stdout.write(`fuzz: seed ${seed}, ${seconds} s for ${named.join(', ')}\n`);
  let faults = 0;
  for (const name of named) {
    const result = await fuzz(file, name, seconds / named.length);
    report(result);
    if (result.found !== undefined) faults += 1;
  }
  process.stdout.write(`fuzz: ${named.length - faults} passed, ${faults} failed\n`);
  process.exitCode = faults === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true });
}
