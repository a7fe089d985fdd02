import { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Facts } from '../pipeline/evidence.js';
import { meaningOf, type Reason } from '../pipeline/reason.js';

/** The label of requests that matched no route; routes cannot be called that, since it starts with "(". */
const NO_ROUTE = '(none)';

export interface Metrics {
  /** Once a request. `reason` "ok" for one that the backend answered. */
  concluded(facts: Facts, status: number, reason: Reason | 'ok', durationSeconds: number): void;
  wouldDeny(route: string | undefined, reason: Reason): void;
  /** A connection was not taken. */
  connectionRefused(cause: 'address' | 'total'): void;
  /** Audit lines that nobody will read. */
  auditLost(lines: number): void;
  /** Lines about the process itself that nobody will read. */
  eventsLost(lines: number): void;
  /** Something was read again: in use now, or refused. */
  reloaded(what: string, good: boolean): void;
  /** An answer that ended before its backend ended it. */
  cutShort(route: string | undefined, why: string): void;
  /** A proof passed while the replay store was away and the config allows it. */
  unchecked(): void;
  /** A replay store that is elsewhere answered. */
  claimed(answer: string, seconds: number): void;
  /** Spans that no collector gets. */
  spansDropped(cause: 'queue' | 'export', spans: number): void;
  upstreamStarted(backend: string): void;
  upstreamEnded(backend: string): void;
  /** One more request waits for a connection, or one fewer. */
  upstreamQueued(backend: string, change: 1 | -1): void;
  readonly contentType: string;
  text(): Promise<string>;
  /** For CrewMetrics. */
  values(): Promise<MetricValues>;
  /** Of everything of ours that it counts, for the reference. */
  described(): readonly MetricDescription[];
}

/** The metrics of one thread, as they can be sent to another. */
export type MetricValues = readonly object[];

export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

/** What the gauges that are read on demand show. */
export interface Sources {
  readonly replayEntries: () => number | undefined;
  readonly openStreams: () => number;
  readonly keyAgeSeconds: () => Iterable<readonly [issuer: string, seconds: number]>;
}

/** Of what `text` says. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export interface CrewMetrics {
  /** Audit lines that the main thread, which writes them, could not write. */
  auditLost(lines: number): void;
  /** Lines about the process itself that it could not write. */
  eventsLost(lines: number): void;
  /** What several threads counted, as one process; what each knows of all (`max`) is not added up. */
  text(threads: readonly MetricValues[]): Promise<string>;
}

/** Of a process with several threads: what is of the process itself is counted here, once. */
export function createCrewMetrics(): CrewMetrics {
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  const auditLost = new Counter({ ...AUDIT_LOST, registers: [own] });
  const eventsLost = new Counter({ ...EVENTS_LOST, registers: [own] });
  return {
    auditLost: (lines) => auditLost.inc(lines),
    eventsLost: (lines) => eventsLost.inc(lines),
    async text(threads) {
      const process = (await own.getMetricsAsJSON()).filter(
        ({ name }) => ofTheProcess(name) || name === AUDIT_LOST.name || name === EVENTS_LOST.name,
      );
      return AggregatorRegistry.aggregate([...threads, process] as Parameters<
        typeof AggregatorRegistry.aggregate
      >[0]).metrics();
    },
  };
}

const AUDIT_LOST = {
  name: 'agentgateway_audit_lines_lost_total',
  help: 'Audit lines that could not be written: nobody reads them, or the disk is full.',
};

const EVENTS_LOST = {
  name: 'agentgateway_event_lines_lost_total',
  help: 'Lines about the process itself that could not be written to standard error: nobody reads them.',
};

/** Of prom-client's own metrics: the same in every thread, so that a thread leaves it out. */
const ofTheProcess = (name: string): boolean => name.startsWith('process_') || name === 'nodejs_version_info';

export interface MetricsOptions extends Sources {
  /** One thread of several: what is of the whole process is told elsewhere. */
  readonly thread?: boolean;
}

