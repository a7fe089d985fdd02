// docs/benchmarks.md: the benchmarks' own table, and a section for each of the others. Only this file writes it.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { here } from './bed.mjs';

const FILE = join(here, '..', '..', 'docs', 'benchmarks.md');
const SECTION = '\n## ';

/**
 * Replaces parts of the page, and leaves the others as they are.
 * @param top what stands before the first section
 * @param sections by heading
 */
export function writeBenchmarks({ top, sections = {} }) {
  const [topBefore, ...before] = readFileSync(FILE, 'utf8').split(SECTION);
  const all = new Map(before.map((text) => [text.split('\n', 1)[0], text.slice(text.indexOf('\n'))]));
  for (const [heading, text] of Object.entries(sections)) all.set(heading, text);
  const texts = [...all].map(([heading, text]) => `${SECTION}${heading}\n\n${text.trim()}\n`);
  writeFileSync(FILE, `${(top ?? topBefore).trimEnd()}\n${texts.join('')}`);
}

/** One row of a table in Markdown. */
export const row = (...cells) => `| ${cells.join(' | ')} |`;

const goalRow = (what, got, goal, met) =>
  row(what, got, goal, met === undefined ? '' : met ? 'yes' : '**no**');
const latencyNote = ({ othersFirst }) =>
  othersFirst ? ' (load and backend do not wait for a core behind it)' : '';
const today = () => new Date().toISOString().slice(0, 10);

/** Where what Node itself takes is beyond 1.3 times Envoy's, that is what the gateway is held to. */
function envoyGoal(p) {
  const floor = goalRow('a bare `node:http` pass and one verification, over Envoy', p.floorToEnvoy, '');
  const isForbidden = p.floorToEnvoy > 1.3;
  return isForbidden
    ? [
        floor,
        goalRow('the gateway over Envoy', p.ratioToEnvoy, ''),
        goalRow(
          'the gateway over that floor',
          p.ratioToBarePlusVerify,
          '1.15 at most',
          p.ratioToBarePlusVerify <= 1.15,
        ),
      ]
    : [floor, goalRow('the gateway over Envoy', p.ratioToEnvoy, '1.4 at most', p.ratioToEnvoy <= 1.4)];
}

/**
 * The benchmarks' own table.
 * @param v verify
 * @param p proxy, with its peers
 * @param l latency
 * @param w workers
 * @param s streams
 */
export function page(v, p, l, w, s) {
  return `# Benchmarks

Measured by \`npm run bench -- docs\` on ${today()}, ${availableParallelism()} cores shared by load, proxy and backend,
Node ${p.node}; the command writes this page but for the sections below, nobody else does. CPU is user and system time
of the proxy's process for one request, once it has answered ${p.warmUpRequests}: V8 compiles what runs often, and a
gateway runs for days. Medians of ${p.rounds} rounds in turn; on a shared machine absolute figures move by a third from
minute to minute, ratios within one run by a tenth.

| what | measured | goal | met |
|---|---|---|---|
${[
  goalRow(
    'a request through the gateway: RFC 9449, ES256, memory store, audit and metrics on',
    `${p.cpuMicrosPerRequest} µs CPU (quietest round ${p.quietestRoundCpuMicros})`,
    '',
  ),
  goalRow(`the same, the first ${p.warmUpRequests} requests of the process`, `${p.warmUpCpuMicros} µs`, ''),
  goalRow('a bare `node:http` keep-alive pass, same run', `${p.bareProxyCpuMicros} µs`, ''),
  goalRow('one P-256 verification, same run', `${p.p256VerifyCpuMicros} µs`, ''),
  goalRow(
    'the gateway over the sum of those two',
    p.ratioToBarePlusVerify,
    '1.5 at most',
    p.ratioToBarePlusVerify <= 1.5,
  ),
  goalRow(
    'with Redis',
    `${p.redisCpuMicros} µs, ${p.redisAddsCpuMicros} µs more`,
    '40 µs more at most',
    p.redisAddsCpuMicros <= 40,
  ),
  goalRow(
    'Envoy 1.40, one worker, access log, `jwt_authn` on `dpop`: verifies a signature a request, remembers no proof',
    `${p.envoyCpuMicros} µs; without that check ${p.envoyBareCpuMicros} µs`,
    '',
  ),
  ...envoyGoal(p),
  goalRow(
    'express + express-oauth2-jwt-bearer + http-proxy-middleware, which remember no proof',
    `${p.expressStackCpuMicros} µs, ${p.expressStackToOurs} times the gateway`,
    'more than twice',
    p.expressStackToOurs > 2,
  ),
  goalRow(
    'fastify + oauth4webapi + @fastify/http-proxy, which remember no proof',
    `${p.fastifyStackCpuMicros} µs, ${p.fastifyStackToOurs} times the gateway`,
    'more than twice',
    p.fastifyStackToOurs > 2,
  ),
  goalRow(
    'a pass of the bytes alone, without a look at them (`node:net`), same run',
    `${p.bytesCpuMicros} µs`,
    '',
  ),
  goalRow(
    'the checks alone, over one P-256 verification',
    v.ratioToVerify,
    '1.4 at most',
    v.ratioToVerify <= 1.4,
  ),
  goalRow(
    `what the gateway adds to a request at ${l.perSecond} a second, half of its peak${latencyNote(l)}`,
    `p50 ${l.addedP50Ms} ms, p99 ${l.addedP99Ms} ms`,
    'p99 2 ms at most',
    l.addedP99Ms <= 2,
  ),
  goalRow(
    'two workers over one, a token of its own a request, ES384, without what load and backend take of the two cores',
    `${w.ratio} times (${w.twoPerSecond} and ${w.onePerSecond} requests a second, ${w.ratioAsSeen} times with it; ` +
      `CPU per request ${w.twoCpuMicros} and ${w.oneCpuMicros} µs, ${w.othersCpuMicros} µs of load and backend)`,
    '1.8 times at least',
    w.ratio >= 1.8,
  ),
  goalRow('start to ready', `${p.startToReadyMs} ms`, ''),
  goalRow(
    `memory that one more event stream takes, up to ${s.streams} open (${s.totalMb} MB for all of them)`,
    `${s.kbPerStream} KB`,
    '40 KB at most',
    s.kbPerStream <= 40,
  ),
  goalRow(
    `delay of an event, ${s.streams} streams with one a second for ${s.seconds} s`,
    `p50 ${s.p50DelayMs} ms, p99 ${s.p99DelayMs} ms`,
    'p99 25 ms at most',
    s.p99DelayMs <= 25,
  ),
  goalRow('streams dropped', s.dropped, '0', s.dropped === 0),
].join('\n')}
`;
}

