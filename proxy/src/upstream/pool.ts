import http, { type ClientRequest } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';

/** Idle connections are dropped before common servers (5 s) drop them, so that a request is not written into a closing one. */
const IDLE_MS = 4_000;
/** A server that says when it will close is left this much earlier. */
const HINT_MARGIN_MS = 1_000;
const SWEEP_MS = 500;

/** How TLS is spoken to a backend. */
export interface PoolTls {
  /** PEM of the only roots a backend's certificate may chain to, as they are now, for every new connection; absent: the system's. */
  readonly ca?: (() => string | undefined) | undefined;
  /** SNI, and the name that the certificate must have; absent: the host. */
  readonly servername?: string | undefined;
  /** The client certificate of now, for every new connection. */
  readonly certificate?: (() => { readonly cert: string; readonly key: string } | undefined) | undefined;
}

export interface PoolOptions {
  readonly tlsOptions: PoolTls;
  readonly tls: boolean;
  readonly maxSockets: number;
}

export interface Pool {
  readonly agent: http.Agent;
  /** Requests that wait for a connection: all of them are in use. */
  queued(): number;
  /** What is idle goes now, what is in use when it is done. */
  close(): void;
}

const CLOSE_AT = Symbol('closeAt');
type PooledSocket = Socket & {
  [CLOSE_AT]?: number;
  _httpMessage?: ClientRequest & { res?: http.IncomingMessage };
};
/** What node:http's own request asks of an agent, beside what it documents. */
interface Assigns {
  addRequest(request: ClientRequest, options: unknown): void;
}
const baseAddRequest = (http.Agent.prototype as unknown as Assigns).addRequest;
const NAME = 'backend';

/**
 * Keep-alive connections to one backend. Two things differ from node:http's agent, each measured as several microseconds a request: idle connections are
 * swept together instead of by a socket timer set and cleared every time, and a request that finds an idle one takes it without naming it first.
 */
export function createPool({
  tls,
  tlsOptions: { ca, servername, certificate },
  maxSockets,
}: PoolOptions): Pool {
  const options = { keepAlive: true, maxSockets, scheduling: 'lifo' as const };
  const agent = tls
    ? new https.Agent({
        ...options,
        ...(servername === undefined ? {} : { servername }),
        // A resumed session goes on with the certificates that it began with, also after a rotation.
        ...(certificate === undefined && ca === undefined ? {} : { maxCachedSessions: 0 }),
      })
    : new http.Agent(options);
  const sockets = agent.sockets as Record<string, PooledSocket[]>;
  const free = agent.freeSockets as Record<string, PooledSocket[]>;
  let closed = false;
  Object.assign(agent, {
    getName: () => NAME,
    addRequest(request: ClientRequest, wanted: unknown): void {
      const idle = free[NAME];
      while (idle !== undefined && idle.length > 0) {
        const socket = idle.pop()!;
        if (socket.destroyed || !socket.writable) continue;
        agent.reuseSocket(socket, request);
        request.onSocket(socket);
        (sockets[NAME] ??= []).push(socket);
        return;
      }
      // No roots, where there should be some, are none: an empty list trusts nobody.
      baseAddRequest.call(
        agent,
        request,
        tls
          ? { ...(wanted as object), ...(ca === undefined ? {} : { ca: ca() ?? [] }), ...certificate?.() }
          : wanted,
      );
    },
    keepSocketAlive(socket: PooledSocket): boolean {
      const idle = Math.min(IDLE_MS, hintedMs(socket._httpMessage?.res?.rawHeaders) - HINT_MARGIN_MS);
      if (closed || idle <= 0) return false;
      socket.unref();
      socket[CLOSE_AT] = performance.now() + idle;
      return true;
    },
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const socket of [...(free[NAME] ?? [])]) if ((socket[CLOSE_AT] ?? 0) <= now) socket.destroy();
  }, SWEEP_MS);
  timer.unref();
  return {
    agent,
    queued: () =>
      agent.requests[NAME]?.filter((request) => !(request as unknown as ClientRequest).destroyed).length ?? 0,
    close() {
      closed = true;
      clearInterval(timer);
      for (const socket of [...(free[NAME] ?? [])]) socket.destroy();
    },
  };
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
