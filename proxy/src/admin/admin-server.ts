import { createServer, type Server } from 'node:http';
import type { Metrics } from '../observe/metrics.js';

export interface AdminContext {
  readonly metrics: Metrics;
  /** Names of what is not ready, empty when the gateway can serve. */
  readonly waitingFor: () => readonly string[];
}

/**
 * Probes and metrics, on a port of their own that no client reaches.
 * /livez: the event loop answers, nothing else, so that no outage of a dependency restarts every replica at once.
 * /readyz: keys loaded, replay store reachable, not shutting down.
 */
export function createAdminServer({ metrics, waitingFor }: AdminContext): Server {
  return createServer((request, response) => {
    const answer = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', 'Content-Length': Buffer.byteLength(body) });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'text/plain', 'method not allowed\n');
    switch (request.url) {
      case '/livez':
      case '/healthz':
        return answer(200, 'application/json', '{"status":"ok"}');
      case '/readyz': {
        const waiting = waitingFor();
        return answer(waiting.length === 0 ? 200 : 503, 'application/json', JSON.stringify({ status: waiting.length === 0 ? 'ok' : 'not ready', waitingFor: waiting }));
      }
      case '/metrics':
        return void metrics.text().then((text) => answer(200, metrics.contentType, text));
      default:
        return answer(404, 'text/plain', 'not found\n');
    }
  });
}
