/**
 * Attack: a client asks for an event stream and sends, behind it on the same connection, a POST with a body in
 * chunks of one byte: 0.4 MB on the wire used to hold 25 MB, and ten such connections ended a process. And it
 * leaves: a gateway that had stopped reading would not notice, and its backend would go on working for nobody.
 *
 * While a request waits nothing behind it is parsed, and what is kept is bounded in bytes; so is a body that nobody
 * reads yet. A client that leaves is noticed all the same.
 */
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { gatherPieces } from '../../src/http/gather-pieces.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';
import { wire } from '../support/wire.js';

const client = ec();
let fixture: GatewayFixture;
let open = 0;
beforeAll(async () => {
  fixture = await startFixture();
});
beforeEach(() => {
  fixture.seen.length = 0;
  fixture.answer = (_, response) => {
    open += 1;
    response
      .on('close', () => {
        open -= 1;
      })
      .writeHead(200, { 'Content-Type': 'text/event-stream' })
      .write('data: 1\n\n');
  };
});
afterAll(() => fixture.stop());
const signed = (method: string, more = '') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return (
    `${method} /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: DPoP ${token}\r\n` +
    `DPoP: ${proof(client, method, `${ORIGIN}/mcp`, token)}\r\n${more}\r\n`
  );
};
const JUNK = 'POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

it('a stream goes on with junk behind it, which is not kept', async () => {
  const connections = Array.from({ length: 8 }, () => wire(fixture.gateway.port, signed('GET') + JUNK));
  await until(() => connections.every(({ got }) => got().includes('data: 1')));
  const before = process.memoryUsage();
  for (const { socket } of connections) socket.write('1\r\nx\r\n'.repeat(100_000));
  await until(() => connections.every(({ socket }) => socket.writableLength === 0 || socket.destroyed));
  await sleep(200);
  const { heapUsed, external } = process.memoryUsage();
  // 4.8 MB on the wire of both sides in this process; 300 MB and more before.
  expect((heapUsed + external - before.heapUsed - before.external) / 2 ** 20).toBeLessThan(40);
  expect(open).toBe(8);
  for (const { socket } of connections) socket.destroy();
  await until(() => open === 0);
});
it.each([
  ['one request', () => signed('GET')],
  ['a piece of a request', () => 'GET /mcp HT'],
  ['32 KiB', () => `${JUNK}${'1\r\nx\r\n'.repeat(5_000)}`],
  ['ten requests', () => Array.from({ length: 10 }, () => signed('GET')).join('')],
])('a client that leaves is noticed behind %s', async (_, more) => {
  const { socket, got } = wire(fixture.gateway.port, signed('GET') + more());
  await until(() => got().includes('data: 1'));
  await sleep(50);
  socket.destroy();
  await until(() => open === 0);
  await sleep(50);
  expect(fixture.seen).toHaveLength(1);
});
it('what is held is handled in its turn, over several reads', async () => {
  fixture.answer = (_, response, body) => {
    setTimeout(() => response.end(body), 30);
  };
  const post = (body: string) => signed('POST', `Content-Length: ${body.length}\r\n`) + body;
  const one = wire(fixture.gateway.port, post('first') + post('second'));
  await until(() => fixture.seen.length === 1);
  for (const piece of [post('third'), post('fourth'), post('x'.repeat(9_000))])
    for (let i = 0; i < piece.length; i += 700) {
      one.socket.write(piece.slice(i, i + 700));
      await sleep(1);
    }
  await until(() => one.statuses().length === 5);
  expect(fixture.seen.map(({ body }) => body.length)).toEqual([5, 6, 5, 6, 9_000]);
  one.socket.destroy();
});
it('a body that nobody reads is one buffer, and whole', async () => {
  const body = new PassThrough();
  gatherPieces(body);
  for (let i = 0; i < 5_000; i++) body.push(Buffer.from([i & 255]));
  expect(body.readableLength).toBe(0);
  const chunks: Buffer[] = [];
  body.on('data', (chunk: Buffer) => chunks.push(chunk));
  await sleep(10);
  body.push(Buffer.from('end'));
  await sleep(10);
  expect(chunks).toHaveLength(2);
  expect(Buffer.concat(chunks)).toEqual(
    Buffer.concat([Buffer.from(Array.from({ length: 5_000 }, (_, i) => i & 255)), Buffer.from('end')]),
  );
});
