/**
 * Attack on honest clients by our own doing: a large POST is refused by its header block alone, and the connection is
 * closed while the body is still on its way. The reset that follows destroys the answer before its client has read it:
 * it sees EPIPE instead of 401 and the nonce that it needs to come again.
 *
 * RFC 9112 9.6: the close comes in stages. And who asks first (Expect: 100-continue) is not asked for a body in vain.
 */
import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { answerOf, ask, begin } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';
import { wire } from '../support/wire.js';

const client = ec();
const SIZE = 3 << 20;
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.stop());
const credentials = () => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return `Authorization: DPoP ${token}\r\nDPoP: ${proof(client, 'POST', `${ORIGIN}/mcp`, token)}\r\n`;
};
const post = (more = '') => `POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n${more}\r\n`;

it('is refused so that its client reads the answer though it writes on long after that', async () => {
  const { socket, got, statuses, ended, error } = wire(fixture.gateway.port, post());
  socket.pause();
  const refused = async () => (await fixture.audit()).some((line) => line['request.method'] === 'POST');
  await until(refused);
  // A connection that is gone would answer this with a reset, which comes before the client reads.
  for (let sent = 0; sent < SIZE; sent += SIZE / 16) {
    socket.write(Buffer.alloc(SIZE / 16));
    await sleep(10);
  }
  await until(() => socket.writableLength === 0);
  expect(error()).toBeUndefined();
  socket.resume();
  await until(ended);
  expect([statuses(), error()]).toEqual([[401], undefined]);
  expect(got()).toMatch(/^WWW-Authenticate: DPoP/im);
  socket.destroy();
});
it('is refused so that its client reads the answer after all of its body is written', async () => {
  for (let i = 0; i < 10; i++) {
    const { socket, got, statuses, ended, error } = wire(
      fixture.gateway.port,
      Buffer.concat([Buffer.from(post()), Buffer.alloc(SIZE)]),
    );
    socket.pause(); // reads nothing before all is written, as simple clients do
    await until(() => socket.bytesWritten > SIZE && socket.writableLength === 0);
    socket.resume();
    await until(ended);
    expect([statuses(), error()]).toEqual([[401], undefined]);
    expect(got()).toMatch(/^WWW-Authenticate: DPoP/im);
    socket.destroy();
  }
});
it('that asks first is not asked for its body when it is refused', async () => {
  const { socket, statuses, ended } = wire(fixture.gateway.port, post('Expect: 100-continue\r\n'));
  await until(ended);
  expect(statuses()).toEqual([401]);
  socket.destroy();
});
it('that asks first is asked when it is let in', async () => {
  fixture.seen.length = 0;
  const one = wire(fixture.gateway.port, post(`Expect: 100-continue\r\n${credentials()}`));
  await until(() => one.statuses().length === 1);
  expect([one.statuses(), fixture.seen.length]).toEqual([[100], 0]);
  one.socket.write(Buffer.alloc(SIZE));
  await until(() => one.statuses().length === 2);
  expect([one.statuses(), fixture.seen.length]).toEqual([[100, 200], 1]);
  one.socket.destroy();
});
it('that asks first is answered in its turn', async () => {
  const body = 'POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n';
  const one = wire(
    fixture.gateway.port,
    `${body}${credentials()}\r\n{}${body}Expect: 100-continue\r\n${credentials()}\r\n`,
  );
  await until(() => one.statuses().length === 2);
  one.socket.write('{}');
  await until(() => one.statuses().length === 3);
  expect(one.statuses()).toEqual([200, 100, 200]);
  one.socket.destroy();
});

describe('over HTTP/2, where only the stream ends (RFC 9113 8.1)', () => {
  let secure: GatewayFixture;
  beforeAll(async () => {
    secure = await startFixture({ http2: true });
  });
  afterAll(() => secure.stop());

  it('is refused so that its client reads the answer, and the session goes on', async () => {
    // The client's own bound on what it has yet to send (10 MB) would end its streams.
    const options = { rejectUnauthorized: false, maxSessionMemory: 100 };
    const session = http2.connect(`https://127.0.0.1:${secure.gateway.port}`, options);
    for (let i = 0; i < 10; i++) {
      const stream = begin(session, {
        method: 'POST',
        path: '/mcp',
        headers: { 'content-length': SIZE },
        body: Buffer.alloc(SIZE),
      });
      const { status, headers, code } = await answerOf(stream);
      expect({ i, status, code }).toEqual({ i, status: 401, code: 0 });
      expect(headers['www-authenticate']).toMatch(/^DPoP/);
    }
    expect((await ask(session, { path: '/healthz' })).status).toBe(200);
    session.destroy();
  });
});
