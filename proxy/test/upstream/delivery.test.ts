/** Whether a request that came to nothing may have reached its backend: whether its proof is used up depends on it. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as bounds from '../../src/config/bounds-schema.js';
import { createDeadlines } from '../../src/upstream/deadlines.js';
import { createOpenAnswers } from '../../src/upstream/open-answers.js';
import { createUpstream, type Outcome, type Upstream } from '../../src/upstream/upstream.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

const portOf = (server: net.Server) => (server.address() as AddressInfo).port;

/** A port where every connection is refused. */
async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A backend of one behaviour: what it does with a connection. */
async function backend(behave: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server);
}

/** An edge that forwards every request to `port`; resolves with the outcome of each. */
async function edge(port: number, change: Partial<(typeof bounds.upstream)['_zod']['input']> = {}) {
  const deadlines = createDeadlines();
  const openAnswers = createOpenAnswers({ now: () => 0, allowed: () => true });
  const upstream: Upstream = createUpstream({
    url: `http://127.0.0.1:${port}`,
    upstream: bounds.upstream.parse(change),
    limits: bounds.limits.parse({}),
    deadlines,
    openAnswers,
    tlsOptions: {},
    renew: () => undefined,
  });
  const waiting = new Map<string, (outcome: Outcome) => void>();
  const server = http.createServer((message, response) => {
    upstream.forward(
      {
        request: {
          method: message.method!,
          path: message.url!,
          headers: [],
          framing: message.headers['content-length'],
          confidential: false,
          secretKey: undefined,
          content: undefined,
        },
        sessionTag: undefined,
        message,
        response,
        extra: [],
        standing: undefined,
        terms: '',
        receivedAt: 0,
      },
      (outcome) => {
        waiting.get(message.url!)!(outcome);
        if (outcome.kind === 'refused') response.writeHead(503).end();
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
    upstream.close();
    openAnswers.close();
    deadlines.close();
  });
  return {
    ask(method = 'POST') {
      const path = `/${waiting.size}`;
      const outcome = new Promise<Outcome>((resolve) => waiting.set(path, resolve));
      const request = http
        .request({ port: portOf(server), method, path, headers: { 'content-length': 0 } })
        .on('error', () => {})
        .on('response', (answer) => answer.resume());
      request.end();
      return { outcome, leave: () => request.destroy() };
    },
  };
}

it('says no where the connection was refused', async () => {
  const { ask } = await edge(await closedPort());
  expect(await ask().outcome).toMatchObject({
    kind: 'refused',
    mayHaveReachedBackend: false,
    denial: { reason: 'upstream_unreachable' },
  });
});

it('says no where the client left while its request waited for a connection', async () => {
  const { ask } = await edge(await backend(() => {}), { maxSockets: 1 });
  void ask();
  await sleep(50);
  const { outcome, leave } = ask();
  await sleep(50);
  leave();
  expect(await outcome).toMatchObject({ status: 499, mayHaveReachedBackend: false });
});

it('says yes where the backend took the connection and said nothing', async () => {
  const { ask } = await edge(await backend((socket) => socket.once('data', () => socket.destroy())));
  expect(await ask().outcome).toMatchObject({ kind: 'refused', mayHaveReachedBackend: true });
});

it('says yes of a request on a connection that was in use before', async () => {
  let requests = 0;
  const { ask } = await edge(
    await backend((socket) =>
      socket.on('data', () => {
        requests += 1;
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        else socket.destroy();
      }),
    ),
  );
  expect(await ask().outcome).toMatchObject({ status: 200, mayHaveReachedBackend: true });
  await sleep(20);
  expect(await ask().outcome).toMatchObject({ kind: 'refused', mayHaveReachedBackend: true });
});
