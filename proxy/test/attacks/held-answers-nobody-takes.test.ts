/**
 * The attack: on a route whose rules hide some tools an answer is held until it is known that it lists nothing, or is
 * cut. A caller fetches long ones, one after the other, over HTTP/2 without a window, and takes nothing of them. What
 * was known to be sound was no longer counted, though the gateway still had it: 40 answers took 90 MiB, and a
 * connection may have a hundred.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { begin, makeCertificate, session } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';

const ANSWERS = 8;
/** Of 8 MiB, a caller's share of what is held. */
const HELD_AT_ONCE = 4;
const LONG = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: 'x'.repeat(1_900_000) } });
const client = ec();
const dir = mkdtempSync(join(tmpdir(), 'agw-held-'));
const tls = makeCertificate(dir, 'gw');

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      const [mcp] = config.routes as [(typeof config.routes)[number]];
      const allow = [{ method: 'tools/list' }, { method: 'tools/call', names: ['seen'] }];
      config.routes = [{ ...mcp, allow }] as typeof config.routes;
      config.listen = { ...config.listen, tls };
    },
  });
});
beforeEach(() => {
  fixture.answer = (_, response) =>
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': LONG.length }).end(LONG);
});
afterAll(async () => {
  await fixture.stop();
  rmSync(dir, { recursive: true });
});

function call(of: ReturnType<typeof session>) {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const stream = begin(of, {
    method: 'POST',
    path: '/mcp',
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token),
      'content-type': 'application/json',
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"seen"}}',
  });
  return stream.on('error', () => {});
}

async function statusOf(stream: ReturnType<typeof call>): Promise<number> {
  const [headers] = (await once(stream, 'response')) as [{ ':status': number; 'retry-after'?: string }];
  expect(headers['retry-after']).toBeUndefined(); // its backend has acted on it
  return headers[':status'];
}

it('what its client does not take counts for its caller until it is gone', async () => {
  const { port } = fixture.gateway;
  const unread = session(port, tls.certFile, undefined, { settings: { initialWindowSize: 0 } });
  const statuses: number[] = [];
  for (let i = 0; i < ANSWERS; i++) statuses.push(await statusOf(call(unread)));
  expect(statuses).toEqual([...Array(HELD_AT_ONCE).fill(200), ...Array(ANSWERS - HELD_AT_ONCE).fill(503)]);
  unread.destroy();
  const reading = session(port, tls.certFile);
  await until(async () => (await statusOf(call(reading).resume())) === 200);
  reading.destroy();
});

it('so does an event', async () => {
  fixture.answer = (_, response) =>
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(`data: ${LONG}\n\n`);
  const unread = session(fixture.gateway.port, tls.certFile, undefined, {
    settings: { initialWindowSize: 0 },
  });
  for (let i = 0; i < ANSWERS; i++) expect(await statusOf(call(unread))).toBe(200);
  const ended = async () => (await fixture.audit()).filter((line) => line.ended === 'made_room');
  await until(async () => (await ended()).length === ANSWERS - HELD_AT_ONCE);
  unread.destroy();
});

it('an event that its client has taken counts no more, though its stream stands', async () => {
  fixture.answer = (_, response) =>
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(`data: ${LONG}\n\n`);
  const before = (await fixture.audit()).length;
  const reading = session(fixture.gateway.port, tls.certFile);
  for (let i = 0; i < ANSWERS; i++) {
    const stream = call(reading);
    expect(await statusOf(stream)).toBe(200);
    let length = 0;
    stream.on('data', (piece: Buffer) => {
      length += piece.length;
    });
    await until(() => length > LONG.length);
  }
  reading.destroy();
  const added = async () => (await fixture.audit()).slice(before);
  await until(async () => (await added()).length === ANSWERS);
  expect((await added()).map(({ ended }) => ended)).not.toContain('made_room');
});
