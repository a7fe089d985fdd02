import { randomUUID } from 'node:crypto';
import type { Server as TlsServer } from 'node:tls';
import { createAdminServer } from './admin/admin-server.js';
import type { Config, Route } from './config/index.js';
import {
  asksForCertificate,
  openGeneration,
  restartProblems,
  type Generation,
  type Lasting,
} from './generation.js';
import { createBodyPool } from './http/body-pool.js';
import { createEdgeServer } from './http/edge-server.js';
import {
  announceClose,
  answerWhole,
  hasUnreadBody,
  type ClientAnswer,
  type ClientMessage,
} from './http/exchange.js';
import { closed, listen } from './http/listen.js';
import { receive } from './http/receive.js';
import { replyHeaders } from './http/reply-headers.js';
import { createSessionKeys, newSessionKey } from './keys/session-keys.js';
import { openSecretFile } from './keys/secret-file.js';
import { openTlsFiles } from './keys/tls-files.js';
import type { BucketMemory } from './limit/bucket-table.js';
import { createAuditLog } from './observe/audit-log.js';
import { openLineSink, STDOUT, type LineSink } from './observe/line-sink.js';
import { createMetrics, type Metrics } from './observe/metrics.js';
import { openTracer } from './observe/tracer.js';
import { createParts } from './parts.js';
import type { Outbound } from './pipeline/evidence.js';
import { Denial, deny } from './pipeline/reason.js';
import { connectRedis } from './redis/connect.js';
import type { SharedClaims } from './replay/memory-store.js';
import { openReplayStore } from './replay/open-replay-store.js';
import { longestWindowSeconds } from './replay/window.js';
import { telling, type Surroundings } from './trust.js';
import { createDeadlines } from './upstream/deadlines.js';
import { createOpenAnswers } from './upstream/open-answers.js';
import type { Outcome } from './upstream/upstream.js';
import { bucketMemories, bucketTables, type Buckets } from './way.js';

/** Where requests are served: all of a gateway but its admin port. */
export interface Edge {
  readonly port: number;
  readonly metrics: Metrics;
  /** Names of what is not ready, empty when it can serve. */
  waitingFor(): readonly string[];
  /**
   * Goes on with another config: new requests by the new one, those under way by theirs, open streams only while the rules that let them in are the same.
   * Resolves with why not, if not: it changes what is read at the start, or its keys do not come; nothing has changed then.
   */
  reload(config: Config): Promise<readonly string[]>;
  /** Reads again what is mounted, now rather than within a second; a key set at a URL as often as its cooldown allows. */
  refresh(): void;
  /** A config that could not even be read, or judged: it is counted. */
  refusedConfig(): void;
  /** Not ready, no new connections; resolves when the open requests have ended or `drainSeconds` are over. */
  stop(): Promise<void>;
}

export interface Gateway extends Pick<Edge, 'port' | 'reload' | 'refresh' | 'refusedConfig' | 'stop'> {
  readonly adminPort: number;
  /** Lines about the process itself were lost: they are counted. */
  eventsLost(lines: number): void;
}

/** What a thread has that is one of several: see workers/. */
export interface Crew {
  /** Absent: the replay store is not of this process. */
  readonly claims: SharedClaims | undefined;
  readonly buckets: Buckets<BucketMemory>;
  readonly sessionKey: Buffer;
  readonly audit: LineSink;
}

/** Before the end of the drain: time for open event streams to say that they end. */
const LAST_WORDS_SECONDS = 1;
/** How long a new config may wait for the keys of its issuers. */
const KEYS_WAIT_MS = 10_000;

/** The whole proxy, in one thread. */
export async function startGateway(config: Config, surroundings: Surroundings): Promise<Gateway> {
  const edge = await startEdge(config, surroundings);
  const admin = createAdminServer(edge);
  const adminPort = await listen(admin, config.admin);
  let stopped: Promise<void> | undefined;
  return {
    ...edge,
    adminPort,
    eventsLost: edge.metrics.eventsLost,
    stop: () => (stopped ??= edge.stop().then(() => closed(admin, 0))),
  };
}

