// CPU per proxied request, RFC 9449 profile: ES256 proofs, one reused RS256 access token, memory store, audit and metrics on.
// Beside it, in the same run and in turn, what it is made of: a bare node:http pass and one P-256 verification; and, on demand, another
// build of the gateway, or (--peers) the gateway with Redis and two stacks of well-known parts that remember no proof. Medians over the rounds, since a shared machine's
// speed changes from second to second. Prints one JSON object.
//   npm run bench -- proxy [--requests 20000 --against DIRECTORY_OF_ANOTHER_BUILDS_ASSETS --peers]
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { requests: { type: 'string', default: '20000' }, against: { type: 'string' }, peers: { type: 'boolean', default: false } } });
const REQUESTS = Number(values.requests);
if (!Number.isInteger(REQUESTS) || REQUESTS < 1000 || REQUESTS > 200_000) throw new Error(`--requests: must be 1000 to 200000, got ${values.requests}`);
const CONNECTIONS = 32;
const ROUNDS = 10;
const dir = mkdtempSync(join(tmpdir(), 'agw-bench-'));
const children = [];

const freePort = () => new Promise((resolve) => {
  const server = http.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const get = (url) => new Promise((resolve, reject) => http.get(url, (r) => {
  let text = '';
  r.on('data', (c) => { text += c; }).on('end', () => resolve({ status: r.statusCode, text }));
}).on('error', reject));

/** Starts a node process; resolves when `url` answers 200, with the time that took. */
async function start(args, url) {
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${args[0]} ended with ${child.exitCode}`);
    const answer = await get(url).catch(() => undefined);
    if (answer?.status === 200) return { child, ms: performance.now() - began };
    if (performance.now() - began > 10_000) throw new Error(`${args[0]}: not ready after 10 s`);
    await new Promise((r) => setTimeout(r, 5));
  }
}

/** Sends prepared requests over keep-alive connections, one at a time each; seconds, and how many were answered 200. Raw sockets: the load must not cost more than its target. */
async function load(port, requests) {
  let next = 0;
  let ok = 0;
  const began = performance.now();
  const worker = () => new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let pending = '';
    const send = () => {
      if (next === requests.length) socket.end();
      else socket.write(requests[next++]);
    };
    socket.on('connect', send).on('error', reject).on('close', resolve);
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1');
      const head = pending.indexOf('\r\n\r\n');
      if (head === -1) return;
      const length = /^content-length: (\d+)/im.exec(pending.slice(0, head));
      if (length !== null ? pending.length < head + 4 + Number(length[1]) : !pending.endsWith('0\r\n\r\n')) return;
      if (pending.startsWith('HTTP/1.1 200')) ok += 1;
      pending = '';
      send();
    });
  });
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return { seconds: (performance.now() - began) / 1000, ok };
}

const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}';
const request = (port, token, proof) => Buffer.from(`POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: ${BODY.length}\r\nAuthorization: DPoP ${token}\r\nDPoP: ${proof}\r\n\r\n${BODY}`);

try {
  const [backend, gateway, admin, bare, bareAdmin, otherPort, otherAdmin, redisPort, sharedPort, sharedAdmin, expressPort, expressAdmin, fastifyPort, fastifyAdmin, jwksPort] = await Promise.all(Array.from({ length: 15 }, freePort));
  const as = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const client = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = client.publicKey.export({ format: 'jwk' });
  const jkt = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`).digest('base64url');
  const now = Math.floor(Date.now() / 1000);
  const origin = `http://127.0.0.1:${gateway}`;

  writeFileSync(join(dir, 'jwks.json'), JSON.stringify({ keys: [{ ...as.publicKey.export({ format: 'jwk' }), kid: 'as-1', alg: 'RS256', use: 'sig' }] }));
  const configFile = (name, port, adminPort, replay) => {
    writeFileSync(join(dir, `${name}.json`), JSON.stringify({
      version: 1,
      listen: { host: '127.0.0.1', port },
      admin: { host: '127.0.0.1', port: adminPort },
      publicOrigins: [origin],
      issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
      replay,
      routes: [{ kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth: { profile: 'dpop', issuers: ['as'], audiences: [`${origin}/mcp`], proofMaxAgeSeconds: 3600 }, backend: { url: `http://127.0.0.1:${backend}` } }],
      audit: { file: join(dir, `${name}.jsonl`) },
    }));
    return join(dir, `${name}.json`);
  };

  const atInput = `${b64({ typ: 'at+jwt', alg: 'RS256', kid: 'as-1' })}.${b64({ iss: 'https://as.example', sub: 'agent', client_id: 'agent', aud: `${origin}/mcp`, iat: now, exp: now + 3600, jti: 'bench', cnf: { jkt } })}`;
  const token = `${atInput}.${sign('sha256', Buffer.from(atInput), as.privateKey).toString('base64url')}`;
  const ath = createHash('sha256').update(token).digest('base64url');
  const header = b64({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y } });
  // Ahead of now, inside the skew: made before the gateway starts, they would be older than its store.
  const proof = (n) => {
    const input = `${header}.${b64({ jti: `bench-${n}`, htm: 'POST', htu: `${origin}/mcp`, iat: now + 30, ath })}`;
    return `${input}.${sign('sha256', Buffer.from(input), { key: client.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const WARM_UP = 3000;
  const proofs = Array.from({ length: REQUESTS + WARM_UP }, (_, n) => proof(n));
  const signed = proofs[0].slice(0, proofs[0].lastIndexOf('.'));
  const signature = Buffer.from(proofs[0].slice(proofs[0].lastIndexOf('.') + 1), 'base64url');

  await start([join(here, 'servers.mjs'), 'backend', String(backend)], `http://127.0.0.1:${backend}/`);
  await start([join(here, 'servers.mjs'), 'bare', String(bare), String(backend), String(bareAdmin)], `http://127.0.0.1:${bareAdmin}/cpu`);
  // As the constructs start it.
  const serve = (assets, name, port, adminPort, replay = { store: 'memory' }) =>
    start(['--max-semi-space-size=8', join(assets, 'proxy.mjs'), 'serve', '--config', configFile(name, port, adminPort, replay)], `http://127.0.0.1:${adminPort}/readyz`);
  const { ms: readyMs } = await serve(join(here, '..', '..', 'assets'), 'ours', gateway, admin);
  if (values.against !== undefined) await serve(resolve(values.against), 'other', otherPort, otherAdmin);

  const cpuOf = (adminPort) => async () => Number((await get(`http://127.0.0.1:${adminPort}/cpu`)).text);
  const peers = {};
  if (values.peers) {
    children.push(spawn('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir], { stdio: 'ignore' }).on('error', (cause) => { throw cause; }));
    await serve(join(here, '..', '..', 'assets'), 'shared', sharedPort, sharedAdmin, { store: 'redis', url: `redis://127.0.0.1:${redisPort}` });
    http.createServer((_, response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end(readFileSync(join(dir, 'jwks.json')))).listen(jwksPort, '127.0.0.1').unref();
    for (const [name, port, adminPort] of [['express', expressPort, expressAdmin], ['fastify', fastifyPort, fastifyAdmin]]) {
      await start([join(here, 'peers.mjs'), name, String(port), String(backend), String(adminPort), `http://127.0.0.1:${jwksPort}/`, `${origin}/mcp`], `http://127.0.0.1:${adminPort}/cpu`);
      peers[name] = { port, cpu: cpuOf(adminPort) };
    }
  }
  const cpuOfGateway = (adminPort) => async () => Number(/^process_cpu_seconds_total(?:\{.*\})? ([\d.e-]+)/m.exec((await get(`http://127.0.0.1:${adminPort}/metrics`)).text)[1]);
  const requests = proofs.map((p) => request(gateway, token, p));
  const targets = {
    ours: { port: gateway, cpu: cpuOfGateway(admin) },
    bare: { port: bare, cpu: cpuOf(bareAdmin) },
    ...(values.peers ? { shared: { port: sharedPort, cpu: cpuOfGateway(sharedAdmin) }, ...peers } : {}),
    ...(values.against === undefined ? {} : { other: { port: otherPort, cpu: cpuOfGateway(otherAdmin) } }),
  };
  // Whoever passes what is forged is not measured against.
  const forged = request(gateway, token, `${proofs[0].slice(0, -8)}AAAAAAAA`);
  for (const [name, { port }] of Object.entries(targets)) {
    if (name !== 'bare' && (await load(port, [forged])).ok !== 0) throw new Error(`${name}: takes a forged proof`);
  }
  const VERIFIES = 500;
  const verifyOnce = () => verify('sha256', Buffer.from(signed), { key: client.publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  const seconds = [];
  const micros = { verify: [], ...Object.fromEntries(Object.keys(targets).map((name) => [name, []])) };
  /** One round: every target gets the same requests, one after the other, so that a slow second hits all of them. */
  const round = async (some, count) => {
    for (const [name, { port, cpu }] of Object.entries(targets)) {
      const before = await cpu();
      const { seconds: took, ok } = await load(port, some);
      if (ok !== some.length) throw new Error(`${name}: ${some.length - ok} of ${some.length} requests were not answered 200`);
      if (count) micros[name].push(((await cpu()) - before) * 1e6 / some.length);
      if (count && name === 'ours') seconds.push(took);
    }
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < VERIFIES; i++) if (!verifyOnce()) throw new Error('the proof does not verify');
    const used = process.cpuUsage({ user, system });
    if (count) micros.verify.push((used.user + used.system) / VERIFIES);
  };
  await round(requests.slice(0, WARM_UP), false);
  const size = Math.floor(REQUESTS / ROUNDS);
  for (let r = 0; r < ROUNDS; r++) await round(requests.slice(WARM_UP + r * size, WARM_UP + (r + 1) * size), true);

  const median = (numbers) => numbers.toSorted((x, y) => x - y)[Math.floor(numbers.length / 2)];
  const tenths = (n) => Math.round(n * 10) / 10;
  const hundredths = (n) => Math.round(n * 100) / 100;
  const perRound = (of) => micros.ours.map((_, r) => of(r));
  process.stdout.write(`${JSON.stringify({
    requests: size * ROUNDS,
    rounds: ROUNDS,
    cpuMicrosPerRequest: tenths(median(micros.ours)),
    quietestRoundCpuMicros: tenths(Math.min(...micros.ours)),
    requestsPerSecond: Math.round(size / median(seconds)),
    bareProxyCpuMicros: tenths(median(micros.bare)),
    p256VerifyCpuMicros: tenths(median(micros.verify)),
    ratioToBarePlusVerify: hundredths(median(perRound((r) => micros.ours[r] / (micros.bare[r] + micros.verify[r])))),
    ...(values.against === undefined ? {} : { otherCpuMicros: tenths(median(micros.other)), ratioToOther: hundredths(median(perRound((r) => micros.ours[r] / micros.other[r]))) }),
    ...(values.peers ? {
      redisCpuMicros: tenths(median(micros.shared)),
      redisAddsCpuMicros: tenths(median(perRound((r) => micros.shared[r] - micros.ours[r]))),
      expressStackCpuMicros: tenths(median(micros.express)),
      expressStackToOurs: hundredths(median(perRound((r) => micros.express[r] / micros.ours[r]))),
      fastifyStackCpuMicros: tenths(median(micros.fastify)),
      fastifyStackToOurs: hundredths(median(perRound((r) => micros.fastify[r] / micros.ours[r]))),
    } : {}),
    startToReadyMs: Math.round(readyMs),
    node: process.version,
  })}\n`);
} finally {
  for (const child of children) child.kill('SIGTERM');
  rmSync(dir, { recursive: true, force: true });
}
