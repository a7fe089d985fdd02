// Siege: each attack of proxy/bench/siege/attacks at a fixed size against the shipped bundle, started as the
// constructs start it and in the memory that they give it, with an honest client beside it. Attacker, backend,
// client and gateway are four processes on the same cores. A siege is withstood when the honest client's p99
// stays under five times its quiet value plus 50 ms, none of its requests fails, the gateway lives and its
// memory stays under the limit of its pod. Where the machine forbids that p99, the same attack is made on a
// bare reverse proxy of Node in the same run (floor.mjs), and the gateway's must come within a tenth of it. Where
// other processes take more than a fifth of the processors, a p99 beyond that is not judged, and the siege
// counts as skipped.
//   npm run siege [-- [NAME ...] [--docs] [--against DIRECTORY_OF_ANOTHER_BUILDS_ASSETS]]
// docs: writes the table into docs/benchmarks.md.
import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ASSETS, here, quantile, rounded, sleep } from '../bed.mjs';
import { row as rowOf, writeBenchmarks } from '../benchmarks-page.mjs';
import * as ground from './field.mjs';
import { createHonestClient } from './honest.mjs';

/** How long the honest client is watched; an attack that needs longer to send all it has says so (`siegeMs`). */
const [QUIET_MS, SIEGE_MS] = [1_000, 2_000];
/** Of the honest client: so many times its quiet p99, and so many milliseconds more. */
const BOUND = { times: 5, plusMs: 50 };
/** Of the floor, where that is above the bound. */
const OVER_FLOOR = 1.1;
/** A bound that is broken in a loud minute may hold in the next; one that is broken so many times is broken. */
const TRIES = 5;
/** Of the machine's processors: with more of them taken by processes that are none of ours, times say nothing. */
const MOST_FOREIGN = 0.2;
/** Of the honest client; the authorization server answers it in 800 ms where it is asked. */
const PER_SECOND = { usual: 100, introspected: 20 };
/**
 * Connections that are left free, and streams of one caller, who has a rate limit. The kernel shares connections out
 * between threads by chance, and each thread takes no more than its share: a hundred are more than three deviations.
 */
const [LEFT_FREE, STREAMS_OF_ONE] = [200, 90];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { docs: { type: 'boolean', default: false }, against: { type: 'string', default: ASSETS } },
});
const known = readdirSync(join(here, 'siege', 'attacks')).map((file) => file.replace(/\.mjs$/, ''));
const unknown = positionals.find((name) => !known.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`siege: must be of ${known.join(', ')}, got ${JSON.stringify(unknown)}\n`);
  process.exit(2);
}
const named = positionals.length > 0 ? positionals : known;
const attacks = await Promise.all(named.map(async (name) => (await import(`./attacks/${name}.mjs`)).default));
/** One thread over HTTP/1.1, two over HTTP/2 where the attack speaks it. */
const sieges = attacks.flatMap((attack) => [
  { attack, workers: 1, http2: attack.http1 === false },
  { attack, workers: 2, http2: attack.http2 === true },
]);

/** The reader of stderr goes, and then the gateway has something to say: its new config is refused. */
function loseStderr({ child, config, configFile }) {
  child.stderr.destroy();
  writeFileSync(configFile, JSON.stringify({ ...config, version: 99 }));
  child.kill('SIGHUP');
}

/** The honest client's quiet minute, then the attack beside it. @param besiege begins what is beside the attack */
async function watch({ attack, http2 }, { child, port, config }, { field, backend, besiege = () => {} }) {
  const target = {
    port,
    caFile: http2 ? field.certFile : undefined,
    issuerPem: field.issuerPem,
    origin: ground.ORIGIN,
    ...(attack.mostStreams ? { streams: streamsIn(config.limits.maxConnections) } : {}),
  };
  const opaque = attack.opaqueVictim === true;
  const perSecond = opaque ? PER_SECOND.introspected : PER_SECOND.usual;
  const honest = createHonestClient({ ...target, isHttp2: http2, opaque, perSecond });
  const attacker = ground.startAttacker(attack.name);
  try {
    await attacker.order('prepare', { ...target, http2 });
    await honest.warmUp();
    const quiet = await honest.observe(QUIET_MS);
    if (quiet.faults.length > 0) throw new Error(`${attack.name}, before the attack: ${quiet.faults[0]}`);
    const foreign = foreignShare([child, attacker, backend, process]);
    const cpuBefore = ground.cpuMillis(child);
    const began = attacker.order('start');
    besiege();
    if (attack.opensFirst) await began;
    const [besieged] = await Promise.all([honest.observe(attack.siegeMs ?? SIEGE_MS), began]);
    const cpuMs = ground.cpuMillis(child) - cpuBefore;
    const memory = ground.peakMebibytes(child);
    const others = foreign();
    const tally = await attacker.order('stop');
    return { quiet, besieged, cpuMs, memory, others, tally };
  } finally {
    attacker.close();
    honest.close();
  }
}

