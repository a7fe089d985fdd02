// What the gateway adds to the time of a request at half of its peak: requests at a steady rate to the backend
// itself and through the gateway, in turn; quantiles of each, from when a request was due. Load, gateway and
// backend share the cores, so load and backend go first (chrt(1), where it is allowed): on machines of their
// own they would not wait for a core behind the gateway either, and it loses to them what they take. Prints one
// JSON object.
//   npm run bench -- latency [--seconds 4]
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { freePort, here, load, median, openBed, postOf, quantile, rounded } from './bed.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '4' } } });
const SECONDS = Number(values.seconds);
if (!Number.isInteger(SECONDS) || SECONDS < 1 || SECONDS > 30)
  throw new Error(`--seconds: must be 1 to 30, got ${values.seconds}`);
const [WARM_UP, PEAK_REQUESTS, ROUNDS] = [40_000, 10_000, 7];
/** Of load and backend, as `npm run bench` starts this one: what their garbage takes is not the gateway's. */
const LEAN = ['--max-semi-space-size=64'];

/** All threads of a process before those of all others that are not first. Returns whether the system let us. */
const first = (pid) =>
  spawnSync('chrt', ['--all-tasks', '--fifo', '--pid', '1', String(pid)], { stdio: 'ignore' }).status === 0;

const bed = openBed();
try {
  const backend = await freePort();
  const { child } = await bed.start(
    [...LEAN, `${here}/servers.mjs`, 'backend', String(backend)],
    `http://127.0.0.1:${backend}/`,
  );
  // The gateway is started before this process goes first, or it would inherit that.
  const gateway = await bed.startGateway({ name: 'ours', backend });
  const othersFirst = [child.pid, process.pid].map(first).every(Boolean);
  const { token, proof } = bed.signer(`http://127.0.0.1:${gateway.port}`);
  let made = 0;
  const requests = (count) => Array.from({ length: count }, () => postOf(token, proof(made++)));
  const sound = async (port, some, options) => {
    const result = await load(port, some, options);
    if (result.ok !== some.length)
      throw new Error(`${some.length - result.ok} of ${some.length} requests were not answered 200`);
    return result;
  };
  await sound(gateway.port, requests(WARM_UP));
  const peak = PEAK_REQUESTS / (await sound(gateway.port, requests(PEAK_REQUESTS))).seconds;
  const perSecond = Math.floor(peak / 2);
  const rounds = [];
  for (let r = 0; r < ROUNDS; r++) {
    const some = requests(perSecond * SECONDS);
    globalThis.gc?.();
    const { took: direct } = await sound(backend, some, { perSecond });
    const { took: through } = await sound(gateway.port, some, { perSecond });
    rounds.push(
      Object.fromEntries(
        [0.5, 0.99].flatMap((q) => [
          [`direct${q}`, quantile(direct, q)],
          [`through${q}`, quantile(through, q)],
        ]),
      ),
    );
  }
  const of = (name) => rounded(median(rounds.map((round) => round[name])), 2);
  const added = (q) => rounded(median(rounds.map((round) => round[`through${q}`] - round[`direct${q}`])), 2);
  process.stdout.write(
    `${JSON.stringify({
      peakPerSecond: Math.round(peak),
      perSecond,
      rounds: ROUNDS,
      seconds: SECONDS,
      othersFirst,
      directP50Ms: of('direct0.5'),
      directP99Ms: of('direct0.99'),
      p50Ms: of('through0.5'),
      p99Ms: of('through0.99'),
      addedP50Ms: added(0.5),
      addedP99Ms: added(0.99),
      node: process.version,
    })}\n`,
  );
} finally {
  bed.close();
}
