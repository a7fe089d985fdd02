/**
 * The HTTP proxy through which the gateway's own questions leave the cluster: to issuers, their introspection and
 * token endpoints, and to the collector of traces; never a request of a client. An https target is reached through a
 * tunnel (CONNECT, RFC 9110 9.3.6) and verified end to end; of an http one the proxy is sent the absolute URL (RFC
 * 9112 3.2.2).
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { EgressProxyConfig } from '../config/index.js';

export interface Egress {
  /** For a request to this URL; `undefined`: the target is asked directly. */
  agentFor(url: string): http.Agent | undefined;
  /** Ends what is idle and what is on its way. */
  close(): void;
}

export interface EgressOptions {
  /** `user:password` as the file has it now; read anew for each connection. */
  readonly credentials: () => string | undefined;
  /** PEM: whom certificates of targets must come from, where a request does not say it. */
  readonly targetRoots?: string;
}

/** With the proxy, until there is a connection, of who does not say how patient it is. */
const PATIENCE_MS = 10_000;
/** As Node's own agent has it: an idle connection is not kept longer. */
const KEPT = { keepAlive: true, timeout: 5_000 } as const;

type OnSocket = (error: Error | null, socket?: Duplex) => void;
/** Of a request, as an agent sees it; the `path` that `net` would take for a Unix socket is not used. */
type Target = ConnectionOptions & {
  readonly host: string;
  readonly port: number | string;
  readonly patienceMs?: number;
};

export function openEgress(config: EgressProxyConfig, { credentials, targetRoots }: EgressOptions): Egress {
  const proxy = new Proxy(config, credentials);
  const tunnels = new TunnelAgent(proxy, targetRoots);
  const forwards = new ForwardAgent(proxy);
  const direct = new Set(config.direct);
  return {
    agentFor(url) {
      const { hostname, protocol } = new URL(url);
      if (direct.has(hostname)) return undefined;
      return protocol === 'https:' ? tunnels : forwards;
    },
    close() {
      tunnels.destroy();
      forwards.destroy();
    },
  };
}

/** How it is reached, and what it wants to know. */
class Proxy {
  readonly #url: URL;
  readonly #roots: { readonly ca?: string };
  readonly #needsCredentials: boolean;
  readonly #credentials: () => string | undefined;

  constructor({ url, caFile, credentials }: EgressProxyConfig, value: () => string | undefined) {
    this.#url = new URL(url);
    this.#roots = caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') };
    this.#needsCredentials = credentials !== undefined;
    this.#credentials = value;
  }

  /** RFC 7617 in the field of RFC 9110 11.7.2. */
  get authorization(): Readonly<Record<string, string>> {
    if (!this.#needsCredentials) return {};
    const value = this.#credentials();
    if (value === undefined) throw this.problem('its credentials are not there');
    return { 'Proxy-Authorization': `Basic ${Buffer.from(value).toString('base64')}` };
  }

  problem(text: string, cause?: Error): Error {
    return new Error(`the egress proxy ${this.#url.origin}: ${text}`, { cause });
  }

  request(method: string, path: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
    const start = this.#url.protocol === 'https:' ? https.request : http.request;
    return start(this.#url, { method, path, headers, agent: false, ...this.#roots });
  }

  /** @param target host and port @returns bytes to and from it */
  openTunnel(target: string, patienceMs: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const asked = this.request('CONNECT', target, { Host: target, ...this.authorization });
      const refuse = (text: string, cause?: Error) => {
        clearTimeout(patience);
        asked.destroy();
        reject(this.problem(text, cause));
      };
      const patience = setTimeout(() => refuse(`no answer in ${patienceMs / 1000} s`), patienceMs);
      asked.on('error', (cause) => refuse(cause.message, cause));
      asked.once('connect', ({ statusCode }: http.IncomingMessage, socket: Socket, head: Buffer) => {
        if (Math.floor(statusCode! / 100) !== 2) {
          socket.destroy();
          return refuse(`${statusCode} to CONNECT ${target}${reasonOf(statusCode!)}`);
        }
        clearTimeout(patience);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      asked.end();
    });
  }

  /** A connection to the proxy itself. */
  connect(patienceMs: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const { hostname, port, protocol } = this.#url;
      const host = hostname.replace(/^\[|\]$/g, '');
      const isTls = protocol === 'https:';
      const usual = isTls ? 443 : 80;
      const to = { host, port: port === '' ? usual : Number(port) };
      const socket = isTls
        ? connectTls({ ...to, ...(isIP(host) === 0 ? { servername: host } : {}), ...this.#roots })
        : connectPlain(to);
      const fail = (cause: Error) => {
        clearTimeout(patience);
        socket.destroy();
        reject(this.problem(cause.message, cause));
      };
      const patience = setTimeout(() => fail(new Error(`no answer in ${patienceMs / 1000} s`)), patienceMs);
      socket.once('error', fail);
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        clearTimeout(patience);
        socket.off('error', fail);
        resolve(socket);
      });
    });
  }
}

function reasonOf(status: number): string {
  // Some say 401, which is meant for a server.
  if (status === 407 || status === 401) return ': it wants other credentials';
  if (status === 403) return ': it does not let the gateway reach that host';
  return '';
}

/** Whoever is at the end of the tunnel is verified as if there were no proxy. */
class TunnelAgent extends https.Agent {
  readonly #proxy: Proxy;

  constructor(proxy: Proxy, roots: string | undefined) {
    super({ ...KEPT, ...(roots === undefined ? {} : { ca: roots }) });
    this.#proxy = proxy;
  }

  override createConnection(options: Target, onSocket: OnSocket): undefined {
    const { host, port, patienceMs = PATIENCE_MS } = options;
    const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    void this.#proxy.openTunnel(target, patienceMs).then(
      (socket) => onSocket(null, connectTls({ ...options, socket, ALPNProtocols: ['http/1.1'] })),
      (problem: Error) => onSocket(problem),
    );
  }
}

/** The request as Node hands it to an agent, before its head is written. */
interface Unsent {
  path: string;
  readonly protocol: string;
  setHeader(name: string, value: string): void;
  getHeader(name: string): unknown;
  /** No connection, but this. */
  onSocket(socket: null, error: Error): void;
}

/** What `http.request` calls, and its types leave out. */
const enqueue = (http.Agent.prototype as unknown as { addRequest(request: Unsent, ...rest: unknown[]): void })
  .addRequest;

class ForwardAgent extends http.Agent {
  readonly #proxy: Proxy;

  constructor(proxy: Proxy) {
    super(KEPT);
    this.#proxy = proxy;
  }

  /** The proxy reads the target from the request line. */
  addRequest(request: Unsent, ...rest: unknown[]): void {
    try {
      const target = new URL(request.path, `http://${String(request.getHeader('host'))}`);
      request.path = target.href;
      for (const [name, value] of Object.entries(this.#proxy.authorization)) request.setHeader(name, value);
    } catch (problem) {
      return request.onSocket(null, problem as Error);
    }
    enqueue.call(this, request, ...rest);
  }

  override createConnection({ patienceMs = PATIENCE_MS }: Target, onSocket: OnSocket): undefined {
    void this.#proxy.connect(patienceMs).then(
      (socket) => onSocket(null, socket),
      (problem: Error) => onSocket(problem),
    );
  }
}