/** Of all processors, what others than these take from now on. */
function foreignShare(ours) {
  const began = performance.now();
  const used = () =>
    ground.machineCpuMillis() - ours.reduce((sum, one) => sum + (ground.cpuMillis(one) ?? 0), 0);
  const before = used();
  return () => Math.max(0, (used() - before) / (performance.now() - began) / availableParallelism());
}

const streamsIn = (connections) => ({
  callers: Math.floor((connections - LEFT_FREE) / STREAMS_OF_ONE),
  each: STREAMS_OF_ONE,
});

async function end(child) {
  child.kill('SIGKILL');
  await sleep(50);
}

async function hold(siege, { field, backend, pods }) {
  const { attack, workers, http2 } = siege;
  const pod = pods[workers];
  const assets = values.against;
  const gateway = await ground.startGateway(attack, { pod, field, backend, http2, assets });
  try {
    const besiege = () => attack.stderrGoes && loseStderr(gateway);
    const seen = await watch(siege, gateway, { field, backend, besiege });
    const { exitCode, signalCode } = gateway.child;
    return { ...seen, limit: pod.mebibytes, ended: exitCode ?? signalCode, said: gateway.said() };
  } finally {
    await end(gateway.child);
  }
}

/** The same attack on a bare reverse proxy. */
async function floorOf(siege, config, { field, backend }) {
  const floor = await ground.startFloor({ field, backend, tls: siege.http2 });
  try {
    const { besieged } = await watch(siege, { ...floor, config }, { field, backend });
    return quantile(besieged.took, 0.99);
  } finally {
    await end(floor.child);
  }
}

/** A row of the table; `faults`: what did not hold. */
async function judge(siege, seen, surroundings) {
  const { attack, workers, http2 } = siege;
  const { quiet, besieged, cpuMs, memory, limit, ended, said, tally, others } = seen;
  const [quietMs, siegeMs] = [quantile(quiet.took, 0.99), quantile(besieged.took, 0.99)];
  const bound = BOUND.times * quietMs + BOUND.plusMs;
  const { config } = surroundings.pods[workers];
  const floorMs = siegeMs > bound ? await floorOf(siege, config, surroundings) : undefined;
  const most = Math.max(bound, OVER_FLOOR * (floorMs ?? 0));
  const { faults: failed, took } = besieged;
  const isLate = siegeMs > most;
  const hard = [
    ...(memory === undefined || ended !== null
      ? [`the gateway ended (${ended}): ${/FATAL.*|Error.*/.exec(said)?.[0] ?? ''}`]
      : []),
    ...(memory > limit ? [`${memory} MiB of ${limit}`] : []),
    ...(failed.length > 0 ? [`${failed.length} of ${took.length} honest requests failed: ${failed[0]}`] : []),
    ...shownBy(attack, tally, config),
  ];
  const late = isLate && others <= MOST_FOREIGN;
  const faults = [...hard, ...(late ? [`p99 ${rounded(siegeMs)} ms, at most ${rounded(most)}`] : [])];
  return {
    name: attack.name,
    what: attack.what,
    how: `HTTP/${http2 ? 2 : 1.1}, ${workers} thread${workers === 1 ? '' : 's'}`,
    quietMs: rounded(quietMs),
    siegeMs: rounded(siegeMs),
    bound: rounded(bound),
    floorMs: floorMs === undefined ? undefined : rounded(floorMs),
    ownDelayMs: rounded(besieged.ownDelayMs),
    cpuMs,
    failed: failed.length,
    requests: took.length,
    memory: memory ?? '-',
    limit,
    tally,
    isLate,
    isOnlyLate: isLate && hard.length === 0,
    others,
    faults,
  };
}

