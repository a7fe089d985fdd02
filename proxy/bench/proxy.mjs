// CPU per proxied request, RFC 9449 profile: ES256 proofs, one reused RS256 access token, memory store, audit
// and metrics on. Beside it, in the same run and in turn, what it is made of: a bare node:http pass and one
// P-256 verification; and, on demand, another build of the gateway, or (--peers) the gateway with Redis, Envoy and
// two stacks of well-known parts that remember no proof, and what only passes bytes. Medians over the rounds, since
// a shared machine's speed changes from second to second. Prints one JSON object.
//   npm run bench -- proxy [--requests 20000 --against DIRECTORY_OF_ANOTHER_BUILDS_ASSETS --peers]
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
    requests: { type: 'string', default: '20000' },
    against: { type: 'string' },
    peers: { type: 'boolean', default: false },
  },
});
const REQUESTS = Number(values.requests);
if (!Number.isInteger(REQUESTS) || REQUESTS < 1000 || REQUESTS > 200_000)
  throw new Error(`--requests: must be 1000 to 200000, got ${values.requests}`);
const ROUNDS = 10;
const WARM_UP = 3000;
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
  const seconds = [];
  const micros = { verify: [], ...Object.fromEntries(Object.keys(targets).map((name) => [name, []])) };
  /** One round: every target gets the same requests, one after the other, so that a slow second hits all of them. */
  const round = async (some, count) => {
    for (const [name, { port, cpu }] of Object.entries(targets)) {
      const before = await cpu();
      const { seconds: took, ok } = await load(port, some);
      if (ok !== some.length)
        throw new Error(`${name}: ${some.length - ok} of ${some.length} requests were not answered 200`);
      if (count) micros[name].push((((await cpu()) - before) * 1e6) / some.length);
      if (count && name === 'ours') seconds.push(took);
    }
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < VERIFIES; i++) if (!verifyOnce()) throw new Error('the proof does not verify');
    const used = process.cpuUsage({ user, system });
    if (count) micros.verify.push((used.user + used.system) / VERIFIES);
  };
  await round(requests.slice(0, WARM_UP), false);
  const size = Math.floor(REQUESTS / ROUNDS);
  for (let r = 0; r < ROUNDS; r++)
    await round(requests.slice(WARM_UP + r * size, WARM_UP + (r + 1) * size), true);

  const perRound = (of) => micros.ours.map((_, r) => of(r));
  const ratio = (over, under) => rounded(median(perRound((r) => over(r) / under(r))), 2);
  const of = (name) => (r) => micros[name][r];
  const floor = (r) => micros.bare[r] + micros.verify[r];
  process.stdout.write(
    `${JSON.stringify({
      requests: size * ROUNDS,
      rounds: ROUNDS,
      cpuMicrosPerRequest: rounded(median(micros.ours)),
      quietestRoundCpuMicros: rounded(Math.min(...micros.ours)),
      requestsPerSecond: Math.round(size / median(seconds)),
      bareProxyCpuMicros: rounded(median(micros.bare)),
      p256VerifyCpuMicros: rounded(median(micros.verify)),
      ratioToBarePlusVerify: ratio(of('ours'), floor),
      ...(values.against === undefined
        ? {}
        : { otherCpuMicros: rounded(median(micros.other)), ratioToOther: ratio(of('ours'), of('other')) }),
      ...(values.peers
        ? {
            redisCpuMicros: rounded(median(micros.shared)),
            redisAddsCpuMicros: rounded(median(perRound((r) => micros.shared[r] - micros.ours[r]))),
            ...Object.fromEntries(
              ['express', 'fastify'].flatMap((name) => [
                [`${name}StackCpuMicros`, rounded(median(micros[name]))],
                [`${name}StackToOurs`, ratio(of(name), of('ours'))],
              ]),
            ),
            envoyCpuMicros: rounded(median(micros.envoy)),
            envoyBareCpuMicros: rounded(median(micros.envoyBare)),
            ratioToEnvoy: ratio(of('ours'), of('envoy')),
            floorToEnvoy: ratio(floor, of('envoy')),
            bytesCpuMicros: rounded(median(micros.bytes)),
          }
        : {}),
      startToReadyMs: Math.round(ours.readyMs),
      node: process.version,
    })}\n`,
  );
} finally {
  bed.close();
}
