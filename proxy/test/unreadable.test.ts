/** Bytes that are no request: answered as every refusal is, written down, counted. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

let fixture: GatewayFixture;
const client = ec();
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.stop());

it.each([
  ['noise', '\x16\x03\x01\x02\x00\x01\r\n\r\n', 400, 'malformed_request'],
  [
    'a header line without a colon',
    'GET /mcp HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n',
    400,
    'malformed_request',
  ],
  [
    'two lengths',
    'POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    400,
    'malformed_request',
  ],
  ['RTSP', 'OPTIONS /mcp RTSP/1.0\r\nCSeq: 1\r\n\r\n', 400, 'malformed_request'],
  [
    'a header block that is too large',
    `GET /mcp HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
    'too_many_headers',
  ],
])('%s', async (_, bytes, status, reason) => {
  const before = (await fixture.audit()).length;
  const got = await fixture.raw(bytes);
  expect(got).toMatch(
    new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n\\r\\n\\{"error":"${reason}"`),
  );
  const lines = (await fixture.audit()).slice(before);
  expect(lines).toEqual([
    expect.objectContaining({
      reason,
      'response.status': status,
      'client.address': '127.0.0.1',
      'request.id': /x-request-id: (\S+)/i.exec(got)![1],
    }),
  ]);
  expect(lines[0]).not.toHaveProperty('request.method');
  expect((await fixture.admin('/metrics')).text).toMatch(
    new RegExp(`agentgateway_refusals_total\\{route="\\(none\\)",reason="${reason}"\\} \\d`),
  );
});
it('RTSP with good credentials is nothing to claim or to pass on, and HTTP/1.0 is', async () => {
  const before = fixture.seen.length;
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const own = proof(client, 'POST', `${ORIGIN}/mcp`, token);
  const post = (protocol: string) =>
    `POST /mcp ${protocol}\r\nHost: a\r\nContent-Length: 2\r\nAuthorization: DPoP ${token}\r\nDPoP: ${own}\r\n\r\n{}`;
  expect(await fixture.raw(post('RTSP/1.0'))).toMatch(/^HTTP\/1\.1 400 /);
  expect(fixture.seen.length).toBe(before);
  expect(await fixture.raw(post('HTTP/1.0'))).toMatch(/^HTTP\/1\.1 200 /);
  expect(fixture.seen.length).toBe(before + 1);
});
it('RTSP behind a request is refused behind its answer', async () => {
  const got = await fixture.raw(
    'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /mcp RTSP/1.0\r\nHost: a\r\n\r\n',
  );
  expect([...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '400']);
});
it('a body that is spoilt half-way is one line, of its request', async () => {
  const before = (await fixture.audit()).length;
  fixture.answer = () => {};
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const socket = net.connect(fixture.gateway.port, '127.0.0.1', () =>
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nAuthorization: DPoP ${token}\r\nDPoP: ` +
        `${proof(client, 'POST', `${ORIGIN}/mcp`, token)}\r\n\r\n1\r\nx\r\n`,
    ),
  );
  socket.on('error', () => {});
  await sleep(100);
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  socket.write('no size\r\n');
  await closed;
  expect((await fixture.audit()).slice(before)).toEqual([
    expect.objectContaining({ 'route.name': 'mcp', 'response.status': 499 }),
  ]);
});
it('a connection that ends without a word is none', async () => {
  const before = (await fixture.audit()).length;
  const socket = net.connect(fixture.gateway.port, '127.0.0.1', () => socket.resetAndDestroy());
  await sleep(100);
  expect((await fixture.audit()).length).toBe(before);
});
