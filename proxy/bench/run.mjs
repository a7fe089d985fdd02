// npm run bench [-- proxy|verify|latency|workers|streams|all|docs] [options of the one that is named]
// verify --docs: also writes the section on proofs.
// docs: runs everything, with the peers, and writes docs/benchmarks.md from what it measured.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { row as rowOf, writeBenchmarks } from './benchmarks-page.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [first, ...rest] = process.argv.slice(2);
const named = first === undefined || first.startsWith('--') ? 'all' : first;
const options = named === first ? rest : process.argv.slice(2);
if (!['all', 'proxy', 'verify', 'latency', 'workers', 'streams', 'docs'].includes(named)) {
  process.stderr.write(
    `bench: must be proxy, verify, latency, workers, streams, all or docs, got ${JSON.stringify(named)}\n`,
  );
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

const OTHERS = ['latency', 'workers', 'streams'];
/** Longer than one asks for by hand. */
const DOCS_OPTIONS = { streams: ['--seconds', '60'] };
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
if (named === 'verify' && options.includes('--docs') && results.verify.figures !== undefined)
  writeBenchmarks({ sections: { Proofs: proofs(results.verify.figures) } });
const failed = Object.values(results).some(({ status }) => status !== 0);
process.exitCode = failed ? 1 : 0;
if (named === 'docs' && !failed) {
  const figures = ['verify', 'proxy', 'latency', 'workers', 'streams'].map((name) => results[name].figures);
  writeBenchmarks({ top: page(...figures), sections: { Proofs: proofs(results.verify.figures) } });
}

function page(v, p, l, w, s) {
  const row = (what, got, goal, met) =>
    rowOf(what, got, goal, met === undefined ? '' : met ? 'yes' : '**no**');
  return `# Benchmarks

Measured by \`npm run bench -- docs\` on ${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores shared by load, proxy and backend, Node ${p.node}; the command writes this page but for the sections below, nobody else does.
CPU is user and system time of the proxy's process for one request. Medians of ${p.rounds} rounds in turn; on a shared machine absolute figures move by a third from minute to minute, ratios within one
run by a tenth.

| what | measured | goal | met |
|---|---|---|---|
${[
  row(
    'a request through the gateway: RFC 9449, ES256, memory store, audit and metrics on',
    `${p.cpuMicrosPerRequest} µs CPU (quietest round ${p.quietestRoundCpuMicros})`,
    '',
  ),
  row('a bare `node:http` keep-alive pass, same run', `${p.bareProxyCpuMicros} µs`, ''),
  row('one P-256 verification, same run', `${p.p256VerifyCpuMicros} µs`, ''),
  row(
    'the gateway over the sum of those two',
    p.ratioToBarePlusVerify,
    '1.5 at most',
    p.ratioToBarePlusVerify <= 1.5,
  ),
  row(
    'with Redis',
    `${p.redisCpuMicros} µs, ${p.redisAddsCpuMicros} µs more`,
    '40 µs more at most',
    p.redisAddsCpuMicros <= 40,
  ),
  row(
    'express + express-oauth2-jwt-bearer + http-proxy-middleware, which remember no proof',
    `${p.expressStackCpuMicros} µs, ${p.expressStackToOurs} times the gateway`,
    '4 times at least',
    p.expressStackToOurs >= 4,
  ),
  row(
    'fastify + oauth4webapi + @fastify/http-proxy, which remember no proof',
    `${p.fastifyStackCpuMicros} µs, ${p.fastifyStackToOurs} times the gateway`,
    '4 times at least',
    p.fastifyStackToOurs >= 4,
  ),
  row(
    'the same two stacks over a bare pass and one verification: what a gateway without any cost of its own would reach',
    `${p.expressStackToFloor} and ${p.fastifyStackToFloor} times`,
    '',
  ),
  row(
    'a pass of the bytes alone, without a look at them (`node:net`), same run',
    `${p.bytesCpuMicros} µs`,
    '',
  ),
  row(
    'the same two stacks over that and one verification: what an HTTP implementation without any cost of its own would reach (decision 19)',
    `${p.expressStackToLeast} and ${p.fastifyStackToLeast} times`,
    '',
  ),
  row(
    'the checks alone, over one P-256 verification',
    v.ratioToVerify,
    '1.4 at most',
    v.ratioToVerify <= 1.4,
  ),
  row(
    `what the gateway adds to a request at ${l.perSecond} a second, half of its peak${l.othersFirst ? ' (load and backend do not wait for a core behind it)' : ''}`,
    `p50 ${l.addedP50Ms} ms, p99 ${l.addedP99Ms} ms`,
    'p99 2 ms at most',
    l.addedP99Ms <= 2,
  ),
  row(
    'two workers over one, every request with a token of its own, ES384, without what load and backend take of the same two cores',
    `${w.ratio} times (${w.twoPerSecond} and ${w.onePerSecond} requests a second, ${w.ratioAsSeen} times with it; CPU per request ${w.twoCpuMicros} and ${w.oneCpuMicros} µs, ${w.othersCpuMicros} µs of load and backend)`,
    '1.8 times at least',
    w.ratio >= 1.8,
  ),
  row('start to ready', `${p.startToReadyMs} ms`, ''),
  row(
    `memory that one more event stream takes, up to ${s.streams} open (${s.totalMb} MB for all of them)`,
    `${s.kbPerStream} KB`,
    '40 KB at most',
    s.kbPerStream <= 40,
  ),
  row(
    `delay of an event, ${s.streams} streams with one a second for ${s.seconds} s`,
    `p50 ${s.p50DelayMs} ms, p99 ${s.p99DelayMs} ms`,
    'p99 25 ms at most',
    s.p99DelayMs <= 25,
  ),
  row('streams dropped', s.dropped, '0', s.dropped === 0),
].join('\n')}
`;
}

function proofs({ proofs: costs, es256CpuMicros, node }) {
  const [dearest] = costs;
  return `Measured by \`npm run bench -- verify --docs\` on ${new Date().toISOString().slice(0, 10)}, Node ${node}: CPU of one verification of each algorithm that is accepted by default, with the longest
keys that are, over one of ES256 in the same run (${es256CpuMicros} µs). Limits count a request as what its proof costs (decision 25). The worst of the default set is ${dearest.kind}: ${dearest.ratio} times ES256.

| algorithm | µs | over ES256 | counted as |
|---|---|---|---|
${costs.map(({ kind, cpuMicros, ratio, counted }) => rowOf(kind, cpuMicros, ratio, counted)).join('\n')}`;
}
