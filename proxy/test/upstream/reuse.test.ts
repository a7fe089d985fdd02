/** When a connection to a backend is used for another request, and when a request is sent again. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { backend, closeAll, edge } from '../support/upstream-edge.js';

afterEach(closeAll);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/**
 * A backend that answers each request by `answers`, by its number on its connection and in all; says which
 * connection had which.
 */
async function recording(answer: (socket: Socket, nth: number, text: string) => void) {
  const connections: string[][] = [];
  const port = await backend((socket) => {
    const requests: string[] = [];
    connections.push(requests);
    socket.on('data', (chunk) => {
      requests.push(chunk.toString().split(' HTTP', 1)[0]!);
      answer(socket, requests.length, chunk.toString());
    });
  });
  return { port, connections };
}

/** A server whose idle time is over just as the second request arrives. */
const closesUnderTheSecond = (socket: Socket, nth: number) => {
  if (nth === 1) socket.write(OK);
  else socket.destroy();
};

it('a GET on a connection that the backend had just closed is sent again, on a new one', async () => {
  const { port, connections } = await recording(closesUnderTheSecond);
  const { ask } = await edge(port);
  await ask('GET').outcome;
  await sleep(20);
  expect(await ask('GET').outcome).toMatchObject({ status: 200, mayHaveReachedBackend: true });
  expect(connections).toEqual([['GET /0', 'GET /1'], ['GET /1']]);
});

it('a POST is not, since the backend may have acted on it', async () => {
  const { port, connections } = await recording(closesUnderTheSecond);
  const { ask } = await edge(port);
  await ask('GET').outcome;
  await sleep(20);
  expect(await ask('POST').outcome).toMatchObject({
    mayHaveReachedBackend: true,
    denial: { reason: 'upstream_unreachable' },
  });
  expect(connections).toEqual([['GET /0', 'POST /1']]);
});

it('a GET is sent again once, and never after a new connection failed it', async () => {
  const { port, connections } = await recording((socket) => socket.destroy());
  const { ask } = await edge(port);
  expect(await ask('GET').outcome).toMatchObject({ denial: { reason: 'upstream_unreachable' } });
  expect(connections).toEqual([['GET /0']]);
});

it.each([
  ['was idle for maxIdleSeconds', { maxIdleSeconds: 0.1 }, 150],
  ['is older than maxConnectionAgeSeconds', { maxConnectionAgeSeconds: 1 }, 1_050],
])('a connection that %s is not used again', async (_, change, ms) => {
  const { port, connections } = await recording((socket) => socket.write(OK));
  const { ask } = await edge(port, { maxIdleSeconds: 10, ...change });
  await ask().outcome;
  await sleep(10);
  await ask().outcome;
  await sleep(ms);
  await ask().outcome;
  expect(connections).toEqual([['POST /0', 'POST /1'], ['POST /2']]);
});

it('idle connections are closed before gunicorn (2 s) closes them, by default', async () => {
  let closed = 0;
  const port = await backend((socket) => {
    let answeredAt = 0;
    socket.on('data', () => {
      answeredAt = performance.now();
      socket.write(OK);
    });
    socket.on('end', () => {
      closed = performance.now() - answeredAt;
    });
  });
  const { ask } = await edge(port);
  await ask().outcome;
  await sleep(2_400);
  expect(closed).toBeGreaterThan(1_400);
  expect(closed).toBeLessThan(2_200); // the sweep is at most half a second late, and nobody is given such a connection
});

it('a connection whose answer came before the end of its request is not used again', async () => {
  const { port, connections } = await recording((socket) => socket.write(OK));
  const { ask } = await edge(port);
  const early = ask('POST', { 'content-length': 5 }, 'ab');
  expect(await early.outcome).toMatchObject({ status: 200, waitedMs: 0 });
  early.rest('cde');
  await sleep(50);
  await ask('POST').outcome;
  expect(connections.map(([first]) => first)).toEqual(['POST /0', 'POST /1']);
});
