// Event streams: how much memory one more costs the gateway, and how late an event comes. Each is opened with a proof of its own; the backend sends every stream one event a second.
//   npm run bench -- streams [--streams 5000 --seconds 20]
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { streams: { type: 'string', default: '5000' }, seconds: { type: 'string', default: '20' } } });
const [STREAMS, SECONDS] = [Number(values.streams), Number(values.seconds)];
if (!Number.isInteger(STREAMS / 5) || STREAMS < 10 || STREAMS > 9000) throw new Error(`--streams: must be 10 to 9000, a multiple of 5, got ${values.streams}`);
if (!Number.isInteger(SECONDS) || SECONDS < 5 || SECONDS > 120) throw new Error(`--seconds: must be 5 to 120, got ${values.seconds}`);
const OPENING = 64;
const SPREAD_MS = 10;

const dir = mkdtempSync(join(tmpdir(), 'agw-streams-'));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const listen = (server) => new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(server.address().port)));
const freePort = async () => {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
};
const rssKb = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

// The backend and the clients share this process: both hold raw sockets and no more.
const open = new Set();
const backend = net.createServer({ noDelay: true }, (socket) => {
  socket.once('data', () => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    open.add(socket);
  });
  socket.on('error', () => {}).on('close', () => open.delete(socket));
});
let child;
try {
  const [backendPort, port, adminPort] = [await listen(backend), await freePort(), await freePort()];
  const as = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const client = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = client.publicKey.export({ format: 'jwk' });
  const jkt = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`).digest('base64url');
  const origin = `http://127.0.0.1:${port}`;
  writeFileSync(join(dir, 'jwks.json'), JSON.stringify({ keys: [{ ...as.publicKey.export({ format: 'jwk' }), kid: 'as-1', alg: 'RS256', use: 'sig' }] }));
  writeFileSync(join(dir, 'config.json'), JSON.stringify({
    version: 1, listen: { host: '127.0.0.1', port }, admin: { host: '127.0.0.1', port: adminPort }, publicOrigins: [origin],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }], replay: { store: 'memory' },
    routes: [{ kind: 'mcp', name: 'mcp', pathPrefix: '/mcp', auth: { profile: 'dpop', issuers: ['as'] }, backend: { url: `http://127.0.0.1:${backendPort}` } }],
    limits: { maxConnections: 20_000, maxConnectionsPerAddress: 20_000 }, upstream: { maxSockets: 20_000 }, audit: { file: join(dir, 'audit.jsonl') }, drainSeconds: 1,
  }));
  child = spawn(process.execPath, ['--max-semi-space-size=8', join(here, '..', '..', 'assets', 'proxy.mjs'), 'serve', '--config', join(dir, 'config.json')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ready = () => new Promise((resolve) => http.get(`http://127.0.0.1:${adminPort}/readyz`, (r) => resolve(r.resume().statusCode === 200)).on('error', () => resolve(false)));
  for (let i = 0; i < 400 && !await ready(); i++) await sleep(25);

  const now = Math.floor(Date.now() / 1000);
  const atInput = `${b64({ typ: 'at+jwt', alg: 'RS256', kid: 'as-1' })}.${b64({ iss: 'https://as.example', sub: 'agent', client_id: 'agent', aud: `${origin}/mcp`, iat: now, exp: now + 3600, jti: 'bench', cnf: { jkt } })}`;
  const token = `${atInput}.${sign('sha256', Buffer.from(atInput), as.privateKey).toString('base64url')}`;
  const ath = createHash('sha256').update(token).digest('base64url');
  const header = b64({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y } });
  const request = (n) => {
    const input = `${header}.${b64({ jti: `stream-${n}`, htm: 'GET', htu: `${origin}/mcp`, iat: Math.floor(Date.now() / 1000), ath })}`;
    const proof = `${input}.${sign('sha256', Buffer.from(input), { key: client.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    return `GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\nAuthorization: DPoP ${token}\r\nDPoP: ${proof}\r\n\r\n`;
  };
  let dropped = 0;
  let delays;
  const events = /data: (\d+\.\d+)/g;
  const connect = (n) => new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request(n)));
    socket.once('data', (chunk) => {
      if (!chunk.toString().startsWith('HTTP/1.1 200')) return reject(new Error(`stream ${n}: ${chunk.toString().split('\r\n')[0]}`));
      socket.on('data', (more) => { for (const [, sent] of more.toString().matchAll(events)) delays?.push(performance.now() - Number(sent)); });
      resolve(socket);
    });
    socket.on('error', reject).on('close', () => { dropped += 1; });
  });
  const sockets = [];
  const openTo = async (count) => {
    while (sockets.length < count) sockets.push(...await Promise.all(Array.from({ length: Math.min(OPENING, count - sockets.length) }, (_, i) => connect(sockets.length + i))));
  };
  const atStart = rssKb(child.pid);
  // The first fifth makes the heap's young generation grow to its size, which is no stream's: one costs what the others add.
  await openTo(STREAMS / 5);
  await sleep(500);
  const before = rssKb(child.pid);
  await openTo(STREAMS);
  // One event a second each, spread over the second as real ones are.
  const all = [...open];
  let at = 0;
  delays = [];
  const perTick = Math.ceil(all.length / (1000 / SPREAD_MS));
  const timer = setInterval(() => {
    const event = `data: ${performance.now().toFixed(3)}\n\n`;
    const chunk = `${event.length.toString(16)}\r\n${event}\r\n`;
    for (let i = 0; i < perTick; i++) all[at++ % all.length].write(chunk);
  }, SPREAD_MS);
  await sleep(SECONDS * 1000);
  clearInterval(timer);
  await sleep(200);
  const kb = rssKb(child.pid) - before;
  const lost = dropped;
  const sorted = delays.toSorted((x, y) => x - y);
  const quantile = (q) => Math.round(sorted[Math.floor(sorted.length * q)] * 100) / 100;
  for (const socket of sockets) socket.destroy();
  process.stdout.write(`${JSON.stringify({ streams: sockets.length, seconds: SECONDS, events: sorted.length, dropped: lost, kbPerStream: Math.round((kb / (sockets.length * 0.8)) * 10) / 10, totalMb: Math.round((kb + before - atStart) / 102.4) / 10, p50DelayMs: quantile(0.5), p99DelayMs: quantile(0.99), node: process.version })}\n`);
} finally {
  child?.kill('SIGTERM');
  for (const socket of open) socket.destroy();
  backend.close();
  rmSync(dir, { recursive: true, force: true });
}
