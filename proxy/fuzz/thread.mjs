// Fuzzes one target: keeps inputs that ran what none before did, and changes them further. A thread of its own,
// so that an input that never ends can be seen from outside.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { mutate, random } from './mutate.mjs';

const { file, name, corpus, seconds, seed, current } = workerData;
const { TARGETS } = await import(file);
const target = TARGETS.find((t) => t.name === name);
/** Where the watcher sees what is being run: a count, a length, the bytes. */
const shown = { words: new Int32Array(current, 0, 2), bytes: Buffer.from(current, 8) };

/** All counters of the instrumented sources, as arrays: [object, key]. */
const counters = Object.values(globalThis.__fuzz__ ?? {}).flatMap(({ s, f, b }) => [
  ...Object.keys(s).map((key) => [s, key]),
  ...Object.keys(f).map((key) => [f, key]),
  ...Object.values(b).flatMap((branch) => Object.keys(branch).map((key) => [branch, key])),
]);
/** Of each counter the kinds of counts there have been: once, twice, a few times, often. */
const known = new Uint8Array(counters.length);
const kindOf = (count) => (count < 4 ? 1 << (count - 1) : count < 16 ? 8 : count < 128 ? 16 : 32);

/** Runs one input; returns how many counters got a count of a kind that they never had. */
async function run(input) {
  shown.words[1] = input.length;
  input.copy(shown.bytes);
  Atomics.add(shown.words, 0, 1);
  const checked = target.check(input);
  if (checked !== undefined) await checked;
  let fresh = 0;
  for (let i = 0; i < counters.length; i++) {
    const [object, key] = counters[i];
    const count = object[key];
    if (count === 0) continue;
    object[key] = 0;
    const kind = kindOf(count);
    if ((known[i] & kind) !== 0) continue;
    known[i] |= kind;
    fresh += 1;
  }
  return fresh;
}
const faultOf = (input) =>
  run(input).then(
    () => undefined,
    (cause) => cause,
  );

/** The same fault from less. */
async function smallest(input) {
  let best = input;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.length;) {
      const less = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if ((await faultOf(less)) === undefined) at += size;
      else best = less;
    }
  }
  return best;
}

const r = random(seed);
const kept = corpus.map((text) => Buffer.from(text, 'latin1'));
const given = kept.length;
const end = performance.now() + seconds * 1000;
let runs = 0;
let found;
for (; found === undefined && performance.now() < end; runs++) {
  const input = runs < given ? kept[runs] : mutate(r, r.of(kept), target, r.of(kept));
  try {
    if ((await run(input)) > 0 && runs >= given) kept.push(Buffer.from(input));
  } catch {
    found = await smallest(Buffer.from(input));
  }
}
const fault = found === undefined ? undefined : await faultOf(found);
parentPort.postMessage({
  name,
  runs,
  covered: known.reduce((sum, kinds) => sum + (kinds === 0 ? 0 : 1), 0),
  counters: counters.length,
  kept: kept.slice(given).map((bytes) => bytes.toString('latin1')),
  ...(found === undefined
    ? {}
    : {
        found: found.toString('latin1'),
        id: createHash('sha256').update(found).digest('hex').slice(0, 12),
        fault: fault?.stack ?? 'it does not come again: the target keeps state',
      }),
});
