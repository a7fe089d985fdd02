/** What is worth telling somebody, as rules of Prometheus over the metrics of docs/reference/metrics.md. */
import { effectiveConfig } from '../config/proxy-config';
import { GatewaySpec } from '../spec/gateway-spec';
import { AgentgatewayVersion } from '../values/data-plane';
import { GatewayAlert } from '../values/gateway-alert';
import { StoreFailure } from '../values/store-failure';

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
  readonly runbookUrl: string;
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
      labels: { namespace: spec.namespace, gateway: spec.name, ...labels, severity },
      annotations: {
        summary,
        description,
        // Anchors of a rendered page are in lower case.
        runbook_url: runbookUrl + (runbookUrl.endsWith('#') ? name.toLowerCase() : name),
      },
    }));
}

/** A request without any credentials, or without the nonce it could not know, is how a client begins. */
const NO_FAULT = 'credentials_missing|dpop_nonce_missing|dpop_nonce_refused';
/** Reasons of refusals that are the gateway's own plight: family "gateway" of proxy/src/pipeline/reason.ts, by test. */
const PLIGHTS =
  'replay_store_down|replay_store_full|keys_unavailable|introspection_unavailable|exchange_unavailable|' +
  'credential_unavailable|overloaded|internal_error';

const REFUSED = 'agentgateway_jwt_auth_failure_total';
const REFUSALS = 'agentgateway_refusals_total';

function alertsOf(spec: GatewaySpec): Alert[] {
  const query = queriesFor(spec);
  return [
    ...readinessAlerts(spec, query),
    ...accessAlerts(query),
    ...gatewayAlerts(spec, query),
    ...keyAlerts(spec, query),
    ...certificateAlerts(spec, query),
    ...operationAlerts(spec, query),
    ...capacityAlerts(spec, query),
    ...valkeyAlerts(spec, query),
    ...tracingAlerts(spec, query),
  ];
}

/** PromQL over the series of one gateway. */
interface Queries {
  /** The series of a metric, with the job that the operator calls a PodMonitor's. */
  series(metric: string, ...matchers: string[]): string;
  /**
   * By how much it rose. `increase` alone would miss the first time, with which a series begins; but one that
   * was only not looked at is not new: its pod must have been scraped without it in the window, or have started
   * in it.
   */
  increase(series: string, window: string): string;
  /** Whether it rose, by these labels. */
  increased(labels: string, series: string, window: string): string;
  /** Whether it is more than this share of all requests of a route, where there are some. */
  exceedsShare(series: string, window: string, share: number): string;
}

/** As the operator calls it: both have metrics of the same names, which are counted apart by their job. */
export const jobOf = ({ namespace, name }: GatewaySpec) => `${namespace}/${name}`;
/** That the PodMonitor gives to the metrics of agentgateway itself. */
export const agentgatewayJob = (spec: GatewaySpec) => `${jobOf(spec)}/agentgateway`;

function queriesFor(spec: GatewaySpec): Queries {
  const series = (metric: string, ...matchers: string[]) =>
    `${metric}{${[`job="${jobOf(spec)}"`, ...matchers].join(', ')}}`;
  const increase = (of: string, window: string) => {
    const seconds = Number(window.slice(0, -1)) * 60;
    const scraped = `sum_over_time(${series('up')}[${window}])`;
    const scrapedWithout = `count_over_time(${of}[${window}]) < on (pod) group_left () ${scraped}`;
    const young = `${of} and on (pod) time() - ${series('process_start_time_seconds')} < ${seconds}`;
    const isNew = `(${of} unless ${of} offset ${window}) and (${scrapedWithout} or ${young})`;
    return `((${isNew}) or increase(${of}[${window}]))`;
  };
  const rate = (of: string, window: string) => `sum by (route) (rate(${of}[${window}]))`;
  return {
    series,
    increase,
    increased: (labels, of, window) => `sum by (${labels}) (${increase(of, window)}) > 0`,
    exceedsShare: (of, window, share) => {
      const all = rate(series('agentgateway_request_duration_seconds_count'), window);
      return `${rate(of, window)} / ${all} > ${share} and ${rate(of, window)} > 0.05`;
    },
  };
}