/** Labels are bounded: route names, reasons, issuers and backends come from the config and from closed unions, statuses from our table or the backend. */
export function createMetrics({ thread = false, ...sources }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  // One thread that is behind is behind, whatever the others do.
  for (const metric of registry.getMetricsAsArray())
    if (metric.name.startsWith('nodejs_eventloop_lag'))
      Object.assign(metric, { aggregator: metric.name.includes('_min_') ? 'min' : 'max' });
  if (thread)
    for (const { name } of registry.getMetricsAsArray())
      if (ofTheProcess(name)) registry.removeSingleMetric(name);
  const authFailures = new Counter({
    name: 'agentgateway_jwt_auth_failure_total',
    help: 'Requests refused for their token or proof.',
    labelNames: ['route', 'reason'],
    registers,
  });
  const limited = new Counter({
    name: 'agentgateway_rate_limit_triggered_total',
    help: 'Requests refused by a rate limit.',
    labelNames: ['route'],
    registers,
  });
  const refusals = new Counter({
    name: 'agentgateway_refusals_total',
    help: 'Requests the gateway answered itself, by reason.',
    labelNames: ['route', 'reason'],
    registers,
  });
  const wouldDeny = new Counter({
    name: 'agentgateway_permissive_would_deny_total',
    help: 'Requests a strict route would have refused.',
    labelNames: ['route', 'reason'],
    registers,
  });
  const unchecked = new Counter({
    name: 'agentgateway_replay_unchecked_total',
    help: 'Proofs that passed while the replay store was away (replay.onStoreFailure local or allow).',
    registers,
  });
  const connections = new Counter({
    name: 'agentgateway_connections_refused_total',
    help: 'Connections not taken: too many of one address, or altogether.',
    labelNames: ['cause'],
    registers,
  });
  const auditLost = new Counter({ ...AUDIT_LOST, registers });
  const eventsLost = new Counter({ ...EVENTS_LOST, registers });
  const reloads = new Counter({
    name: 'agentgateway_reloads_total',
    help: 'Files and key sets read again: the config, JWK Sets, nonce keys, credentials, the certificate.',
    labelNames: ['what', 'result'],
    registers,
    aggregator: 'max',
  });
  const cutShort = new Counter({
    name: 'agentgateway_answers_cut_short_total',
    help: 'Answers that ended before their backend ended them, by cause.',
    labelNames: ['route', 'cause'],
    registers,
  });
  const duration = new Histogram({
    name: 'agentgateway_request_duration_seconds',
    help: 'Time from the request line to the end of the answer.',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers,
  });
  const proofAge = new Histogram({
    name: 'agentgateway_proof_age_seconds',
    help: 'Age of proofs by their own iat, refused ones too; below 0 the clock of the client runs ahead.',
    // No bound of -1: prom-client takes that for "above all bounds".
    buckets: [-300, -60, -30, -5, -2, 0, 1, 2, 5, 15, 30, 60, 120, 300, 600],
    registers,
  });
  const tokenAge = new Histogram({
    name: 'agentgateway_token_age_seconds',
    help: 'Age of access tokens at their use, by iat.',
    buckets: [1, 10, 60, 300, 900, 3600, 14_400, 86_400],
    registers,
  });
  const claims = new Histogram({
    name: 'agentgateway_replay_claim_duration_seconds',
    help: 'Time a shared replay store takes to answer, by answer: first, seen, forgotten, full, down.',
    labelNames: ['answer'],
    buckets: [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const spans = new Counter({
    name: 'agentgateway_trace_spans_dropped_total',
    help: 'Spans that were not exported: the queue was full, or the collector did not take them.',
    labelNames: ['cause'],
    registers,
  });
  const active = new Gauge({
    name: 'agentgateway_active_connections',
    help: 'Requests and streams open towards a backend.',
    labelNames: ['backend'],
    registers,
  });
  const queued = new Gauge({
    name: 'agentgateway_upstream_queued',
    help: 'Requests that wait for a connection to a backend: all of upstream.maxSockets are in use.',
    labelNames: ['backend'],
    registers,
  });
  new Gauge({
    name: 'agentgateway_open_streams',
    help: 'Event streams open towards clients.',
    registers,
    collect() {
      this.set(sources.openStreams());
    },
  });
  new Gauge({
    name: 'agentgateway_replay_entries',
    help: 'Proofs remembered by the memory store.',
    registers,
    aggregator: 'max',
    collect() {
      this.set(sources.replayEntries() ?? 0);
    },
  });
  new Gauge({
    name: 'agentgateway_jwks_age_seconds',
    help: 'Time since the current key set of an issuer was loaded.',
    labelNames: ['issuer'],
    registers,
    aggregator: 'max',
    collect() {
      this.reset(); // of issuers that a reload took away
      for (const [issuer, seconds] of sources.keyAgeSeconds()) this.set({ issuer }, seconds);
    },
  });
  // A child by its labels: prom-client would sort and join them at every request.
  const durations = new Map<string, { observe(seconds: number): void }>();
  const durationOf = (route: string, status: number) => {
    const key = `${status} ${route}`;
    let child = durations.get(key);
    if (child === undefined) durations.set(key, (child = duration.labels(route, String(status))));
    return child;
  };
  return {
    concluded({ route = NO_ROUTE, proofAgeSeconds, tokenAgeSeconds }, status, reason, durationSeconds) {
      durationOf(route, status).observe(durationSeconds);
      if (proofAgeSeconds !== undefined) proofAge.observe(proofAgeSeconds);
      if (tokenAgeSeconds !== undefined) tokenAge.observe(tokenAgeSeconds);
      if (reason === 'ok') return;
      refusals.inc({ route, reason });
      const { family } = meaningOf(reason);
      if (family === 'auth') authFailures.inc({ route, reason });
      else if (family === 'limit') limited.inc({ route });
    },
    wouldDeny: (route = NO_ROUTE, reason) => wouldDeny.inc({ route, reason }),
    connectionRefused: (cause) => connections.inc({ cause }),
    auditLost: (lines) => auditLost.inc(lines),
    eventsLost: (lines) => eventsLost.inc(lines),
    reloaded: (what, good) => reloads.inc({ what, result: good ? 'ok' : 'refused' }),
    cutShort: (route = NO_ROUTE, cause) => cutShort.inc({ route, cause }),
    unchecked: () => unchecked.inc(),
    claimed: (answer, seconds) => claims.observe({ answer }, seconds),
    spansDropped: (cause, count) => spans.inc({ cause }, count),
    upstreamStarted: (backend) => active.inc({ backend }),
    upstreamEnded: (backend) => active.dec({ backend }),
    upstreamQueued: (backend, change) => queued.inc({ backend }, change),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    values: () => registry.getMetricsAsJSON(),
    described: () => registry.getMetricsAsArray().map((metric) => metric as unknown as MetricDescription),
  };
}
