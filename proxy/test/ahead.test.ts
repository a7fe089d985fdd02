/** Requests that a client sends ahead on one connection (RFC 9112 9.3.2). */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.stop());
const signed = (method: string, more = '') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return (
    `${method} /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: DPoP ${token}\r\n` +
    `DPoP: ${proof(client, method, `${ORIGIN}/mcp`, token)}\r\n${more}\r\n`
  );
};
const connect = (text: string) => {
  let got = '';
  let closed = false;
  const socket = net.connect(fixture.gateway.port, '127.0.0.1', () => socket.write(text));
  socket
    .on('data', (chunk: Buffer) => {
      got += chunk.toString();
    })
    .on('error', () => {})
    .on('close', () => {
      closed = true;
    });
  return { socket, got: () => got, closed: () => closed };
};

it('are answered in their order, each when the one before has been', async () => {
  fixture.answer = (_, response, body) => {
    setTimeout(() => response.end(body), 20);
  };
  const { got } = connect(
    ['a', 'b', 'c'].map((body) => signed('POST', 'Content-Length: 1\r\n') + body).join(''),
  );
  await until(() => got().split('HTTP/1.1 200').length === 4);
  expect([...got().matchAll(/\r\n\r\n(.)/g)].map(([, body]) => body)).toEqual(['a', 'b', 'c']);
});
it('leave nothing at the backend when their client goes', async () => {
  fixture.seen.length = 0;
  let open = 0;
  fixture.answer = (_, response) => {
    open += 1;
    response
      .on('close', () => {
        open -= 1;
      })
      .writeHead(200, { 'Content-Type': 'text/event-stream' })
      .write('data: 1\n\n');
  };
  const { socket, got } = connect(Array.from({ length: 20 }, () => signed('GET')).join(''));
  await until(() => got().includes('data: 1'));
  await sleep(100);
  expect([open, fixture.seen.length]).toEqual([1, 1]);
  socket.destroy();
  await until(() => open === 0);
  await sleep(100);
  expect(fixture.seen).toHaveLength(1);
  await until(async () =>
    (await fixture.admin('/metrics')).text.includes(
      `agentgateway_active_connections{backend="127.0.0.1:${fixture.backendPort}"} 0`,
    ),
  );
});
it('are not taken without end: those beyond 32 are refused after the others', async () => {
  const before = (await fixture.audit()).length;
  fixture.seen.length = 0;
  fixture.answer = (_, response) => response.end('{}');
  const { got, closed } = connect(Array.from({ length: 60 }, () => signed('GET')).join(''));
  await until(closed);
  expect([got().split('HTTP/1.1 200').length - 1, got().split('HTTP/1.1 429').length - 1]).toEqual([33, 1]);
  expect(fixture.seen).toHaveLength(33);
  expect((await fixture.audit()).slice(before).map(({ reason }) => reason)).toEqual([
    ...Array<string>(33).fill('ok'),
    'too_many_ahead',
  ]);
});
it('an answer that ends the connection ends what was sent ahead', async () => {
  fixture.seen.length = 0;
  fixture.answer = (_, response) => response.end('{}');
  const { got, closed } = connect(
    `POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx${signed('GET')}`,
  );
  await until(closed);
  expect([got().match(/HTTP\/1\.1 \d+/g), fixture.seen]).toEqual([['HTTP/1.1 401'], []]);
});