/** What an attack must have done, or nothing was shown. */
function shownBy({ mostStreams }, tally, { limits }) {
  if ((tally.connections ?? 0) === 0) return ['the attacker got no connection: nothing was shown'];
  if (!mostStreams) return [];
  const { callers, each } = streamsIn(limits.maxConnections);
  const opened = tally['200'] ?? 0;
  return opened < callers * each ? [`${opened} of ${callers * each} streams were opened`] : [];
}

function verdictOn({ faults, isLate, others }) {
  if (faults.length > 0) return `FELL: ${faults.join('; ')}`;
  return isLate ? `p99 not judged: others took ${Math.round(100 * others)} % of the processors` : 'held';
}

const say = (row) => {
  const floor = row.floorMs === undefined ? '' : `, floor ${row.floorMs} ms`;
  process.stdout.write(
    `${row.name} (${row.how}): p99 ${row.quietMs} -> ${row.siegeMs} ms (at most ${row.bound}${floor}; the ` +
      `client's own delay ${row.ownDelayMs}), ${row.failed} of ${row.requests} failed, ` +
      `${row.memory} of ${row.limit} MiB, ${row.cpuMs} ms CPU; ${JSON.stringify(row.tally)}: ${verdictOn(row)}\n`,
  );
};

const field = ground.openField();
const backend = await ground.startBackend();
const rows = [];
try {
  const surroundings = { field, backend, pods: ground.podsOf(field.jwksFile) };
  for (const siege of sieges) {
    let row;
    for (let tried = 0; tried < TRIES && (row === undefined || row.isOnlyLate); tried++) {
      row = await judge(siege, await hold(siege, surroundings), surroundings);
      say(row);
    }
    rows.push(row);
  }
} finally {
  backend.close();
  field.close();
}
const fell = rows.filter(({ faults }) => faults.length > 0);
const unjudged = rows.filter(({ faults, isLate }) => faults.length === 0 && isLate);
const passed = rows.length - fell.length - unjudged.length;
process.stdout.write(`siege: ${passed} passed, ${fell.length} failed, ${unjudged.length} skipped\n`);
process.exitCode = fell.length === 0 ? 0 : 1;
if (values.docs && passed === rows.length) writeBenchmarks({ sections: { Siege: table(rows) } });

function table(measured) {
  const lines = measured.map((r) =>
    rowOf(
      r.what,
      r.how,
      `${r.quietMs} -> ${r.siegeMs} ms`,
      `${r.bound} ms${r.floorMs === undefined ? '' : `; floor ${r.floorMs} ms`}`,
      `${r.failed} of ${r.requests}`,
      `${r.memory} of ${r.limit} MiB`,
      `${r.cpuMs} ms`,
    ),
  );
  const day = new Date().toISOString().slice(0, 10);
  const { usual, introspected } = PER_SECOND;
  return `Measured by \`npm run siege -- --docs\` on ${day}, ${availableParallelism()} cores shared by
gateway, attacker, backend and honest client, Node ${process.version}. The gateway is started with the flags, the memory
and the config that the constructs give it. Each attack has a fixed size and goes on while the honest client, on another
address and in the same protocol, sends ${usual} requests a second (${introspected} where its tokens are introspected)
for ${SIEGE_MS / 1000} s, or as long as the attack takes.

Its p99 must stay under ${BOUND.times} times its quiet value plus ${BOUND.plusMs} ms, none of its requests may fail, and
the gateway's memory must stay under the limit of its pod (the most that was resident; what lies in sockets is the
kernel's). Where p99 is beyond that, the same attack is made in the same run on a bare reverse proxy of Node, which
passes on small requests, answers others at once and drops their bodies: that is the floor, and p99 may be a tenth above
it. CPU is what the gateway used in that time, for the attack and the honest client.

| attack | how | p99 of the honest client | at most | failed | memory | CPU |
|---|---|---|---|---|---|---|
${lines.join('\n')}`;
}