export function proofs({ proofs: costs, es256CpuMicros, node }) {
  const [dearest] = costs;
  return `Measured by \`npm run bench -- verify --docs\` on ${today()}, Node ${node}: CPU of one verification of each
algorithm that is accepted by default, with the longest keys that are, over one of ES256 in the same run
(${es256CpuMicros} µs). Limits count a request as what its proof costs (decision 25). The worst of the default set is
${dearest.kind}: ${dearest.ratio} times ES256.

| algorithm | µs | over ES256 | counted as |
|---|---|---|---|
${costs.map(({ kind, cpuMicros, ratio, counted }) => row(kind, cpuMicros, ratio, counted)).join('\n')}`;
}

/** Where the CPU of a request goes, as a CPU profile tells it. */
export function rooms({ rooms: shares, requests, cpuMicrosPerRequest, node }) {
  const micros = (percent) => Math.round((percent * cpuMicrosPerRequest) / 10) / 10;
  const rows = shares
    .filter(({ percent }) => percent >= 0.5)
    .map(({ room, percent, own, crypto, node: inNode, collecting }) =>
      row(room, `${percent} %`, micros(own), micros(crypto), micros(inNode), micros(collecting)),
    );
  return `Measured by \`npm run bench -- rooms --docs\` on ${today()}, Node ${node}: ${requests} requests
through the shipped gateway under the profiler, ${cpuMicrosPerRequest} µs each. A sample counts for the room of
proxy/src whose code runs, or has called what runs. What a room calls in node:http is what a bare pass calls too: the
server's half is in the row of Node's own, the client's half in \`upstream\`.

| room | share | its own code, µs | node:crypto, µs | other calls of Node, µs | collecting garbage, µs |
|---|---|---|---|---|---|
${rows.join('\n')}`;
}

/** What synth takes, and how it grows. */
export function synth(s) {
  return `Measured by \`npm run bench -- synth --docs\` on ${today()}, Node ${s.node}: processes of their own,
medians of three rounds. The floor is cdk8s alone, which writes the same objects in as many charts.

| what | measured | goal | met |
|---|---|---|---|
${[
  goalRow(
    '100 gateways, each with a namespace and a chart',
    `${s.gateways100Seconds} s (${s.gateways100CpuSeconds} s CPU)`,
    '4 s at most',
    s.gateways100Seconds <= 4,
  ),
  goalRow('cdk8s alone, the same objects', `${s.plain100CpuSeconds} s CPU`, ''),
  goalRow(
    'one gateway with 300 routes',
    `${s.routes300Seconds} s (${s.routes300CpuSeconds} s CPU)`,
    '3 s at most',
    s.routes300Seconds <= 3,
  ),
  goalRow(
    '200 gateways over 100, CPU',
    `${s.gateways200To100} times`,
    '2.2 times at most',
    s.gateways200To100 <= 2.2,
  ),
  goalRow('the same for cdk8s alone', `${s.plain200To100} times`, ''),
].join('\n')}`;
}
