import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createAdminServer } from './admin/admin-server.js';
import type { Clock } from './clock.js';
import type { Config, Route } from './config/index.js';
import { receive } from './http/receive.js';
import { openKeySources } from './keys/key-sources.js';
import { openSecretFile, type SecretFile } from './keys/secret-file.js';
import { createTokenBuckets } from './limit/token-bucket.js';
import type { RateLimiter } from './limit/rate-limiter.js';
import { openAuditLog } from './observe/audit-log.js';
import { createMetrics } from './observe/metrics.js';
import type { Outbound, Received, UpstreamRequest } from './pipeline/evidence.js';
import { Denial, deny } from './pipeline/reason.js';
import { then } from './pipeline/stage.js';
import { createProfiles } from './profiles/profiles.js';
import { createMemoryStore } from './replay/memory-store.js';
import { createRedisStore } from './replay/redis-store.js';
import type { ReplayStore } from './replay/replay-store.js';
import { accept } from './stages/accept.js';
import { authenticate } from './stages/authenticate.js';
import { createConclude } from './stages/conclude.js';
import { limitRate } from './stages/limit-rate.js';
import { matchRoute } from './stages/match-route.js';
import { rejectReplay } from './stages/reject-replay.js';
import { rewrite } from './stages/rewrite.js';
import { createDeadlines, type Deadlines } from './upstream/deadlines.js';
import { createUpstream, type Upstream } from './upstream/upstream.js';

export interface Gateway {
  /** The ports in use, which the system chose where the config says 0 … as tests do. */
  readonly port: number;
  readonly adminPort: number;
  /** Not ready, no new connections; resolves when the open requests have ended or `drainSeconds` are over. */
  stop(): Promise<void>;
}

export interface Surroundings {
  readonly clock: Clock;
  /** What an operator should know that no request caused: a file that cannot be read, a key set that cannot be fetched. */
  readonly warn: (problem: string) => void;
}

/** The whole proxy: every room is opened here, and the stages stand here in their order. */
export async function startGateway(config: Config, { clock, warn }: Surroundings): Promise<Gateway> {
  const keys = await openKeySources(config.issuers, { now: clock, onProblem: warn });
  const store = await openReplayStore(config, clock, warn);
  const credentials = openCredentials(config.routes, warn);
  const refusals = createTokenBuckets({
    maxTokens: config.limits.refusalsPerAddress.maxTokens,
    tokensPerFill: config.limits.refusalsPerAddress.tokensPerSecond,
    fillIntervalSeconds: 1,
    now: clock,
  });
  const metrics = createMetrics({
    replayEntries: () => store.size?.(),
    keyAgeSeconds: () => [...keys].map(([name, source]) => [name, source.ageSeconds()] as const),
  });
  const audit = openAuditLog(config.audit.file);
  const conclude = createConclude({ audit, metrics, clock, refusals });
  const credentialOf = (file: string) => credentials.get(file)?.value();

  const limiters = new Map<Route, RateLimiter>(config.routes.flatMap((route) => (route.rateLimit === undefined ? [] : [[route, createTokenBuckets({ ...route.rateLimit, now: clock })]])));
  const profiles = createProfiles(config, keys, clock);
  const route = then(accept(config.limits, refusals), matchRoute(config.routes));
  const prove = then(authenticate(profiles), rejectReplay(store, clock));
  const admit = then(limitRate((r) => limiters.get(r)), rewrite(credentialOf));
  const decide = then(prove, admit);
  const deadlines = createDeadlines();
  const upstreams = new Map<Route, Upstream>(config.routes.map((r) => [r, openUpstream(r, config, deadlines, credentials)]));

  let stopping = false;
  const forward = (received: Received, outbound: Outbound, message: IncomingMessage, response: ServerResponse) => {
    const upstream = upstreams.get(outbound.route)!;
    metrics.upstreamStarted(upstream.backend);
    upstream.forward(outbound.upstream, message, response, (outcome) => {
      metrics.upstreamEnded(upstream.backend);
      if (outcome.kind === 'refused') conclude.refuse(received, outcome.denial, outbound.route, message, response);
      else conclude.record(received, outcome, upstream.backend);
    });
  };

  const server = createServer({
    maxHeaderSize: config.limits.maxHeaderBytes,
    headersTimeout: config.limits.headersTimeoutSeconds * 1000,
    requestTimeout: 0, // bodies have a bound on silence instead: a long upload is not an attack
    connectionsCheckingInterval: 2000,
    keepAliveTimeout: 65_000,
    rejectNonStandardBodyWrites: true,
  }, (message, response) => {
    if (stopping) response.setHeader('Connection', 'close');
    if (message.url === '/healthz') return answerHealth(message, response);
    const received = receive(message, randomUUID(), clock());
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
      const routed = route(received);
      if (routed instanceof Promise) throw new TypeError('accept and match-route are synchronous');
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
  });
  server.maxConnections = config.limits.maxConnections;
  // Node would drop the headers beyond a count, Host and Authorization maybe; accept counts them, maxHeaderSize bounds them.
  server.maxHeadersCount = 0;

  const admin = createAdminServer({ metrics, waitingFor: () => [
    ...[...keys].filter(([, source]) => !source.ready()).map(([name]) => `keys of issuer ${name}`),
    ...(store.ready() ? [] : ['replay store']),
    ...(stopping ? ['shutdown'] : []),
  ] });
  const port = await listen(server, config.listen);
  const adminPort = await listen(admin, config.admin);

  return {
    port,
    adminPort,
    async stop() {
      stopping = true;
      await closed(server, config.drainSeconds);
      for (const upstream of upstreams.values()) upstream.close();
      deadlines.close();
      for (const source of keys.values()) source.close();
      for (const file of credentials.values()) file.close();
      await store.close();
      await closed(admin, 0);
      audit.close();
    },
  };
}

function openReplayStore(config: Config, now: Clock, onProblem: (problem: string) => void): ReplayStore | Promise<ReplayStore> {
  return config.replay.store === 'memory' ? createMemoryStore({ maxEntries: config.replay.maxEntries, now }) : createRedisStore(config.replay, { onProblem });
}

/** Every file that a route's backend credential is in, watched. */
function openCredentials(routes: readonly Route[], onProblem: (problem: string) => void): Map<string, SecretFile> {
  const files = routes.flatMap((r) => (r.kind === 'secrets' ? [r.backend.tokenFile] : r.backend.credential.kind === 'file' ? [r.backend.credential.file] : []));
  return new Map([...new Set(files)].map((file) => [file, openSecretFile(file, { onProblem })]));
}

function openUpstream(route: Route, { upstream, limits }: Config, deadlines: Deadlines, credentials: ReadonlyMap<string, SecretFile>): Upstream {
  const { caFile } = route.backend;
  const token = route.kind === 'secrets' ? credentials.get(route.backend.tokenFile) : undefined;
  return createUpstream({
    route,
    upstream,
    limits,
    deadlines,
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
