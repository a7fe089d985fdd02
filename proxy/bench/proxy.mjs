// CPU per proxied request, RFC 9449 profile: ES256 proofs, one reused RS256 access token, memory store, audit
// and metrics on. Beside it, in the same run and in turn, what it is made of: a bare node:http pass and one
// P-256 verification; and, on demand, another build of the gateway, or (--peers) the gateway with Redis, Envoy and
// two stacks of well-known parts that remember no proof, and what only passes bytes. Medians over the rounds, since
// a shared machine's speed changes from second to second. Prints one JSON object.
//   npm run bench -- proxy [--requests 40000 --against DIRECTORY_OF_ANOTHER_BUILDS_ASSETS --peers]
import { spawn } from 'node:child_process';
import { sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startEnvoy } from './envoy.mjs';
import { freePort, get, here, load, median, openBed, postOf, rounded } from './bed.mjs';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '40000' },
    against: { type: 'string' },
    peers: { type: 'boolean', default: false },
  },
});
const REQUESTS = Number(values.requests);
if (!Number.isInteger(REQUESTS) || REQUESTS < 1000 || REQUESTS > 200_000)
  throw new Error(`--requests: must be 1000 to 200000, got ${values.requests}`);
const ROUNDS = 20;
/** As in `latency`: V8 goes on compiling for so long, and a gateway runs for days. */
const WARM_UP = 40_000;
const VERIFIES = 500;
/** Targets that only pass requests on. */
const PASSING = ['bare', 'bytes', 'envoyBare'];

