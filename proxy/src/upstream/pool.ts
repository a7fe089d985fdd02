import http, { type ClientRequest } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';

/** A server that says when it will close is left this much earlier. */
const HINT_MARGIN_MS = 1_000;
const SWEEP_MS = 500;

/** How TLS is spoken to a backend. */
export interface PoolTls {
  /**
   * PEM of the only roots a backend's certificate may chain to, as they are now, for every new connection;
   * absent: the system's.
   */
  readonly ca?: (() => string | undefined) | undefined;
  /** SNI, and the name that the certificate must have; absent: the host. */
  readonly servername?: string | undefined;
  /** The client certificate of now, for every new connection. */
  readonly certificate?: (() => { readonly cert: string; readonly key: string } | undefined) | undefined;
}

export interface PoolOptions {
  readonly tlsOptions: PoolTls;
  readonly tls: boolean;
  /** An idle connection is closed after this, before its backend closes it. */
  readonly maxIdleSeconds: number;
  /** A connection is not used again after this. */
  readonly maxConnectionAgeSeconds: number;
  /** That connections come from; absent: the kernel's choice. */
  readonly localAddress: string | undefined;
}

export interface Pool {
  readonly agent: http.Agent;
  /** What is idle goes now, what is in use when it is done. */
  close(): void;
}

/** Of a request's options: true where it must have a connection that was not used before. */
export const FRESH = Symbol('fresh');
export interface FreshOption {
  readonly [FRESH]: boolean;
}

/** Of `performance.now()`: an idle connection is not used from then on. */
const IDLE_UNTIL = Symbol('idleUntil');
/** A connection is not used again from then on. */
const REUSE_UNTIL = Symbol('reuseUntil');
type PooledSocket = Socket & {
  [IDLE_UNTIL]?: number;
  [REUSE_UNTIL]?: number;
  _httpMessage?: ClientRequest & { res?: http.IncomingMessage };
};
/** What node:http's own request asks of an agent, beside what it documents. */
interface Assigns {
  addRequest(request: ClientRequest, options: unknown): void;
}
const baseAddRequest = (http.Agent.prototype as unknown as Assigns).addRequest;
const NAME = 'backend';

/** The request that is on this connection is its last one. */
export function neverReuse(socket: PooledSocket | null): void {
  if (socket !== null) socket[REUSE_UNTIL] = -Infinity;
}

/**
 * Keep-alive connections to one backend. Two things differ from node:http's agent, each measured as several
 * microseconds a request: idle connections are swept together instead of by a socket timer set and cleared
 * every time, and a request that finds an idle one takes it without naming it first.
 */
export function createPool(poolOptions: PoolOptions): Pool {
  const { tls, tlsOptions, maxIdleSeconds, maxConnectionAgeSeconds } = poolOptions;
  const { ca, certificate } = tlsOptions;
  const agent = openAgent(poolOptions);
  const sockets = agent.sockets as Record<string, PooledSocket[]>;
  const free = agent.freeSockets as Record<string, PooledSocket[]>;
  let closed = false;
  const connect = agent.createConnection.bind(agent);
  Object.assign(agent, {
    getName: () => NAME,
    createConnection(...args: Parameters<typeof connect>): PooledSocket {
      const socket = connect(...args) as PooledSocket;
      socket[REUSE_UNTIL] = performance.now() + maxConnectionAgeSeconds * 1000;
      return socket;
    },
    addRequest(request: ClientRequest, wanted: FreshOption): void {
      const idle = wanted[FRESH] ? undefined : takeIdle(free[NAME]);
      if (idle !== undefined) {
        agent.reuseSocket(idle, request);
        request.onSocket(idle);
        (sockets[NAME] ??= []).push(idle);
        return;
      }
      // No roots, where there should be some, are none: an empty list trusts nobody.
      baseAddRequest.call(
        agent,
        request,
        tls ? { ...wanted, ...(ca === undefined ? {} : { ca: ca() ?? [] }), ...certificate?.() } : wanted,
      );
    },
    keepSocketAlive(socket: PooledSocket): boolean {
      const hinted = hintedMs(socket._httpMessage?.res?.rawHeaders) - HINT_MARGIN_MS;
      const now = performance.now();
      const until = Math.min(now + maxIdleSeconds * 1000, now + hinted, socket[REUSE_UNTIL]!);
      if (closed || until <= now) return false;
      socket.unref();
      socket[IDLE_UNTIL] = until;
      return true;
    },
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const socket of [...(free[NAME] ?? [])]) if (socket[IDLE_UNTIL]! <= now) socket.destroy();
  }, SWEEP_MS);
  timer.unref();
  return {
    agent,
    close() {
      closed = true;
      clearInterval(timer);
      for (const socket of [...(free[NAME] ?? [])]) socket.destroy();
    },
  };
}

function openAgent({ tls, tlsOptions, localAddress }: PoolOptions): http.Agent {
  const { ca, servername, certificate } = tlsOptions;
  // How many there may be is decided before a request comes here: see ConnectionSlots.
  const options = {
    keepAlive: true,
    scheduling: 'lifo' as const,
    ...(localAddress === undefined ? {} : { localAddress }),
  };
  if (!tls) return new http.Agent(options);
  return new https.Agent({
    ...options,
    ...(servername === undefined ? {} : { servername }),
    // A resumed session goes on with the certificates that it began with, also after a rotation.
    ...(certificate === undefined && ca === undefined ? {} : { maxCachedSessions: 0 }),
  });
}

/** The connection that was used last, of those that can still be used; the others are closed on the way. */
function takeIdle(idle: PooledSocket[] | undefined): PooledSocket | undefined {
  if (idle === undefined) return undefined;
  const now = performance.now();
  for (let socket = idle.pop(); socket !== undefined; socket = idle.pop()) {
    if (socket.destroyed || !socket.writable) continue;
    if (socket[IDLE_UNTIL]! > now) return socket;
    socket.destroy();
  }
  return undefined;
}

/** `Keep-Alive: timeout=5` of an answer, in milliseconds. */
function hintedMs(raw: readonly string[] | undefined): number {
  if (raw === undefined) return Infinity;
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length === 10 && raw[i]!.toLowerCase() === 'keep-alive') {
      const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(raw[i + 1]!)?.[1];
      return seconds === undefined ? Infinity : Number(seconds) * 1000;
    }
  }
  return Infinity;
}
