// What two threads carry over one: requests a second at full load, in turn. Load and backend, which are this
// process, run on the same two cores, so the requests are dear ones, each with an access token of its own and
// both signatures ES384, twenty times what a P-256 verification takes; and what they still take of two busy
// cores is measured, and taken off: `ratio` is of the cores that the gateway had, `ratioAsSeen` of all. With
// one thread they have a core of their own. Prints one JSON object.
//   npm run bench -- workers [--requests 3000]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startBackend } from './backend.mjs';
import { load, median, openBed, postOf, rounded } from './bed.mjs';

const { values } = parseArgs({ options: { requests: { type: 'string', default: '3000' } } });
const REQUESTS = Number(values.requests);
if (!Number.isInteger(REQUESTS) || REQUESTS < 500 || REQUESTS > 20_000)
  throw new Error(`--requests: must be 500 to 20000, got ${values.requests}`);
const [ROUNDS, CONNECTIONS] = [7, 32];
const CORES = availableParallelism();
if (CORES < 2) throw new Error('needs two cores');
/** With a third core, load and backend take nothing of the gateway's. */
const SHARED = CORES === 2;

// In this process: one less that wants a core.
const { port: backend, close } = await startBackend();
const bed = openBed({ alg: 'ES384', tokenAlg: 'ES384' });
try {
  const origin = 'http://127.0.0.1';
  const gateways = {
    one: await bed.startGateway({ name: 'one', backend, origin, workers: 1 }),
    two: await bed.startGateway({ name: 'two', backend, origin, workers: 2 }),
  };
  const { tokenOf, proof } = bed.signer(origin);
  let made = 0;
  const perSecond = { one: [], two: [] };
  const micros = { one: [], two: [] };
  const others = { one: [], two: [] };
  for (let round = -1; round < ROUNDS; round++) {
    const requests = Array.from({ length: REQUESTS }, () => {
      const token = tokenOf(made);
      return postOf(token, proof(made++, token));
    });
    for (const [name, { port, cpu }] of Object.entries(gateways)) {
      const [before, own] = [await cpu(), process.cpuUsage()];
      const { seconds, ok } = await load(port, requests, { connections: CONNECTIONS });
      if (ok !== REQUESTS)
        throw new Error(`${name}: ${REQUESTS - ok} of ${REQUESTS} requests were not answered 200`);
      const { user, system } = process.cpuUsage(own);
      if (round < 0) continue;
      others[name].push((user + system) / REQUESTS);
      perSecond[name].push(REQUESTS / seconds);
      micros[name].push((((await cpu()) - before) * 1e6) / REQUESTS);
    }
    // Of the same proofs every one is used up in both: a store of its own each.
  }
  const seen = perSecond.one.map((one, r) => perSecond.two[r] / one);
  const ratios = seen.map((ratio, r) =>
    SHARED ? ratio / (1 - (perSecond.two[r] * others.two[r]) / 1e6 / CORES) : ratio,
  );
  process.stdout.write(
    `${JSON.stringify({
      requests: REQUESTS,
      rounds: ROUNDS,
      onePerSecond: Math.round(median(perSecond.one)),
      twoPerSecond: Math.round(median(perSecond.two)),
      ratio: rounded(median(ratios), 2),
      ratioAsSeen: rounded(median(seen), 2),
      oneCpuMicros: rounded(median(micros.one)),
      twoCpuMicros: rounded(median(micros.two)),
      othersCpuMicros: rounded(median(others.two)),
      node: process.version,
    })}\n`,
  );
} finally {
  bed.close();
  close();
}
