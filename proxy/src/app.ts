import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import { createAdminServer } from './admin/admin-server.js';
import type { Config, Route } from './config/index.js';
import { createEdgeServer } from './http/edge-server.js';
import { receive } from './http/receive.js';
import { replyHeaders } from './http/reply-headers.js';
import { trustedPeers } from './http/trusted-peers.js';
import type { SecretFile } from './keys/secret-file.js';
import { openTlsFiles } from './keys/tls-files.js';
import { openAuditLog } from './observe/audit-log.js';
import { createMetrics } from './observe/metrics.js';
import type { Outbound, Received, UpstreamRequest } from './pipeline/evidence.js';
import { Denial, deny } from './pipeline/reason.js';
import { openReplayStore } from './replay/open-replay-store.js';
import { createConclude } from './stages/conclude.js';
import { openTrust, type Surroundings } from './trust.js';
import { createDeadlines } from './upstream/deadlines.js';
import { createOpenAnswers } from './upstream/open-answers.js';
import { createUpstream, type Upstream, type UpstreamOptions } from './upstream/upstream.js';
import { createRefusals, createWay } from './way.js';

export interface Gateway {
  /** The ports in use, which the system chose where the config says 0 … as tests do. */
  readonly port: number;
  readonly adminPort: number;
  /** Not ready, no new connections; resolves when the open requests have ended or `drainSeconds` are over. */
  stop(): Promise<void>;
}

/** Before the end of the drain: time for open event streams to say that they end. */
const LAST_WORDS_SECONDS = 1;