/** Before its end; cert-manager renews at two thirds of a certificate's life. */
const CERTIFICATE_DAYS = 7;

const POD = 'pod {{ $labels.pod }}';
const ROUTE = 'route {{ $labels.route }}';
const PERCENT = '{{ $value | humanizePercentage }}';

/** Whether anybody gets through. A pod that is not ready gets no requests, so that nothing it counts rises. */
function readinessAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  return [
    {
      name: GatewayAlert.ABSENT,
      severity: 'critical',
      for: 3,
      expr: `absent(${query.series('up')} == 1)`,
      summary: `No pod of ${spec.namespace}/${spec.name} can be scraped`,
      description:
        'Nobody gets through, or nobody can see whether: look at the Deployment, and whether metricsPeer ' +
        'still names your Prometheus.',
    },
    {
      name: GatewayAlert.NOT_READY,
      severity: 'critical',
      for: 2,
      expr: `max(${query.series('agentgateway_ready')}) == 0`,
      summary: `No pod of ${spec.namespace}/${spec.name} is ready`,
      description:
        'Nobody gets through. agentgateway_waiting_for says what each pod waits for, and so does its /readyz.',
    },
    {
      name: GatewayAlert.POD_NOT_READY,
      severity: 'warning',
      for: 10,
      expr: `max by (pod, what) (${query.series('agentgateway_waiting_for')}) > 0`,
      summary: `${POD} is not ready: it waits for {{ $labels.what }}`,
      description:
        'It gets no requests; the pods that are ready do. Its log says why it has not got what it waits for.',
    },
  ];
}

/** Who is refused for a token or a proof. */
function accessAlerts(query: Queries): Alert[] {
  return [
    {
      name: GatewayAlert.PROOF_REPLAYED,
      severity: 'warning',
      expr: query.increased(
        'route, reason',
        query.series(REFUSED, 'reason=~"dpop_replayed|token_replayed"'),
        '10m',
      ),
      summary: `Used proofs were sent again on ${ROUTE}: {{ $value | humanize }} times`,
      description:
        'None of them passed. A thief does it, and so does a client that retries without making a new ' +
        'proof: the audit lines with this reason have the key (dpop.jkt) and the address.',
    },
    {
      name: GatewayAlert.CALLERS_REFUSED,
      severity: 'warning',
      for: 10,
      expr: query.exceedsShare(query.series(REFUSED, `reason!~"${NO_FAULT}"`), '10m', 0.2),
      summary: `${PERCENT} of the requests on ${ROUTE} are refused for their token or proof`,
      description:
        'By reason: agentgateway_jwt_auth_failure_total. A client that was changed, a key that was ' +
        'withdrawn too early, or somebody who tries.',
    },
    {
      name: GatewayAlert.CLOCKS_WRONG,
      severity: 'warning',
      for: 15,
      expr: query.exceedsShare(
        query.series(REFUSED, 'reason=~"dpop_expired|dpop_not_yet_valid|token_not_yet_valid"'),
        '10m',
        0.05,
      ),
      summary: `${PERCENT} of the requests on ${ROUTE} carry a proof from another time`,
      description:
        'The clock of a client, of the issuer or of a node is wrong: agentgateway_proof_age_seconds says ' +
        "which way. Nonces make the gateway's clock the only one.",
    },
  ];
}