const bed = openBed();
try {
  const backend = await freePort();
  await bed.start([join(here, 'servers.mjs'), 'backend', String(backend)], `http://127.0.0.1:${backend}/`);
  /** A process that says at its admin port what CPU it used. */
  const startOther = async (file, role, ...args) => {
    const [port, adminPort] = [await freePort(), await freePort()];
    await bed.start(
      [join(here, file), role, String(port), String(backend), String(adminPort), ...args],
      `http://127.0.0.1:${adminPort}/cpu`,
    );
    return { port, cpu: async () => Number((await get(`http://127.0.0.1:${adminPort}/cpu`)).text) };
  };
  const ports = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${ports[0]}`;
  const { token, proof } = bed.signer(origin);
  const proofs = Array.from({ length: REQUESTS + WARM_UP }, (_, n) => proof(n));

  const ours = await bed.startGateway({ name: 'ours', backend, origin, ports });
  const targets = { ours, bare: await startOther('servers.mjs', 'bare') };
  if (values.peers) {
    const [redisPort, jwksPort] = [await freePort(), await freePort()];
    bed.children.push(
      spawn(
        'redis-server',
        [
          '--port',
          String(redisPort),
          '--bind',
          '127.0.0.1',
          '--save',
          '',
          '--appendonly',
          'no',
          '--dir',
          bed.dir,
        ],
        { stdio: 'ignore' },
      ).on('error', (cause) => {
        throw cause;
      }),
    );
    http
      .createServer((_, response) =>
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(readFileSync(bed.jwksFile)),
      )
      .listen(jwksPort, '127.0.0.1')
      .unref();
    targets.shared = await bed.startGateway({
      name: 'shared',
      backend,
      origin,
      replay: { store: 'redis', url: `redis://127.0.0.1:${redisPort}`, epochMarginSeconds: 0 },
    });
    targets.bytes = await startOther('servers.mjs', 'bytes');
    const jwk = bed.client.publicKey.export({ format: 'jwk' });
    targets.envoy = await startEnvoy(bed, { name: 'envoy', backend, jwk });
    targets.envoyBare = await startEnvoy(bed, { name: 'envoy-bare', backend });
    for (const name of ['express', 'fastify'])
      targets[name] = await startOther('peers.mjs', name, `http://127.0.0.1:${jwksPort}/`, `${origin}/mcp`);
  }
  if (values.against !== undefined)
    targets.other = await bed.startGateway({
      name: 'other',
      backend,
      origin,
      assets: resolve(values.against),
    });

  const { host } = new URL(origin); // the peers take it for htu
  const requests = proofs.map((p) => postOf(token, p, host));
  // A peer that takes a forged proof does not do the work that it is compared for.
  const forged = postOf(token, `${proofs[0].slice(0, -8)}AAAAAAAA`, host);
  for (const [name, { port }] of Object.entries(targets)) {
    if (!PASSING.includes(name) && (await load(port, [forged], { connections: 1 })).ok !== 0)
      throw new Error(`${name}: takes a forged proof`);
  }
  // As cheap as Node can: its own conversion of `r || s`, and a key among options, cost up to a fifth more.
  const signed = Buffer.from(proofs[0].slice(0, proofs[0].lastIndexOf('.')));
  const signature = sign('sha256', signed, bed.client.privateKey);
  const verifyOnce = () => verify('sha256', signed, bed.client.publicKey, signature);
  /**
   * One round: every target gets the same requests, one after the other, so that a slow second hits all of them.
   * Returns the microseconds of CPU for one request of each target, and for one verification.
   */
  const round = async (some) => {
    const micros = {};
    let seconds;
    for (const [name, { port, cpu }] of Object.entries(targets)) {
      const before = await cpu();
      const { seconds: took, ok } = await load(port, some);
      if (ok !== some.length)
        throw new Error(`${name}: ${some.length - ok} of ${some.length} requests were not answered 200`);
      micros[name] = (((await cpu()) - before) * 1e6) / some.length;
      if (name === 'ours') seconds = took;
    }
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < VERIFIES; i++) if (!verifyOnce()) throw new Error('the proof does not verify');
    const used = process.cpuUsage({ user, system });
    micros.verify = (used.user + used.system) / VERIFIES;
    return { micros, seconds };
  };
  const warmUp = await round(requests.slice(0, WARM_UP));
  const size = Math.floor(REQUESTS / ROUNDS);
  const rounds = [];
  for (let r = 0; r < ROUNDS; r++)
    rounds.push(await round(requests.slice(WARM_UP + r * size, WARM_UP + (r + 1) * size)));

  const middle = (of) => rounded(median(rounds.map(of)));
  const ratio = (over, under) => rounded(median(rounds.map((r) => over(r) / under(r))), 2);
  const of =
    (name) =>
    ({ micros }) =>
      micros[name];
  const floor = ({ micros }) => micros.bare + micros.verify;
  process.stdout.write(
    `${JSON.stringify({
      requests: size * ROUNDS,
      rounds: ROUNDS,
      cpuMicrosPerRequest: middle(of('ours')),
      warmUpRequests: WARM_UP,
      warmUpCpuMicros: rounded(warmUp.micros.ours),
      quietestRoundCpuMicros: rounded(Math.min(...rounds.map(of('ours')))),
      requestsPerSecond: Math.round(size / median(rounds.map(({ seconds }) => seconds))),
      bareProxyCpuMicros: middle(of('bare')),
      p256VerifyCpuMicros: middle(of('verify')),
      ratioToBarePlusVerify: ratio(of('ours'), floor),
      ...(values.against === undefined
        ? {}
        : { otherCpuMicros: middle(of('other')), ratioToOther: ratio(of('ours'), of('other')) }),
      ...(values.peers
        ? {
            redisCpuMicros: middle(of('shared')),
            redisAddsCpuMicros: middle(({ micros }) => micros.shared - micros.ours),
            ...Object.fromEntries(
              ['express', 'fastify'].flatMap((name) => [
                [`${name}StackCpuMicros`, middle(of(name))],
                [`${name}StackToOurs`, ratio(of(name), of('ours'))],
              ]),
            ),
            envoyCpuMicros: middle(of('envoy')),
            envoyBareCpuMicros: middle(of('envoyBare')),
            ratioToEnvoy: ratio(of('ours'), of('envoy')),
            floorToEnvoy: ratio(floor, of('envoy')),
            bytesCpuMicros: middle(of('bytes')),
          }
        : {}),
      startToReadyMs: Math.round(ours.readyMs),
      node: process.version,
    })}\n`,
  );
} finally {
  bed.close();
}
