import http from 'node:http';
import https from 'node:https';
import type { Config } from '../config/index.js';
import type { BackendContext, Exchange, Outcome } from './backend-context.js';
import { BackendExchange } from './backend-exchange.js';
import { ConnectionSlots } from './connection-slots.js';
import type { Deadlines } from './deadlines.js';
import type { OpenAnswers } from './open-answers.js';
import { createPool, FRESH, type FreshOption, type PoolTls } from './pool.js';

export type { BackendView, Exchange, Outcome } from './backend-context.js';

export interface Upstream {
  /** host:port, for metrics. */
  readonly backend: string;
  readonly origin: string;
  /**
   * Streams the client's body to the backend and the answer back, both with back-pressure, neither buffered nor
   * compressed. A request is sent once, since its proof is spent; only a GET or HEAD that met a connection which the
   * backend had just closed is sent again (RFC 9110 9.2.2). Calls `done` once.
   */
  forward(exchange: Exchange, done: (outcome: Outcome) => void): void;
  close(): void;
}

export interface UpstreamOptions {
  /** Origin. */
  readonly url: string;
  /** Of its requests; absent: the one of the URL. */
  readonly host: string | undefined;
  /** That connections come from; absent: the kernel's choice. */
  readonly localAddress: string | undefined;
  readonly upstream: Config['upstream'];
  readonly limits: Config['limits'];
  readonly deadlines: Deadlines;
  readonly openAnswers: OpenAnswers;
  readonly tlsOptions: PoolTls;
  /** One more request waits for a connection to this backend, or one fewer. */
  readonly onQueued: (backend: string, change: 1 | -1) => void;
  readonly renew: BackendContext['renew'];
}

export function createUpstream({
  url: text,
  host: said,
  localAddress,
  upstream,
  limits,
  deadlines,
  openAnswers,
  tlsOptions,
  onQueued,
  renew,
}: UpstreamOptions): Upstream {
  const url = new URL(text);
  const tls = url.protocol === 'https:';
  const { agent, close } = createPool({ tls, tlsOptions, localAddress, ...upstream });
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const hostField = said ?? url.host;
  const usualPort = tls ? 443 : 80;
  const port = url.port === '' ? usualPort : Number(url.port);
  const start = tls ? https.request : http.request;

  const open: BackendContext['open'] = (request, fresh) => {
    const headers = ['Host', hostField, ...request.headers];
    if (request.framing === 'chunked') headers.push('Transfer-Encoding', 'chunked');
    else if (request.framing !== undefined) headers.push('Content-Length', request.framing);
    const { method, path } = request;
    // Every field by its name: a spread into it gives each request a hidden class of its own, which only a full
    // collection frees (half a kilobyte a request, measured).
    const options: http.RequestOptions & FreshOption = {
      host,
      port,
      agent,
      method,
      path,
      headers,
      [FRESH]: fresh,
    };
    return start(options);
  };
  const context: BackendContext = {
    upstream,
    limits,
    deadlines,
    openAnswers,
    slots: new ConnectionSlots({ ...upstream, onQueued: (change) => onQueued(url.host, change) }),
    connected: tls ? 'secureConnect' : 'connect',
    open,
    renew,
  };
  return {
    backend: url.host,
    origin: url.origin,
    forward: (exchange, done) => new BackendExchange(context, exchange, done).begin(),
    close,
  };
}