/** Every room is opened here, in generation.ts or in trust.ts; the stages stand in their order in way.ts. */
export async function startEdge(first: Config, outer: Surroundings, crew?: Crew): Promise<Edge> {
  const { clock, warn } = outer;
  const store = await openReplayStore(first, {
    now: clock,
    remembersSince: outer.remembersSince,
    shared: crew?.claims,
    onProblem: warn,
    onUnchecked: () => metrics.unchecked(),
    onClaimed: (turn, seconds) => metrics.claimed(turn, seconds),
  });
  const metrics = createMetrics({
    thread: crew !== undefined,
    replayEntries: () => store.size?.(),
    openStreams: () => openAnswers.streams(),
    keyAgeSeconds: () => [...now.trust.keys].map(([name, source]) => [name, source.ageSeconds()] as const),
  });
  const surroundings: Surroundings = { ...outer, reloaded: (what, good) => metrics.reloaded(what, good) };
  const sink =
    crew?.audit ??
    openLineSink({
      to: first.audit.file ?? STDOUT,
      onLost: (lines, why) => {
        metrics.auditLost(lines);
        warn(`audit: ${lines} line(s) lost: ${why}`);
      },
    });
  const audit = createAuditLog(sink);
  const collectorKey =
    first.tracing?.authorization === undefined
      ? undefined
      : openSecretFile(first.tracing.authorization.file, telling(surroundings, 'credential'));
  const tracer =
    first.tracing === undefined
      ? undefined
      : await openTracer(first.tracing, {
          authorization: () => collectorKey?.value(),
          onDropped: metrics.spansDropped,
          onProblem: warn,
        });
  const deadlines = createDeadlines();
  const openAnswers = createOpenAnswers({ now: clock, allowed: (terms) => now.terms.has(terms) });
  const { replay } = first;
  let limitRedis: ReturnType<typeof connectRedis> | undefined;
  const sharedRedis =
    replay.store === 'redis'
      ? () =>
          (limitRedis ??= connectRedis(replay, () => {
            /* the replay store says what is wrong with the same Redis */
          }))
      : undefined;
  const lasting: Lasting = {
    store,
    buckets: bucketTables(crew?.buckets ?? bucketMemories(false)),
    sharedRedis,
    sessionKeys: createSessionKeys(
      crew?.sessionKey ?? newSessionKey(),
      clock,
      replay.store === 'redis' && sharedRedis !== undefined
        ? { redis: sharedRedis, name: `${replay.keyPrefix}session-key` }
        : undefined,
    ),
    audit,
    metrics,
    deadlines,
    openAnswers,
  };
  const parts = createParts();
  const draft = parts.draft();
  let now: Generation = openGeneration(first, draft.take, lasting, surroundings);
  draft.keep();

  const bodies = createBodyPool();
  let stopping = false;
  const answer = (message: ClientMessage, response: ClientAnswer) => {
    if (stopping) announceClose(response);
    if (message.url === '/healthz') return answerHealth(message, response);
    serve(now, message, response);
  };
  const serve = (
    {
      config,
      trust,
      way: { enter, local, route, decide },
      conclude,
      peers,
      endpointsOf,
      termsOf,
    }: Generation,
    message: ClientMessage,
    response: ClientAnswer,
  ) => {
    const received = receive(message, response, { id: randomUUID(), now: clock(), peers, bodies });
    if (tracer !== undefined) received.trace = tracer.start(received, config.publicOrigins[0]!);
    let matched: Route | undefined;
    // Nothing of the request reached a backend: its proof can be used again, by a retry of whatever stands in front.
    const refuseUnsent = (denial: Denial, upstream?: string) => {
      const refuse = () => conclude.refuse(received, denial, matched, message, response, upstream);
      const released = received.unspend?.();
      if (released instanceof Promise) released.then(refuse).catch(crash);
      else refuse();
    };
    const forward = (outbound: Outbound) => {
      const picked = endpointsOf(outbound.route).pick(outbound.upstream);
      if (picked instanceof Denial) return refuseUnsent(picked);
      const { upstream, nameSession, report } = picked;
      const trace = received.trace?.toBackend(picked.request, upstream.origin);
      const { caller } = outbound;
      metrics.upstreamStarted(upstream.backend);
      upstream.forward(
        {
          request: trace?.request ?? picked.request,
          nameSession,
          message,
          response,
          extra: ['X-Request-Id', received.id, ...replyHeaders(received.reply)],
          receivedAt: received.receivedAt,
          caller: caller.kind === 'known' ? caller.identity : received.network,
          standing: caller.kind === 'known' ? caller.standing : undefined,
          terms: termsOf(outbound.route),
        },
        (outcome) => {
          metrics.upstreamEnded(upstream.backend);
          report(outcome);
          trace?.ended(...backendEnd(outcome));
          if (outcome.kind === 'refused') {
            // The backend's token was withdrawn, maybe: the next request asks for another.
            if (outcome.denial.reason === 'upstream_refused' && caller.kind === 'known')
              trust.exchangers.get(outbound.route.name)?.forget(caller.accessToken);
            if (!outcome.mayHaveReachedBackend) refuseUnsent(outcome.denial, upstream.backend);
            else conclude.refuse(received, outcome.denial, matched, message, response, upstream.backend);
          } else conclude.record(received, outcome, upstream.backend);
        },
      );
    };
    const settle = (decision: Outbound | Denial) => {
      if (decision instanceof Denial) refuseUnsent(decision);
      else forward(decision);
    };
    // A throw is a bug, and still an answer, an audit line and a refusal.
    const crash = (cause: unknown) => {
      warn(`internal error: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
      conclude.refuse(received, deny('internal_error'), matched, message, response);
    };
    try {
      const accepted = enter(received);
      if (accepted instanceof Promise) throw new TypeError('accept is synchronous');
      if (accepted instanceof Denial) return settle(accepted);
      const own = local(accepted);
      if (own !== undefined) {
        message.resume();
        return conclude.answer(received, own, message, response);
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
  const certificate =
    first.listen.tls === undefined
      ? undefined
      : openTlsFiles(first.listen.tls, telling(surroundings, 'certificate'));
  const { server, sessions } = createEdgeServer(
    {
      limits: first.limits,
      peers: { has: (address) => now.peers.has(address) },
      onRefused: (cause) => metrics.connectionRefused(cause),
      onUnreadable: (reason, address) => now.conclude.unreadable(reason, address),
      tls: certificate?.current(),
      askForCertificate: asksForCertificate(first),
    },
    answer,
  );
  if (certificate !== undefined) certificate.follow(server as unknown as TlsServer);

  const port = await listen(server, { ...first.listen, reusePort: crew !== undefined });

  const reload = async (config: Config): Promise<readonly string[]> => {
    const fixed = restartProblems(now.config, config);
    if (fixed.length > 0) return fixed;
    const next = parts.draft();
    let generation: Generation;
    try {
      generation = openGeneration(config, next.take, lasting, surroundings);
    } catch (cause) {
      next.drop();
      return [(cause as Error).message];
    }
    // The pod stays ready: issuers are trusted once their keys are there.
    const until = performance.now() + KEYS_WAIT_MS;
    const missing = () =>
      generation.trust.waitingFor().filter((name) => !now.trust.waitingFor().includes(name));
    while (missing().length > 0 && performance.now() < until && !stopping)
      await new Promise((resolve) => setTimeout(resolve, 20));
    if (missing().length > 0 || stopping) {
      next.drop();
      return missing().map((name) => `${name}: not there after ${KEYS_WAIT_MS / 1000} s`);
    }
    store.cover(longestWindowSeconds(config.routes));
    now = generation;
    next.keep();
    openAnswers.endAll('config_changed', ({ terms }) => !generation.terms.has(terms));
    return [];
  };
  const stop = async () => {
    stopping = true;
    const { lameDuckSeconds, drainSeconds } = now.config;
    if (lameDuckSeconds > 0) await new Promise((resolve) => setTimeout(resolve, lameDuckSeconds * 1000));
    // What would never end by itself comes again, elsewhere; the rest has until the drain is over, and then its last words too.
    openAnswers.endAll('shutdown', ({ listening }) => listening);
    const patience = setTimeout(
      () => openAnswers.endAll('shutdown'),
      Math.max(0, drainSeconds - LAST_WORDS_SECONDS) * 1000,
    );
    await closed(server, drainSeconds, sessions);
    clearTimeout(patience);
    openAnswers.close();
    deadlines.close();
    parts.close();
    certificate?.close();
    await tracer?.close();
    collectorKey?.close();
    await store.close();
    (await limitRedis)?.disconnect();
    await audit.close();
  };

  let turn: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | undefined;
  return {
    port,
    metrics,
    waitingFor: () => [
      ...now.trust.waitingFor(),
      ...(store.ready() ? [] : ['replay store']),
      ...(sink.behind() ? ['audit log'] : []),
      ...(stopping ? ['shutdown'] : []),
    ],
    // One at a time, in the order they came.
    reload(config) {
      const done = turn
        .then(() => reload(config))
        .then((problems) => {
          metrics.reloaded('config', problems.length === 0);
          return problems;
        });
      turn = done.catch(() => {});
      return done;
    },
    refresh() {
      parts.refresh();
      certificate?.refresh();
      collectorKey?.refresh();
    },
    refusedConfig: () => metrics.reloaded('config', false),
    stop: () => (stopped ??= stop()),
  };
}

/** The one path without authentication or audit: says that the process answers, and nothing else. */
function answerHealth(message: ClientMessage, response: ClientAnswer): void {
  const allowed = message.method === 'GET' || message.method === 'HEAD';
  const body = allowed ? '{"status":"ok"}' : '{"error":"method_not_allowed"}';
  answerWhole(
    message,
    response,
    allowed ? 200 : 405,
    [
      'Content-Type',
      'application/json',
      'Cache-Control',
      'no-store',
      ...(allowed ? [] : ['Allow', 'GET, HEAD']),
      ...(hasUnreadBody(message) ? ['Connection', 'close'] : []),
    ],
    body,
  );
  message.resume();
}

/** What the backend's part of a trace says: of an answer that the gateway ended, or the client, only that it came. */
function backendEnd(outcome: Outcome): [status: number | undefined, problem: string | undefined] {
  if (outcome.kind === 'refused') return [undefined, outcome.denial.reason];
  const { status, ended, waitedMs } = outcome;
  return waitedMs === undefined ? [undefined, ended] : [status, ended === 'backend_cut' ? ended : undefined];
}
