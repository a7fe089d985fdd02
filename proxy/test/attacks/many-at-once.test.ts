/**
 * The attack: a hundred requests in a single read of one HTTP/2 connection, or on as many connections of HTTP/1.1 as
 * an address may have, at the same moment. They were all begun in one turn of the event loop, and came back together
 * in each of the turns that a request needs: everybody else's requests stood behind them several times over (p99 of
 * the honest client of a siege 300 to 900 ms, 12 of it quiet).
 */
import { once } from 'node:events';
import tls from 'node:tls';
import { startFixture, type GatewayFixture } from '../support/gateway.js';
import { block, FLAG, frame, FRAME, rawClient, request } from '../support/http2.js';
import { until } from '../support/until.js';

const MANY = 90;
/** Of requests before somebody else's: those of a turn, and of the next. */
const FEW = 20;
const HONEST = '127.0.0.9';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({ http2: true });
});
afterAll(() => fixture.stop());

const connect = async (localAddress: string) => {
  const options = { host: '127.0.0.1', port: fixture.gateway.port, localAddress, rejectUnauthorized: false };
  const socket = tls.connect({ ...options, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  return socket;
};
const REQUEST = 'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n';

const attacks = {
  'one HTTP/2 connection': async () => {
    const client = await rawClient(fixture.gateway.port);
    const headers = (n: number) =>
      frame(
        FRAME.HEADERS,
        FLAG.END_HEADERS | FLAG.END_STREAM,
        2 * n + 1,
        block(request('GET', '/nowhere', [])),
      );
    const frames = Array.from({ length: MANY }, (_, n) => headers(n));
    return { sockets: [client.socket], send: () => client.write(...frames) };
  },
  'many HTTP/1.1 connections': async () => {
    const sockets = await Promise.all(Array.from({ length: MANY }, () => connect('127.0.0.1')));
    return { sockets, send: () => sockets.forEach((socket) => socket.write(REQUEST)) };
  },
};

it.each(Object.entries(attacks))('%s: the next one to ask waits for a few of them', async (_, prepare) => {
  const before = (await fixture.audit()).length;
  const { sockets, send } = await prepare();
  const honest = await connect(HONEST);
  send();
  honest.write(REQUEST);
  await until(async () => (await fixture.audit()).length === before + MANY + 1);
  const order = (await fixture.audit()).slice(before);
  expect(order.every(({ reason }) => reason === 'no_route')).toBe(true);
  expect(order.findIndex((line) => line['client.address'] === HONEST)).toBeLessThan(FEW);
  for (const socket of [honest, ...sockets]) socket.destroy();
});
