/**
 * The attack: a client of HTTP/2 without credentials gives its streams no window, so that each refusal is given up
 * after 5 s, and ends its side of the connection just then. node:http2 shut our side down, too, and a stream that was
 * reset before that was done tripped an assertion of Node's (JSStreamSocket.doWrite), which nobody can catch: one
 * client ended the process, and every connection with it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGatewayProcess } from '../../../test/e2e/support/gateway-process.js';
import { request as ask } from '../support/gateway.js';
import { block, FLAG, frame, FRAME, makeCertificate, rawClient, request } from '../support/http2.js';
import { oneRoute } from '../support/one-route.js';

const ROUNDS = 2;
const CLIENTS = 12;
const STREAMS = 90;
/** Between the streams of a client: so far apart are the moments in which they are given up. */
const APART_MS = 5;
/** An answer of the gateway's own that nobody takes is given up after so long. */
const UNTAKEN_MS = 5_000;
/** SETTINGS_INITIAL_WINDOW_SIZE, 0. */
const NO_WINDOW = Buffer.from([0, 4, 0, 0, 0, 0]);
const MANY = { maxTokens: 100_000, tokensPerSecond: 100_000 };

const dir = mkdtempSync(join(tmpdir(), 'agw-half-closed-'));
afterAll(() => rmSync(dir, { recursive: true }));

async function attack(port: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => rawClient(port, NO_WINDOW)));
  for (const { socket } of clients) socket.removeAllListeners('error').on('error', () => {});
  const began = performance.now();
  const head = block(request('GET', '/mcp'));
  for (let i = 0; i < STREAMS; i++) {
    const get = frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 2 * i + 1, head);
    for (const { write } of clients) write(get);
    await sleep(APART_MS);
  }
  const spreadMs = performance.now() - began;
  for (const [i, { socket }] of clients.entries()) {
    await sleep(began + UNTAKEN_MS + (spreadMs * (i + 1)) / (CLIENTS + 1) - performance.now());
    socket.end();
  }
  await sleep(1_000);
  for (const { socket } of clients) socket.destroy();
}

it('ends its own connections, and nothing else', async () => {
  const gateway = await startGatewayProcess(
    oneRoute(dir, { listen: { tls: makeCertificate(dir, 'gw') }, limits: { refusalsPerAddress: MANY } }),
    { dir, name: 'half-closed' },
  );
  try {
    for (let round = 0; round < ROUNDS; round++) await attack(gateway.port);
    expect(gateway.child.exitCode).toBeNull();
    expect((await ask(gateway.adminPort, { path: '/readyz' })).status).toBe(200);
  } finally {
    await gateway.stop();
  }
}, 60_000);
