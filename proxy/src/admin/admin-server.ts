import { createServer, type Server } from 'node:http';
import type { Metrics } from '../observe/metrics.js';

export interface AdminContext {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  /** Names of what is not ready, empty when the gateway can serve. */
  readonly waitingFor: () => readonly string[] | Promise<readonly string[]>;
  /** Whether every thread's event loop turns; absent: this one's is the only one, and that it asks is the answer. */
  readonly alive?: () => boolean;
}

/** Out of the descriptors that are kept back from clients (capacity.ts). */
const MAX_CONNECTIONS = 64;

/**
 * Probes and metrics, on a port of their own that no client reaches.
 * /livez: the event loop answers, nothing else, so that no outage of a dependency restarts every replica at once.
 * /readyz: keys loaded, replay store reachable, not shutting down.
 */
export function createAdminServer({ metrics, waitingFor, alive = () => true }: AdminContext): Server {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) => {
      response.writeHead(status, {
        'Content-Type': type,
        'Cache-Control': 'no-store',
        'Content-Length': Buffer.byteLength(body),
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const failed = () => answer(500, 'text/plain', 'no answer\n');
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(405, 'text/plain', 'method not allowed\n');
    switch (request.url) {
      case '/livez':
      case '/healthz':
        return alive()
          ? answer(200, 'application/json', '{"status":"ok"}')
          : answer(503, 'application/json', '{"status":"stalled"}');
      case '/readyz':
        return void Promise.resolve(waitingFor())
          .then((waiting) => {
            answer(
              waiting.length === 0 ? 200 : 503,
              'application/json',
              JSON.stringify({ status: waiting.length === 0 ? 'ok' : 'not ready', waitingFor: waiting }),
            );
          })
          .catch(failed);
      case '/metrics':
        return void metrics
          .text()
          .then((text) => answer(200, metrics.contentType, text))
          .catch(failed);
      default:
        return answer(404, 'text/plain', 'not found\n');
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}
