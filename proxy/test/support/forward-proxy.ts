/** A small HTTP proxy: CONNECT, and absolute-form for http; what it was asked for, and with which credentials. */
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

export interface ForwardProxy {
  readonly url: string;
  /** `CONNECT host:port`, `GET http://host:port/path`. */
  readonly asked: string[];
  /** `user:password` of each, in the same order. */
  readonly credentials: (string | undefined)[];
  /** Answers that, instead of what was asked for. */
  refuseWith: number | undefined;
  /** Leads tunnels there, whoever they are for. */
  leadsTo: number | undefined;
  close(): Promise<void>;
}

export async function startForwardProxy(tls?: https.ServerOptions): Promise<ForwardProxy> {
  const sockets = new Set<Duplex>();
  const server = tls === undefined ? http.createServer() : https.createServer(tls);
  const note = ({ method, url, headers }: http.IncomingMessage) => {
    proxy.asked.push(`${method} ${url}`);
    const [, basic] = /^Basic (.*)$/.exec(headers['proxy-authorization'] ?? '') ?? [];
    proxy.credentials.push(basic && Buffer.from(basic, 'base64').toString());
  };
  server.on('connection', (socket: net.Socket) => sockets.add(socket));
  server.on('request', (request, response) => {
    note(request);
    if (proxy.refuseWith !== undefined) return response.writeHead(proxy.refuseWith).end();
    const { method, headers } = request;
    const onward = http.request(request.url!, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, client) => {
    note(request);
    if (proxy.refuseWith !== undefined) return client.end(`HTTP/1.1 ${proxy.refuseWith} No\r\n\r\n`);
    const port = proxy.leadsTo ?? Number(/\d+$/.exec(request.url!)![0]);
    const target = net.connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(target).pipe(client);
    });
    sockets.add(target);
    target.on('error', () => client.destroy());
    client.on('error', () => target.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: ForwardProxy = {
    url: `http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    credentials: [],
    refuseWith: undefined,
    leadsTo: undefined,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
