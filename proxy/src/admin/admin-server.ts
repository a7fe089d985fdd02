import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Metrics } from '../observe/metrics.js';
import type { GatewayStatus } from '../observe/status.js';
import { PAGE_POLICY, statusPage } from './status-page.js';

export interface AdminContext {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  /** Names of what is not ready, empty when the gateway can serve. */
  readonly waitingFor: () => readonly string[] | Promise<readonly string[]>;
  readonly status: () => GatewayStatus | Promise<GatewayStatus>;
  /** Whether every thread's event loop turns; absent: this one's is the only one, and that it asks is the answer. */
  readonly alive?: () => boolean;
}

/** Out of the descriptors that are kept back from clients (capacity.ts). */
const MAX_CONNECTIONS = 64;

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const JSON_TYPE = 'application/json';
const failure = (status: number, why: string): Page => ({ status, type: 'text/plain', body: `${why}\n` });
const STALLED: Page = { status: 503, type: JSON_TYPE, body: '{"status":"stalled"}' };

/** What a browser may make of an answer: only what it says that it is, and nothing from elsewhere. */
const FOR_BROWSERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': PAGE_POLICY,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
};

/**
 * Probes, metrics and the status, on a port of their own that no client reaches.
 * /livez: the event loop answers, nothing else, so that no outage of a dependency restarts every replica at once.
 * /readyz: keys loaded, replay store reachable, not shutting down.
 * /status: what an operator asks first, as JSON; / shows it.
 */
export function createAdminServer(context: AdminContext): Server {
  const server = createServer((request, response) => {
    void pageFor(request, context)
      .catch(() => failure(500, 'no answer'))
      .then(({ status, type, body }) => {
        const length = Buffer.byteLength(body);
        response.writeHead(status, { ...FOR_BROWSERS, 'Content-Type': type, 'Content-Length': length });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

async function pageFor({ method, url }: IncomingMessage, context: AdminContext): Promise<Page> {
  if (method !== 'GET' && method !== 'HEAD') return failure(405, 'method not allowed');
  const { metrics, waitingFor } = context;
  switch (url) {
    case '/livez':
    case '/healthz':
      return isAlive(context) ? { status: 200, type: JSON_TYPE, body: '{"status":"ok"}' } : STALLED;
    case '/readyz':
      return readiness(await waitingFor());
    case '/metrics':
      return { status: 200, type: metrics.contentType, body: await metrics.text() };
    case '/status':
      return statusAs(JSON_TYPE, JSON.stringify, context);
    case '/':
      return statusAs('text/html; charset=utf-8', statusPage, context);
    default:
      return failure(404, 'not found');
  }
}

const isAlive = ({ alive }: AdminContext): boolean => alive === undefined || alive();

async function statusAs(
  type: string,
  write: (status: GatewayStatus) => string,
  context: AdminContext,
): Promise<Page> {
  // A thread that is stuck would never answer.
  return isAlive(context) ? { status: 200, type, body: write(await context.status()) } : STALLED;
}

const readiness = (waiting: readonly string[]): Page => ({
  status: waiting.length === 0 ? 200 : 503,
  type: JSON_TYPE,
  body: JSON.stringify({ status: waiting.length === 0 ? 'ok' : 'not ready', waitingFor: waiting }),
});
