import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { Config, Route } from '../config/index.js';
import { challenges, schemeOf } from '../http/challenge.js';
import { answerWhole, hasUnreadBody, type ClientAnswer, type ClientMessage } from '../http/exchange.js';
import { headerFields } from '../http/header-fields.js';
import { refusalBody } from '../http/refusal-body.js';
import { replyHeaders } from '../http/reply-headers.js';
import { metadataUrl } from '../http/resource.js';
import type { LocalRateLimiter } from '../limit/rate-limiter.js';
import { auditRecord, type AuditLog } from '../observe/audit-log.js';
import type { Metrics } from '../observe/metrics.js';
import { meaningOf, type Denial, type Reason } from '../pipeline/reason.js';
import type { Outcome } from '../upstream/upstream.js';
import type { Facts, LocalAnswer, Received } from '../pipeline/evidence.js';

export interface Responder {
  /** Answers a request that was refused. @param upstream the backend that it was sent to */
  refuse(
    received: Received,
    denial: Denial,
    route: Route | undefined,
    message: ClientMessage,
    response: ClientAnswer,
    upstream?: string,
  ): void;
  /** Answers one that needs neither credentials nor a backend. */
  answer(received: Received, local: LocalAnswer, message: ClientMessage, response: ClientAnswer): void;
  /** Records bytes that were no request; returns the id of the record. */
  unreadable(reason: Reason, address: string): string;
  /** Records one that the backend answered. */
  record(received: Received, outcome: Extract<Outcome, { kind: 'answered' }>, upstream: string): void;
}

export interface ResponderContext {
  readonly config: Config;
  readonly audit: AuditLog;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** What refused requests of one address are counted in; `accept` looks at it. */
  readonly refusals: LocalRateLimiter;
}

/** Refusals that a body was read for: they count for its address as those of credentials do. */
const AFTER_BODY: readonly Reason[] = [
  'mcp_body_malformed',
  'mcp_header_mismatch',
  'mcp_not_allowed',
  'body_too_large',
  'body_fragmented',
  'body_stalled',
];

/**
 * Refusals of what two readers of HTTP may read differently, where the request ends among it (RFC 9112 6.1, 11.2):
 * what stands behind such a one on its connection is anybody's guess, also after its body has come.
 */
const READ_OTHERWISE: readonly Reason[] = [
  'malformed_request',
  'header_repeated',
  'too_many_headers',
  'bad_path',
  'upgrade_refused',
];

const NO_FIELDS = headerFields([]);
/** Of what no route, proof or token is known. */
const NO_FACTS: Facts = {};

/** Whether the refusal counts for the address that it came from. */
const isBlamed = (reason: Reason, family: string): boolean =>
  (family === 'auth' && reason !== 'credentials_missing') || AFTER_BODY.includes(reason);

/** What the answer says beside its body: who it is for, how to ask better, and what else the route allows. */
function refusalHeaders(
  { id, reply, headers: fields }: Received,
  denial: Denial,
  route: Route | undefined,
  config: Config,
): string[] {
  const { status } = meaningOf(denial.reason);
  const headers = [
    'Content-Type',
    'application/json',
    'Cache-Control',
    'no-store',
    'X-Request-Id',
    id,
    ...replyHeaders(status === 401 ? reply : { ...reply, dpopNonce: undefined }),
  ];
  if (route === undefined) return headers;
  const resourceMetadata = metadataUrl(config, route, reply.origin ?? config.publicOrigins[0]!);
  const scheme = schemeOf(fields.get('authorization'));
  for (const challenge of challenges(denial, { auth: route.auth, resourceMetadata, scheme }))
    headers.push('WWW-Authenticate', challenge);
  if (denial.reason === 'method_not_allowed') headers.push('Allow', route.methods.join(', '));
  return headers;
}

/**
 * The only place that answers, audits and counts: every request ends in exactly one audit record, and its trace
 * with it.
 */
export function createResponder({ config, audit, metrics, clock, refusals }: ResponderContext): Responder {
  const prefixes = new Map(config.routes.map(({ name, pathPrefix }) => [name, pathPrefix]));
  return {
    refuse(received, denial, route, message, response, upstream) {
      const { reason, detail, retryAfterSeconds, addressIsToBlame } = denial;
      const { status, family } = meaningOf(reason);
      if (addressIsToBlame || isBlamed(reason, family))
        refusals.drain(received.network, received.verificationCost ?? 1);
      const headers = refusalHeaders(received, denial, route, config);
      if (retryAfterSeconds !== undefined) headers.push('Retry-After', String(retryAfterSeconds));
      // An unread body would be taken for the next request: close rather than guess.
      if (!message.complete || READ_OTHERWISE.includes(reason)) headers.push('Connection', 'close');
      const body = refusalBody(denial, route, received.rpcId);
      if (!response.headersSent && !response.destroyed) answerWhole(message, response, status, headers, body);
      const durationSeconds = clock() - received.receivedAt;
      metrics.countRequest(received.facts, status, reason, durationSeconds);
      audit.write(auditRecord(received, { status, reason, detail, upstream, bytes: 0, durationSeconds }));
      received.trace?.ended({ status, reason, route: route?.pathPrefix });
    },
    answer(received, { status, headers, body }, message, response) {
      answerWhole(
        message,
        response,
        status,
        [...headers, 'X-Request-Id', received.id, ...(hasUnreadBody(message) ? ['Connection', 'close'] : [])],
        body,
      );
      const durationSeconds = clock() - received.receivedAt;
      metrics.countRequest(NO_FACTS, status, 'ok', durationSeconds);
      audit.write(auditRecord(received, { status, reason: 'ok', bytes: body.length, durationSeconds }));
      received.trace?.ended({ status, reason: 'ok', route: undefined });
    },
    unreadable(reason, address) {
      const bytes = { id: randomUUID(), receivedAt: clock(), address, headers: NO_FIELDS, facts: {} };
      const { status } = meaningOf(reason);
      metrics.countRequest(NO_FACTS, status, reason, 0);
      audit.write(auditRecord(bytes, { status, reason, bytes: 0, durationSeconds: 0 }));
      return bytes.id;
    },
    record(received, { status, bytes, ended, waitedMs }, upstream) {
      const durationSeconds = clock() - received.receivedAt;
      if (received.facts.wouldDeny !== undefined)
        metrics.wouldDeny(received.facts.route, received.facts.wouldDeny);
      metrics.countRequest(received.facts, status, 'ok', durationSeconds);
      if (ended !== undefined) metrics.cutShort(received.facts.route, ended);
      audit.write(
        auditRecord(received, { status, reason: 'ok', upstream, bytes, ended, waitedMs, durationSeconds }),
      );
      received.trace?.ended({
        status,
        reason: 'ok',
        route: prefixes.get(received.facts.route ?? ''),
        cutShort: ended,
      });
    },
  };
}