/** The whole proxy: every room is opened here or in trust.ts; the stages stand in their order in way.ts. */
export async function startGateway(config: Config, { clock, warn }: Surroundings): Promise<Gateway> {
  const trust = openTrust(config, { clock, warn });
  const store = await openReplayStore(config.replay, { now: clock, onProblem: warn, onUnchecked: () => metrics.unchecked() });
  const refusals = createRefusals(config, clock);
  const metrics = createMetrics({
    replayEntries: () => store.size?.(),
    keyAgeSeconds: () => [...trust.keys].map(([name, source]) => [name, source.ageSeconds()] as const),
  });
  const audit = openAuditLog(config.audit.file);
  const conclude = createConclude({ config, audit, metrics, clock, refusals });
  const { enter, local, route, decide } = createWay(config, { trust, store, refusals, clock });
  const deadlines = createDeadlines();
  const openAnswers = createOpenAnswers({ now: clock, graceSeconds: config.upstream.expiryGraceSeconds, totalSeconds: config.upstream.totalTimeoutSeconds });
  const upstreams = new Map<Route, Upstream>(config.routes.map((r) => [r, openUpstream(r, config, { deadlines, openAnswers }, trust.credentials)]));

  let stopping = false;
  const forward = (received: Received, outbound: Outbound, message: IncomingMessage, response: ServerResponse) => {
    const upstream = upstreams.get(outbound.route)!;
    metrics.upstreamStarted(upstream.backend);
    const { caller } = outbound;
    upstream.forward({
      request: outbound.upstream, message, response, extra: replyHeaders(received.reply), receivedAt: received.receivedAt,
      standing: caller.kind === 'known' ? caller.standing : undefined,
    }, (outcome) => {
      metrics.upstreamEnded(upstream.backend);
      if (outcome.kind === 'refused') conclude.refuse(received, outcome.denial, outbound.route, message, response);
      else conclude.record(received, outcome, upstream.backend);
    });
  };

  const peers = trustedPeers(config.trustedPeers);
  const answer = (message: IncomingMessage, response: ServerResponse) => {
    if (stopping) response.setHeader('Connection', 'close');
    if (message.url === '/healthz') return answerHealth(message, response);
    const received = receive(message, randomUUID(), clock(), peers);
    let matched: Route | undefined;
    const settle = (decision: Outbound | Denial) => {
      if (decision instanceof Denial) conclude.refuse(received, decision, matched, message, response);
      else forward(received, decision, message, response);
    };
    // A throw is a bug, and still an answer, an audit line and a refusal.
    const crash = (cause: unknown) => {
      warn(`internal error: ${cause instanceof Error ? cause.stack ?? cause.message : String(cause)}`);
      conclude.refuse(received, deny('internal_error'), matched, message, response);
    };
    try {
      const accepted = enter(received);
      if (accepted instanceof Promise) throw new TypeError('accept is synchronous');
      if (accepted instanceof Denial) return settle(accepted);
      const own = local(accepted);
      if (own !== undefined) {
        message.resume();
        return conclude.answer(received, own, response);
      }
      const routed = route(accepted);
      if (routed instanceof Promise) throw new TypeError('match-route is synchronous');
      if (routed instanceof Denial) {
        matched = config.routes.find((r) => r.name === received.facts.route);
        return settle(routed);
      }
      matched = routed.route;
      const decision = decide(routed);
      if (decision instanceof Promise) decision.then(settle).catch(crash);
      else settle(decision);
    } catch (cause) {
      crash(cause);
    }
  };
  const certificate = config.listen.tls === undefined ? undefined : openTlsFiles(config.listen.tls, { onProblem: warn });
  const server = createEdgeServer({
    limits: config.limits,
    tls: certificate?.current(),
    askForCertificate: config.routes.some(({ auth }) => auth.profile !== 'selfSigned'),
  }, answer);
  if (certificate !== undefined) certificate.follow(server as unknown as TlsServer);

  const admin = createAdminServer({ metrics, waitingFor: () => [
    ...trust.waitingFor(),
    ...(store.ready() ? [] : ['replay store']),
    ...(stopping ? ['shutdown'] : []),
  ] });
  const port = await listen(server, config.listen);
  const adminPort = await listen(admin, config.admin);

  const stop = async () => {
    stopping = true;
    // What would never end by itself comes again, elsewhere; the rest has until the drain is over, and then its last words too.
    openAnswers.endAll('shutdown', ({ listening }) => listening);
    const patience = setTimeout(() => openAnswers.endAll('shutdown'), Math.max(0, config.drainSeconds - LAST_WORDS_SECONDS) * 1000);
    await closed(server, config.drainSeconds);
    clearTimeout(patience);
    openAnswers.close();
    for (const upstream of upstreams.values()) upstream.close();
    deadlines.close();
    trust.close();
    certificate?.close();
    await store.close();
    await closed(admin, 0);
    audit.close();
  };
  let stopped: Promise<void> | undefined;
  return { port, adminPort, stop: () => (stopped ??= stop()) };
}

function openUpstream(route: Route, { upstream, limits }: Config, shared: Pick<UpstreamOptions, 'deadlines' | 'openAnswers'>, credentials: ReadonlyMap<string, SecretFile>): Upstream {
  const { caFile } = route.backend;
  const token = route.kind === 'secrets' ? credentials.get(route.backend.tokenFile) : undefined;
  return createUpstream({
    route,
    upstream,
    limits,
    ...shared,
    ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8'),
    refreshCredential: () => {
      const before = token?.value();
      token?.refresh();
      return token?.value() !== undefined && token.value() !== before;
    },
    renew: (request: UpstreamRequest) => ({ ...request, headers: request.headers.map((value, i) => (request.headers[i - 1] === 'Authorization' ? `Bearer ${token!.value()!}` : value)) }),
  });
}

/** The one path without authentication or audit: says that the process answers, and nothing else. */
function answerHealth(message: IncomingMessage, response: ServerResponse): void {
  const allowed = message.method === 'GET' || message.method === 'HEAD';
  const body = allowed ? '{"status":"ok"}' : '{"error":"method_not_allowed"}';
  response.writeHead(allowed ? 200 : 405, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'Content-Length': body.length, ...(allowed ? {} : { Allow: 'GET, HEAD' }) });
  response.end(message.method === 'HEAD' ? undefined : body);
  message.resume();
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as { port: number }).port));
  });
}

function closed(server: Server, graceSeconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceSeconds * 1000);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