/** What the gateway cannot check, and backends that fail. */
function gatewayAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  const unchecked = spec.replayStore._redis?.onFailure;
  const unable: Alert = {
    name: GatewayAlert.UNABLE,
    severity: 'critical',
    for: 3,
    expr: query.increased('route, reason', query.series(REFUSALS, `reason=~"${PLIGHTS}"`), '2m'),
    summary: `The gateway refuses requests on ${ROUTE}: {{ $labels.reason }}`,
    description:
      'What it cannot check it does not let through. The reason names what is missing: docs/reference/errors.md.',
  };
  const replayUnchecked: Alert = {
    name: GatewayAlert.REPLAY_UNCHECKED,
    severity: 'critical',
    expr: `sum(${query.increase(query.series('agentgateway_replay_unchecked_total'), '5m')}) > 0`,
    summary: 'Proofs pass that nobody checked for replays: {{ $value | humanize }}',
    description:
      `The replay store is away, and onFailure is "${unchecked}": a stolen proof can be used again until it ` +
      'is back.',
  };
  const backendFailing: Alert = {
    name: GatewayAlert.BACKEND_FAILING,
    severity: 'warning',
    for: 5,
    expr: query.exceedsShare(query.series(REFUSALS, 'reason=~"upstream_.+|exchange_refused"'), '5m', 0.05),
    summary: `${PERCENT} of the requests on ${ROUTE} fail at the backend`,
    description:
      "By reason: agentgateway_refusals_total. upstream_refused: the gateway's own credential is no longer good.",
  };
  const passesUnchecked = unchecked !== undefined && unchecked !== StoreFailure.DENY;
  return [unable, ...(passesUnchecked ? [replayUnchecked] : []), backendFailing];
}

function keyAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  const fetched = effectiveConfig(spec).issuers.flatMap(({ name, jwks }) =>
    jwks !== undefined && 'refreshSeconds' in jwks ? [{ name, after: 3 * jwks.refreshSeconds }] : [],
  );
  if (fetched.length === 0) return [];
  return [
    {
      name: GatewayAlert.KEYS_STALE,
      severity: 'warning',
      for: 5,
      expr: fetched
        .map(
          ({ name, after }) =>
            `max by (issuer) (${query.series('agentgateway_jwks_age_seconds', `issuer="${name}"`)}) > ${after}`,
        )
        .join(' or '),
      summary: 'The keys of issuer {{ $labels.issuer }} are {{ $value | humanizeDuration }} old',
      description:
        'Three fetches in a row failed. The old keys stay in use until maxStale, and then nothing of this ' +
        'issuer passes.',
    },
  ];
}

/** The certificate that clients see, and those that the proxy and its servers know each other by. */
function certificateAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  // Of a backend, an issuer, Redis, the collector or the egress proxy, wherever the config names it.
  const ofServers = /"(caFile|clientCertificate)":/.test(JSON.stringify(effectiveConfig(spec)));
  if (spec.tlsSecretName === undefined && !ofServers) return [];
  const endsAt = `min by (file) (${query.series('agentgateway_certificate_expiry_seconds')})`;
  return [
    {
      name: GatewayAlert.CERTIFICATE_ENDS,
      severity: 'warning',
      for: 10,
      expr: `${endsAt} - time() < ${CERTIFICATE_DAYS * 86_400}`,
      summary: 'The certificate {{ $labels.file }} ends in {{ $value | humanizeDuration }}',
      description:
        'From then on clients refuse the gateway, or it refuses a backend, an issuer, Redis or the ' +
        'collector, or is refused by it; the file says which. ' +
        'It follows the file: whoever renews it has not done so.',
    },
  ];
}

/** Changes that were not taken, and what is lost. */
function operationAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  return [
    {
      name: GatewayAlert.RELOAD_REFUSED,
      severity: 'warning',
      expr: [
        `max by (what) (${query.series('agentgateway_reload_failed', 'what!="jwks"')}) > 0`,
        // A fetch that fails once is made again.
        `max by (what) (min_over_time(${query.series('agentgateway_reload_failed', 'what="jwks"')}[5m])) > 0`,
      ].join(' or '),
      summary: 'A change was not taken: {{ $labels.what }}',
      description:
        'What is mounted or served now is no good, and the one before is in use. ' +
        'The log of the pod says what is wrong with it; a pod that starts now would not. ' +
        'It goes on until that is mended.',
    },
    ...dataPlaneAlerts(spec),
    {
      name: GatewayAlert.AUDIT_LOST,
      severity: 'critical',
      expr: `sum(${query.increase(query.series('agentgateway_audit_lines_lost_total'), '5m')}) > 0`,
      summary: 'Audit lines are lost: {{ $value | humanize }}',
      description: 'Nobody reads standard output, or the disk is full. Requests go on.',
    },
    {
      name: GatewayAlert.CONNECTIONS_REFUSED,
      severity: 'warning',
      for: 5,
      expr: query.increased('cause', query.series('agentgateway_connections_refused_total'), '5m'),
      summary: 'Connections are turned away: {{ $labels.cause }}',
      description:
        '"address": one address has too many (maxConnectionsPerAddress); "total": maxConnections. Behind an ' +
        'ingress all clients have its address unless trustedPeers names it.',
    },
  ];
}

