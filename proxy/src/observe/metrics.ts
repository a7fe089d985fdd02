import { AggregatorRegistry, Counter, Registry, collectDefaultMetrics } from 'prom-client';
import type { Facts } from '../pipeline/evidence.js';
import { meaningOf, type Reason } from '../pipeline/reason.js';
import { RequestCounts, type RouteCounts } from './request-counts.js';
import { RequestObservations } from './request-observations.js';
import { AUDIT_LOST, createInstruments, EVENTS_LOST, type Instruments, type Sources } from './instruments.js';

/** The label of requests that matched no route; routes cannot be called that, since it starts with "(". */
const NO_ROUTE = '(none)';

export interface Metrics {
  /** Once a request. `reason` "ok" for one that the backend answered. */
  countRequest(facts: Facts, status: number, reason: Reason | 'ok', durationSeconds: number): void;
  wouldDeny(route: string | undefined, reason: Reason): void;
  /** A connection was not taken. */
  connectionRefused(cause: 'address' | 'total'): void;
  /** A TLS handshake failed. */
  handshakeFailed(cause: string): void;
  /** Audit lines that nobody will read. */
  auditLost(lines: number): void;
  /** Lines about the process itself that nobody will read. */
  eventsLost(lines: number): void;
  /** Something was read again: in use now, or refused. @param name of its file, or of its issuer */
  reloaded(what: string, name: string, good: boolean): void;
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
  /** Since the process began. @param route absent: requests that matched none */
  countsOf(route: string | undefined): RouteCounts;
  /** Those of `followed` whose last content was no good, each as `what name`. */
  notTaken(followed: Readonly<Record<string, readonly string[]>>): string[];
  readonly contentType: string;
  text(): Promise<string>;
  /** For WorkerPoolMetrics. */
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

/** Of what `text` says. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export interface WorkerPoolMetrics {
  /** Audit lines that the main thread, which writes them, could not write. */
  auditLost(lines: number): void;
  /** Lines about the process itself that it could not write. */
  eventsLost(lines: number): void;
  /** What several threads counted, as one process; what each knows of all (`max`) is not added up. */
  text(threads: readonly MetricValues[]): Promise<string>;
}

/** Of a process with several threads: what is of the process itself is counted here, once. */
export function createWorkerPoolMetrics(): WorkerPoolMetrics {
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

/** Of prom-client's own metrics: the same in every thread, so that a thread leaves it out. */
const ofTheProcess = (name: string): boolean => name.startsWith('process_') || name === 'nodejs_version_info';

export interface MetricsOptions extends Sources {
  /** One thread of several: what is of the whole process is told elsewhere. */
  readonly thread?: boolean;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

/**
 * Labels are bounded: route names, reasons, issuers and backends come from the config and from closed unions,
 * statuses from our table or the backend.
 */
export function createMetrics({ thread = false, now, ...sources }: MetricsOptions): Metrics {
  const registry = new Registry();
  collectOfNode(registry, thread);
  // Counted here and handed to prom-client when it is asked, since that finds a gauge by its labels each time.
  const active = new Map<string, number>();
  const refused = new Map<string, Set<string>>();
  const counts = new RequestCounts(now);
  const instruments = createInstruments(registry, sources, { active, refused });
  const observations = new RequestObservations(instruments);
  return {
    countRequest: requestCounter(instruments, counts, observations),
    wouldDeny(route = NO_ROUTE, reason) {
      instruments.wouldDeny.inc({ route, reason });
      counts.wouldRefuse(route, reason);
    },
    connectionRefused: (cause) => instruments.connections.inc({ cause }),
    handshakeFailed: (cause) => instruments.handshakes.inc({ cause }),
    auditLost: (lines) => instruments.auditLost.inc(lines),
    eventsLost: (lines) => instruments.eventsLost.inc(lines),
    reloaded(what, name, good) {
      instruments.reloads.inc({ what, result: good ? 'ok' : 'refused' });
      if (good) refused.get(what)?.delete(name);
      else refused.set(what, (refused.get(what) ?? new Set()).add(name));
    },
    cutShort: (route = NO_ROUTE, cause) => instruments.cutShort.inc({ route, cause }),
    unchecked: () => instruments.unchecked.inc(),
    claimed: (answer, seconds) => instruments.claims.observe({ answer }, seconds),
    spansDropped: (cause, count) => instruments.spans.inc({ cause }, count),
    upstreamStarted: (backend) => active.set(backend, (active.get(backend) ?? 0) + 1),
    upstreamEnded: (backend) => active.set(backend, active.get(backend)! - 1),
    upstreamQueued: (backend, change) => instruments.queued.inc({ backend }, change),
    countsOf: (route = NO_ROUTE) => counts.of(route),
    notTaken: (followed) =>
      Object.entries(followed).flatMap(([what, names]) =>
        names.filter((name) => refused.get(what)?.has(name)).map((name) => `${what} ${name}`),
      ),
    contentType: registry.contentType,
    text: () => {
      observations.handOver();
      return registry.metrics();
    },
    values: () => {
      observations.handOver();
      return registry.getMetricsAsJSON();
    },
    described: () => registry.getMetricsAsArray().map((metric) => metric as unknown as MetricDescription),
  };
}

/** Node's own metrics; a thread leaves out those of the whole process. */
function collectOfNode(registry: Registry, thread: boolean): void {
  collectDefaultMetrics({ register: registry });
  for (const metric of registry.getMetricsAsArray()) {
    // One thread that is behind is behind, whatever the others do.
    if (metric.name.startsWith('nodejs_eventloop_lag'))
      Object.assign(metric, { aggregator: metric.name.includes('_min_') ? 'min' : 'max' });
    if (thread && ofTheProcess(metric.name)) registry.removeSingleMetric(metric.name);
  }
}

/** Counts a request that was answered, whoever answered it. */
function requestCounter(
  { authFailures, limited, refusals }: Instruments,
  counts: RequestCounts,
  observations: RequestObservations,
): Metrics['countRequest'] {
  return (facts, status, reason, durationSeconds) => {
    const { route = NO_ROUTE } = facts;
    observations.add(route, status, durationSeconds, facts);
    if (reason === 'ok') return counts.answered(route);
    counts.refused(route, reason);
    refusals.inc({ route, reason });
    const { family } = meaningOf(reason);
    if (family === 'auth') authFailures.inc({ route, reason });
    else if (family === 'limit') limited.inc({ route });
  };
}
