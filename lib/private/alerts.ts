/** What is worth telling somebody, as rules of Prometheus over the metrics of docs/reference/metrics.md. */
import { GatewayAlert } from '../gateway-alert';
import { StoreFailure } from '../replay-store';
import { GatewaySpec } from './gateway-spec';
import { effectiveConfig } from './model';

interface Alert {
  readonly name: GatewayAlert;
  readonly severity: 'critical' | 'warning';
  readonly expr: string;
  /** Minutes that it must hold. */
  readonly for?: number;
  /** One line, with what Prometheus knows filled in. */
  readonly summary: string;
  /** What it means and where to look. */
  readonly description: string;
}

export interface AlertOptions {
  readonly runbookUrl?: string;
  readonly without: readonly GatewayAlert[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Entries of a PrometheusRule's `rules`. */
export function alertRules(spec: GatewaySpec, { runbookUrl, without, labels }: AlertOptions): object[] {
  return alertsOf(spec)
    .filter(({ name }) => !without.includes(name))
    .map(({ name, severity, expr, for: minutes, summary, description }) => ({
      alert: name,
      expr,
      ...(minutes === undefined ? {} : { for: `${minutes}m` }),
      labels: { ...labels, severity },
      annotations: {
        summary,
        description,
        ...(runbookUrl === undefined ? {} : { runbook_url: `${runbookUrl}${name}` }),
      },
    }));
}

/** A request without any credentials, or without the nonce it could not know, is how a client begins. */
const NO_FAULT = 'credentials_missing|dpop_nonce_missing|dpop_nonce_refused';
/** Reasons of refusals that are the gateway's own plight: family "gateway" of proxy/src/pipeline/reason.ts, by test. */
const PLIGHTS =
  'replay_store_down|replay_store_full|keys_unavailable|introspection_unavailable|exchange_unavailable|credential_unavailable|overloaded|internal_error';

const REFUSED = 'agentgateway_jwt_auth_failure_total';
const REFUSALS = 'agentgateway_refusals_total';

function alertsOf(spec: GatewaySpec): Alert[] {
  /** The job is what the operator calls a PodMonitor's. */
  const of = (metric: string, ...matchers: string[]) =>
    `${metric}{${[`job="${spec.namespace}/${spec.name}"`, ...matchers].join(', ')}}`;
  /**
   * By how much it rose. `increase` alone would miss the first time, with which a series begins; but one that
   * was only not looked at is not new: its pod must have been scraped without it in the window, or have started
   * in it.
   */
  const rise = (series: string, window: string) => {
    const scrapedWithout = `count_over_time(${series}[${window}]) < on (pod) group_left () sum_over_time(${of('up')}[${window}])`;
    const young = `${series} and on (pod) time() - ${of('process_start_time_seconds')} < ${Number(window.slice(0, -1)) * 60}`;
    return `(((${series} unless ${series} offset ${window}) and (${scrapedWithout} or ${young})) or increase(${series}[${window}]))`;
  };
  const rises = (by: string, series: string, window: string) =>
    `sum by (${by}) (${rise(series, window)}) > 0`;
  /** Of all requests of a route, where there are some. */
  const share = (series: string, window: string, above: number) =>
    `sum by (route) (rate(${series}[${window}])) / sum by (route) (rate(${of('agentgateway_request_duration_seconds_count')}[${window}])) > ${above} and sum by (route) (rate(${series}[${window}])) > 0.05`;

  const config = effectiveConfig(spec);
  const fetched = config.issuers.flatMap(({ name, jwks }) =>
    jwks !== undefined && 'url' in jwks ? [{ name, after: 3 * jwks.refreshSeconds }] : [],
  );
  const unchecked = spec.replayStore._redis?.onFailure;
  const memoryBytes = spec.memory.toMebibytes() * 2 ** 20;
  const { pods, percent } = { pods: 'pod {{ $labels.pod }}', percent: '{{ $value | humanizePercentage }}' };
  return [
    {
      name: GatewayAlert.ABSENT,
      severity: 'critical',
      for: 3,
      expr: `absent(${of('up')} == 1)`,
      summary: `No pod of ${spec.namespace}/${spec.name} can be scraped`,
      description:
        'Nobody gets through, or nobody can see whether: look at the Deployment, and whether metricsPeer still names your Prometheus.',
    },
    {
      name: GatewayAlert.PROOF_REPLAYED,
      severity: 'warning',
      expr: rises('route, reason', of(REFUSED, 'reason=~"dpop_replayed|token_replayed"'), '10m'),
      summary: 'Used proofs were sent again on route {{ $labels.route }}: {{ $value | humanize }} times',
      description:
        'None of them passed. A thief does it, and so does a client that retries without making a new proof: the audit lines with this reason have the key (dpop.jkt) and the address.',
    },
    {
      name: GatewayAlert.CALLERS_REFUSED,
      severity: 'warning',
      for: 10,
      expr: share(of(REFUSED, `reason!~"${NO_FAULT}"`), '10m', 0.2),
      summary: `${percent} of the requests on route {{ $labels.route }} are refused for their token or proof`,
      description:
        'By reason: agentgateway_jwt_auth_failure_total. A client that was changed, a key that was withdrawn too early, or somebody who tries.',
    },
    {
      name: GatewayAlert.CLOCKS_WRONG,
      severity: 'warning',
      for: 15,
      expr: share(of(REFUSED, 'reason=~"dpop_expired|dpop_not_yet_valid|token_not_yet_valid"'), '10m', 0.05),
      summary: `${percent} of the requests on route {{ $labels.route }} carry a proof from another time`,
      description:
        "The clock of a client, of the issuer or of a node is wrong: agentgateway_proof_age_seconds says which way. Nonces make the gateway's clock the only one.",
    },
    {
      name: GatewayAlert.UNABLE,
      severity: 'critical',
      for: 3,
      expr: rises('route, reason', of(REFUSALS, `reason=~"${PLIGHTS}"`), '2m'),
      summary: 'The gateway refuses requests on route {{ $labels.route }}: {{ $labels.reason }}',
      description:
        'What it cannot check it does not let through. The reason names what is missing: docs/reference/errors.md.',
    },
    ...(unchecked === undefined || unchecked === StoreFailure.DENY
      ? []
      : [
          {
            name: GatewayAlert.REPLAY_UNCHECKED,
            severity: 'critical' as const,
            expr: `sum(${rise(of('agentgateway_replay_unchecked_total'), '5m')}) > 0`,
            summary: 'Proofs pass that nobody checked for replays: {{ $value | humanize }}',
            description: `The replay store is away, and onFailure is "${unchecked}": a stolen proof can be used again until it is back.`,
          },
        ]),
    {
      name: GatewayAlert.BACKEND_FAILING,
      severity: 'warning',
      for: 5,
      expr: share(of(REFUSALS, 'reason=~"upstream_.+|exchange_refused"'), '5m', 0.05),
      summary: `${percent} of the requests on route {{ $labels.route }} fail at the backend`,
      description:
        "By reason: agentgateway_refusals_total. upstream_refused: the gateway's own credential is no longer good.",
    },
    ...(fetched.length === 0
      ? []
      : [
          {
            name: GatewayAlert.KEYS_STALE,
            severity: 'warning' as const,
            for: 5,
            expr: fetched
              .map(
                ({ name, after }) =>
                  `max by (issuer) (${of('agentgateway_jwks_age_seconds', `issuer="${name}"`)}) > ${after}`,
              )
              .join(' or '),
            summary: 'The keys of issuer {{ $labels.issuer }} are {{ $value | humanizeDuration }} old',
            description:
              'Three fetches in a row failed. The old keys stay in use until maxStale, and then nothing of this issuer passes.',
          },
        ]),
    {
      name: GatewayAlert.RELOAD_REFUSED,
      severity: 'warning',
      expr: rises('what', of('agentgateway_reloads_total', 'result="refused"'), '15m'),
      summary: 'A change was not taken: {{ $labels.what }}',
      description:
        'It is no good, and the one before is in use. The log of the pod says what is wrong with it; a pod that starts now would not.',
    },
    {
      name: GatewayAlert.AUDIT_LOST,
      severity: 'critical',
      expr: `sum(${rise(of('agentgateway_audit_lines_lost_total'), '5m')}) > 0`,
      summary: 'Audit lines are lost: {{ $value | humanize }}',
      description: 'Nobody reads standard output, or the disk is full. Requests go on.',
    },
    {
      name: GatewayAlert.CONNECTIONS_REFUSED,
      severity: 'warning',
      for: 5,
      expr: rises('cause', of('agentgateway_connections_refused_total'), '5m'),
      summary: 'Connections are turned away: {{ $labels.cause }}',
      description:
        '"address": one address has too many (maxConnectionsPerAddress); "total": maxConnections. Behind an ingress all clients have its address unless trustedPeers names it.',
    },
    {
      name: GatewayAlert.BUSY,
      severity: 'warning',
      for: 10,
      expr: `max by (pod) (${of('nodejs_eventloop_lag_p99_seconds')}) > 0.05`,
      summary: `${pods} is {{ $value | humanizeDuration }} behind`,
      description: 'More to do than one core does: more replicas (with a shared replay store) or workers.',
    },
    {
      name: GatewayAlert.MEMORY_SHORT,
      severity: 'warning',
      for: 10,
      expr: `max by (pod) (${of('process_resident_memory_bytes')}) > ${Math.round(0.9 * memoryBytes)}`,
      summary: `${pods} has {{ $value | humanize1024 }}B in use, of ${spec.memory.toMebibytes()} MiB`,
      description:
        'It is killed at the limit. An open stream takes up to 32 KiB, with TLS 80 KiB: more memory, or more replicas.',
    },
    ...(spec.tracing === undefined
      ? []
      : [
          {
            name: GatewayAlert.SPANS_DROPPED,
            severity: 'warning' as const,
            for: 15,
            expr: rises('cause', of('agentgateway_trace_spans_dropped_total'), '5m'),
            summary: 'Traces do not arrive: {{ $labels.cause }}',
            description:
              '"export": the collector is away or refuses; "queue": it is too slow for maxQueue. Requests are not held up.',
          },
        ]),
  ];
}