/** v0.12 does not say whether it took its config. */
function dataPlaneAlerts(spec: GatewaySpec): Alert[] {
  if (spec.dataPlane._version !== AgentgatewayVersion.V1_4) return [];
  return [
    {
      name: GatewayAlert.DATA_PLANE_STALE,
      severity: 'warning',
      for: 5,
      expr: `min by (pod) (agentgateway_config_synchronized{job="${agentgatewayJob(spec)}"}) == 0`,
      summary: `agentgateway in ${POD} did not take what it is given now`,
      description:
        'It goes on with what it had. Its log says what is wrong with the config, a key set, a certificate ' +
        'or a credential; a pod that starts now would not.',
    },
  ];
}

function capacityAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  const memoryBytes = spec.memory.toMebibytes() * 2 ** 20;
  return [
    {
      name: GatewayAlert.BUSY,
      severity: 'warning',
      for: 10,
      expr: `max by (pod) (${query.series('nodejs_eventloop_lag_p99_seconds')}) > 0.05`,
      summary: `${POD} is {{ $value | humanizeDuration }} behind`,
      description: 'More to do than one core does: more replicas (with a shared replay store) or workers.',
    },
    {
      name: GatewayAlert.MEMORY_SHORT,
      severity: 'warning',
      for: 10,
      expr: `max by (pod) (${query.series('process_resident_memory_bytes')}) > ${Math.round(0.9 * memoryBytes)}`,
      summary: `${POD} has {{ $value | humanize1024 }}B in use, of ${spec.memory.toMebibytes()} MiB`,
      description:
        'It is killed at the limit. An open stream takes up to 48 KiB, with TLS 80 KiB: more memory, or more replicas.',
    },
  ];
}

/** Of what was announced, by which Valkey's memory is made. */
const VALKEY_SHARE = 0.8;

/** Each claim that is answered `first` is one more proof to remember, whichever pod asked. */
function valkeyAlerts({ replayStore }: GatewaySpec, query: Queries): Alert[] {
  if (replayStore._valkey === undefined) return [];
  const { requestsPerSecond } = replayStore._valkey;
  const claims = query.series('agentgateway_replay_claim_duration_seconds_count', 'answer="first"');
  return [
    {
      name: GatewayAlert.REPLAY_STORE_SHORT,
      severity: 'warning',
      for: 10,
      expr: `sum(rate(${claims}[5m])) / ${requestsPerSecond} > ${VALKEY_SHARE}`,
      summary: `Valkey is given ${PERCENT} of the ${requestsPerSecond} proofs a second that were announced`,
      description:
        'Its memory is made for that many: beyond it requests are refused with replay_store_full once it is ' +
        'full. Announce more: requestsPerSecond of ReplayStore.valkey.',
    },
  ];
}

function tracingAlerts(spec: GatewaySpec, query: Queries): Alert[] {
  if (spec.tracing === undefined) return [];
  return [
    {
      name: GatewayAlert.SPANS_DROPPED,
      severity: 'warning',
      for: 15,
      expr: query.increased('cause', query.series('agentgateway_trace_spans_dropped_total'), '5m'),
      summary: 'Traces do not arrive: {{ $labels.cause }}',
      description:
        '"export": the collector is away or refuses; "queue": it is too slow for maxQueue. Requests are not held up.',
    },
  ];
}
