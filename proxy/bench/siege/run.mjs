// Siege: each attack of proxy/bench/siege/attacks at a fixed size against the shipped bundle, started as the
// constructs start it and in the memory that they give it, with an honest client beside it. Attacker, backend,
// client and gateway are four processes on the same cores. A siege is withstood when the honest client's p99
// stays under five times its quiet value plus 50 ms, none of its requests fails, the gateway lives and its
// memory stays under the limit of its pod.
//   npm run siege [-- [NAME ...] [--docs] [--against DIRECTORY_OF_ANOTHER_BUILDS_ASSETS]]
// docs: writes the table into docs/benchmarks.md.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ASSETS, here, quantile, rounded, sleep } from '../bed.mjs';
import {
  ORIGIN,
  openField,
  peakMebibytes,
  podsOf,
  startAttacker,
  startBackend,
  startGateway,
} from './field.mjs';
import { createHonestClient } from './honest.mjs';

const [QUIET_MS, SIEGE_MS] = [1_000, 3_000];
/** Of the honest client: so many times its quiet p99, and so many milliseconds more. */
const BOUND = { times: 5, plusMs: 50 };
/** Of the honest client; the authorization server answers it in 800 ms where it is asked. */
const PER_SECOND = { usual: 60, introspected: 20 };
const DOCS = join(here, '..', '..', 'docs', 'benchmarks.md');

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
/** One thread over each protocol, two threads over the first of them. */
const sieges = attacks.flatMap((attack) => {
  const protocols = [...(attack.http1 === false ? [] : [false]), ...(attack.http2 ? [true] : [])];
  return attack.workers.flatMap((workers) =>
    protocols
      .filter((http2) => workers === 1 || http2 === protocols[0])
      .map((http2) => ({ attack, workers, http2 })),
  );
});

/** The reader of stderr goes, and then the gateway has something to say: its new config is refused. */
function loseStderr({ child, config, configFile }) {
  child.stderr.destroy();
  writeFileSync(configFile, JSON.stringify({ ...config, version: 99 }));
  child.kill('SIGHUP');
}

async function hold({ attack, workers, http2 }, { field, backend, pods }) {
  const pod = pods[workers];
  const gateway = await startGateway(attack, { pod, field, backend, http2, assets: values.against });
  const target = {
    port: gateway.port,
    caFile: http2 ? field.certFile : undefined,
    issuerPem: field.issuerPem,
    origin: ORIGIN,
  };
  const opaque = attack.opaqueVictim === true;
  const perSecond = opaque ? PER_SECOND.introspected : PER_SECOND.usual;
  const honest = createHonestClient({ ...target, opaque, perSecond });
  const attacker = startAttacker(attack.name);
  try {
    await attacker.order('prepare', { ...target, http2 });
    await honest.warmUp();
    const quiet = await honest.observe(QUIET_MS);
    if (quiet.faults.length > 0) throw new Error(`${attack.name}, before the attack: ${quiet.faults[0]}`);
    const began = attacker.order('start');
    if (attack.stderrGoes) loseStderr(gateway);
    const [besieged] = await Promise.all([honest.observe(SIEGE_MS), began]);
    const memory = peakMebibytes(gateway.child);
    const tally = await attacker.order('stop');
    return judge({ attack, workers, http2, quiet, besieged, memory, limit: pod.mebibytes, tally, gateway });
  } finally {
    attacker.close();
    honest.close();
    gateway.child.kill('SIGKILL');
    await sleep(50);
  }
}

/** A row of the table; `faults`: what did not hold. */
function judge({ attack, workers, http2, quiet, besieged, memory, limit, tally, gateway }) {
  const [quietMs, siegeMs] = [quantile(quiet.took, 0.99), quantile(besieged.took, 0.99)];
  const most = BOUND.times * quietMs + BOUND.plusMs;
  const { faults: failed, took } = besieged;
  const { exitCode, signalCode } = gateway.child;
  const faults = [
    ...(memory === undefined || exitCode !== null || signalCode !== null
      ? [
          `the gateway ended (${exitCode ?? signalCode}): ${/FATAL.*|Error.*/.exec(gateway.said())?.[0] ?? ''}`,
        ]
      : []),
    ...(memory > limit ? [`${memory} MiB of ${limit}`] : []),
    ...(failed.length > 0 ? [`${failed.length} of ${took.length} honest requests failed: ${failed[0]}`] : []),
    ...(siegeMs > most ? [`p99 ${rounded(siegeMs)} ms, at most ${rounded(most)}`] : []),
    ...((tally.connections ?? 0) === 0 ? ['the attacker got no connection: nothing was shown'] : []),
  ];
  return {
    name: attack.name,
    what: attack.what,
    how: `HTTP/${http2 ? 2 : 1.1}, ${workers} thread${workers === 1 ? '' : 's'}`,
    quietMs: rounded(quietMs),
    siegeMs: rounded(siegeMs),
    failed: failed.length,
    requests: took.length,
    memory: memory ?? '-',
    limit,
    tally,
    faults,
  };
}

const field = openField();
const backend = await startBackend();
const rows = [];
try {
  const pods = podsOf(field.jwksFile);
  for (const siege of sieges) {
    const row = await hold(siege, { field, backend, pods });
    rows.push(row);
    const verdict = row.faults.length === 0 ? 'held' : `FELL: ${row.faults.join('; ')}`;
    process.stdout.write(
      `${row.name} (${row.how}): p99 ${row.quietMs} -> ${row.siegeMs} ms, ${row.failed} of ${row.requests} failed, ${row.memory} of ${row.limit} MiB; ${JSON.stringify(row.tally)}: ${verdict}\n`,
    );
  }
} finally {
  backend.close();
  field.close();
}
const fell = rows.filter(({ faults }) => faults.length > 0);
process.stdout.write(`siege: ${rows.length - fell.length} passed, ${fell.length} failed\n`);
process.exitCode = fell.length === 0 ? 0 : 1;
if (values.docs && fell.length === 0) writeFileSync(DOCS, withTable(readFileSync(DOCS, 'utf8'), rows));

/** The page of the benchmarks, with this table as its last section. */
function withTable(page, measured) {
  const head = page.split('\n## Siege\n')[0].trimEnd();
  const lines = measured.map(
    (r) =>
      `| ${r.what} | ${r.how} | ${r.quietMs} -> ${r.siegeMs} ms | ${r.failed} of ${r.requests} | ${r.memory} of ${r.limit} MiB |`,
  );
  return `${head}

## Siege

Measured by \`npm run siege -- --docs\` on ${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores shared by gateway, attacker, backend and honest client. The gateway is started with the flags, the memory
and the config that the constructs give it. The honest client's p99 must stay under ${BOUND.times} times its quiet value plus ${BOUND.plusMs} ms, none of its requests may fail, and the gateway's memory (the most that was
resident; what lies in sockets is the kernel's) must stay under the limit of its pod.

| attack | how | p99 of the honest client | failed | memory |
|---|---|---|---|---|
${lines.join('\n')}
`;
}
