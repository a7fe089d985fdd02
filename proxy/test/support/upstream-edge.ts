/** An upstream alone, behind the smallest server that can be: for what happens between the gateway and a backend. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import * as bounds from '../../src/config/bounds-schema.js';
import { createDeadlines } from '../../src/upstream/deadlines.js';
import { createOpenAnswers } from '../../src/upstream/open-answers.js';
import { createUpstream, type Outcome, type Upstream } from '../../src/upstream/upstream.js';

const closers: (() => void)[] = [];
/** To be called after each test. */
export function closeAll(): void {
  for (const close of closers.splice(0).reverse()) close();
}

const portOf = (server: net.Server) => (server.address() as AddressInfo).port;

/** A port where every connection is refused. */
export async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A backend of one behaviour: what it does with a connection. */
export async function backend(behave: (socket: net.Socket) => void): Promise<number> {
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
export async function edge(port: number, change: Partial<(typeof bounds.upstream)['_zod']['input']> = {}) {
  const deadlines = createDeadlines();
  const openAnswers = createOpenAnswers({ now: () => 0, allowed: () => true });
  const upstream: Upstream = createUpstream({
    url: `http://127.0.0.1:${port}`,
    host: undefined,
    localAddress: undefined,
    upstream: bounds.upstream.parse(change),
    limits: bounds.limits.parse({}),
    deadlines,
    openAnswers,
    tlsOptions: {},
    onQueued: () => {},
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
          framing: message.method === 'GET' ? undefined : message.headers['content-length'],
          confidential: false,
          secretKey: undefined,
          content: undefined,
        },
        nameSession: undefined,
        message,
        response,
        extra: [],
        caller: message.url!,
        validity: undefined,
        policy: '',
        view: undefined,
        lists: undefined,
        rpcId: undefined,
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
    /** @param begin of a body that is longer: `rest` has what follows */
    ask(method = 'POST', headers: http.OutgoingHttpHeaders = { 'content-length': 0 }, begin?: string) {
      const path = `/${waiting.size}`;
      const outcome = new Promise<Outcome>((resolve) => waiting.set(path, resolve));
      const request = http
        .request({ port: portOf(server), method, path, headers })
        .on('error', () => {})
        .on('response', (answer) => answer.resume());
      if (begin === undefined) request.end();
      else request.write(begin);
      return { outcome, leave: () => request.destroy(), rest: (text: string) => request.end(text) };
    },
  };
}
