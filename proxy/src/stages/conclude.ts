import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.js';
import type { Route } from '../config/index.js';
import { challenge } from '../http/challenge.js';
import type { RateLimiter } from '../limit/rate-limiter.js';
import { auditRecord, type AuditLog } from '../observe/audit-log.js';
import type { Metrics } from '../observe/metrics.js';
import { meaningOf, type Denial } from '../pipeline/reason.js';
import type { Outcome } from '../upstream/upstream.js';
import type { Received } from '../pipeline/evidence.js';

export interface Conclude {
  /** Answers a request that was refused. */
  refuse(received: Received, denial: Denial, route: Route | undefined, message: IncomingMessage, response: ServerResponse): void;
  /** Records one that the backend answered. */
  record(received: Received, outcome: Extract<Outcome, { kind: 'answered' }>, upstream: string): void;
}

export interface ConcludeContext {
  readonly audit: AuditLog;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** What refused requests of one address are counted in; `accept` looks at it. */
  readonly refusals: RateLimiter;
}

/** The only place that answers, audits and counts: every request ends in exactly one audit record. */
export function createConclude({ audit, metrics, clock, refusals }: ConcludeContext): Conclude {
  return {
    refuse(received, denial, route, message, response) {
      const { reason, detail, retryAfterSeconds } = denial;
      const { status, say, error, family } = meaningOf(reason);
      if (family === 'auth' && reason !== 'credentials_missing') refusals.take(received.address);
      const headers: [string, string][] = [
        ['Content-Type', 'application/json'],
        ['Cache-Control', 'no-store'],
        ['X-Request-Id', received.id],
      ];
      const challenged = route === undefined ? undefined : challenge(route.auth, reason);
      if (challenged !== undefined) headers.push(['WWW-Authenticate', challenged]);
      if (reason === 'method_not_allowed' && route !== undefined) headers.push(['Allow', route.methods.join(', ')]);
      if (retryAfterSeconds !== undefined) headers.push(['Retry-After', String(retryAfterSeconds)]);
      // An unread body would be taken for the next request: close rather than guess.
      if (!message.complete) headers.push(['Connection', 'close']);
      const body = JSON.stringify({ error: error ?? reason, error_description: say });
      if (!response.headersSent && !response.destroyed) {
        headers.push(['Content-Length', String(Buffer.byteLength(body))]);
        response.writeHead(status, headers.flat());
        response.end(received.method === 'HEAD' ? undefined : body);
      }
      const durationSeconds = clock() - received.receivedAt;
      metrics.concluded(received.facts.route, status, reason, durationSeconds);
      audit.write(auditRecord(received, { status, reason, detail, bytes: 0, complete: true, durationSeconds }));
    },
    record(received, { status, bytes, complete }, upstream) {
      const durationSeconds = clock() - received.receivedAt;
      if (received.facts.wouldDeny !== undefined) metrics.wouldDeny(received.facts.route, received.facts.wouldDeny);
      metrics.concluded(received.facts.route, status, 'ok', durationSeconds);
      audit.write(auditRecord(received, { status, reason: 'ok', upstream, bytes, complete, durationSeconds }));
    },
  };
}
