// Event streams: how much memory one more costs the gateway, and how late an event comes. Each is opened with a
// proof of its own; the backend sends every stream one event a second.
//   npm run bench -- streams [--streams 5000 --seconds 20]
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { openBed, quantile, rounded, sleep } from './bed.mjs';

const { values } = parseArgs({
  options: { streams: { type: 'string', default: '5000' }, seconds: { type: 'string', default: '20' } },
});
const [STREAMS, SECONDS] = [Number(values.streams), Number(values.seconds)];
if (!Number.isInteger(STREAMS / 5) || STREAMS < 10 || STREAMS > 9000)
  throw new Error(`--streams: must be 10 to 9000, a multiple of 5, got ${values.streams}`);
if (!Number.isInteger(SECONDS) || SECONDS < 5 || SECONDS > 120)
  throw new Error(`--seconds: must be 5 to 120, got ${values.seconds}`);
const OPENING = 64;
const SPREAD_MS = 10;

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
const bed = openBed();
try {
  const backendPort = await new Promise((resolve) =>
    backend.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => resolve(backend.address().port)),
  );
  const { child, port } = await bed.startGateway({
    name: 'ours',
    backend: backendPort,
    limits: { maxConnections: 20_000, maxConnectionsPerAddress: 20_000 },
    upstream: { maxSockets: 20_000, maxStreams: 20_000 },
  });
  const { token, proof } = bed.signer(`http://127.0.0.1:${port}`, 'GET');
  const request = (n) =>
    `GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n` +
    `Authorization: DPoP ${token}\r\nDPoP: ${proof(n)}\r\n\r\n`;
  let dropped = 0;
  let delays;
  const events = /data: (\d+\.\d+)/g;
  const connect = (n) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(request(n)));
      socket.once('data', (chunk) => {
        if (!chunk.toString().startsWith('HTTP/1.1 200'))
          return reject(
            new Error(`stream ${n}: ${chunk.toString().split('\r\n')[0]}; is ulimit -n high enough?`),
          );
        socket.on('data', (more) => {
          for (const [, sent] of more.toString().matchAll(events))
            delays?.push(performance.now() - Number(sent));
        });
        resolve(socket);
      });
      socket.on('error', reject).on('close', () => {
        dropped += 1;
      });
    });
  const sockets = [];
  const openTo = async (count) => {
    while (sockets.length < count)
      sockets.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(OPENING, count - sockets.length) }, (_, i) =>
            connect(sockets.length + i),
          ),
        )),
      );
  };
  const atStart = rssKb(child.pid);
  // The first fifth makes the heap's young generation grow to its size, which is no stream's: one costs what
  // the others add.
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
  for (const socket of sockets) socket.destroy();
  process.stdout.write(
    `${JSON.stringify({
      streams: sockets.length,
      seconds: SECONDS,
      events: delays.length,
      dropped: lost,
      kbPerStream: rounded(kb / (sockets.length * 0.8)),
      totalMb: rounded((kb + before - atStart) / 1024),
      p50DelayMs: rounded(quantile(delays, 0.5), 2),
      p99DelayMs: rounded(quantile(delays, 0.99), 2),
      node: process.version,
    })}\n`,
  );
} finally {
  for (const socket of open) socket.destroy();
  backend.close();
  bed.close();
}
