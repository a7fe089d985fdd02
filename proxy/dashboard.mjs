// The Grafana dashboard of a gateway: a row for each question that an operator asks, in the order in which they ask.
// bundle.mjs writes it to assets/dashboard.json; lib gives it the name and the job of one gateway.
import common from '@grafana/grafana-foundation-sdk/common';
import dashboards from '@grafana/grafana-foundation-sdk/dashboard';
import prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import stats from '@grafana/grafana-foundation-sdk/stat';
import timeseries from '@grafana/grafana-foundation-sdk/timeseries';

const ROW_WIDTH = 24;
const HEIGHT = 8;
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The series of a metric of this gateway. */
const of = (metric, matchers = '') => `${metric}{job="$job"${matchers && `, ${matchers}`}}`;
const rate = (by, metric, matchers) => `sum by (${by}) (rate(${of(metric, matchers)}[$__rate_interval]))`;
const quantile = (q, by, histogram) =>
  `histogram_quantile(${q}, ${rate(['le', ...by].join(', '), `${histogram}_bucket`)})`;

/**
 * What a panel shows. `queries`: each with the legend of its series. `stat`: their last values as numbers. `bad`: a
 * line, above which something is wrong. `signed`: values can be below 0.
 * @typedef {{ title: string, why: string, unit?: string, stat?: boolean, signed?: boolean, bad?: number,
 *   queries: [expr: string, legend: string][] }} Panel
 */

/** @type {[question: string, panels: Panel[]][]} */
const ROWS = [
  [
    'Is it up, and if not, why?',
    [
      {
        title: 'Pods that are ready',
        why: 'Those that get requests. None: nobody gets through.',
        stat: true,
        queries: [
          [`sum(${of('agentgateway_ready')})`, 'ready'],
          [`count(${of('up')})`, 'of'],
        ],
      },
      {
        title: 'What is waited for',
        why: 'Each thing that a pod lacks before it is ready; nothing where all are ready.',
        queries: [[`max by (pod, what) (${of('agentgateway_waiting_for')})`, '{{pod}}: {{what}}']],
      },
      {
        title: 'Changes that were not taken',
        why: 'What is mounted or served now is no good, and the one before is in use. The log of the pod says why.',
        queries: [[`max by (pod, what) (${of('agentgateway_reload_failed')})`, '{{pod}}: {{what}}']],
      },
      {
        title: 'Configs in use',
        why: 'Pods by the hash of their config: more than one during a rollout only.',
        queries: [[`count by (hash) (${of('agentgateway_config_info')})`, '{{hash}}']],
      },
      {
        title: 'Time since the start',
        why: 'A fall is a restart: the memory replay store and the nonces of its own keys begin anew.',
        unit: 's',
        queries: [[`time() - ${of('process_start_time_seconds')}`, '{{pod}}']],
      },
    ],
  ],
  [
    'Who is refused, and why?',
    [
      {
        title: 'Requests by status',
        why: 'Of all routes, as clients got them.',
        unit: 'reqps',
        queries: [[rate('status', 'agentgateway_request_duration_seconds_count'), '{{status}}']],
      },
      {
        title: 'Refused for a token or proof',
        why:
          'By reason, as in docs/reference/errors.md. dpop_nonce_missing and credentials_missing are how ' +
          'clients begin.',
        unit: 'reqps',
        queries: [[rate('route, reason', 'agentgateway_jwt_auth_failure_total'), '{{route}}: {{reason}}']],
      },
      {
        title: 'Other refusals',
        why: 'By reason: rules, limits, what the gateway could not check, and backends that failed.',
        unit: 'reqps',
        queries: [[rate('route, reason', 'agentgateway_refusals_total'), '{{route}}: {{reason}}']],
      },
      {
        title: 'Age of proofs',
        signed: true,
        why: 'By their own iat: below 0 the clock of a client runs ahead; above maxAge they are refused.',
        unit: 's',
        queries: [
          [quantile(0.5, [], 'agentgateway_proof_age_seconds'), 'half are younger'],
          [quantile(0.99, [], 'agentgateway_proof_age_seconds'), '99 % are younger'],
        ],
      },
      {
        title: 'Connections not taken',
        why: 'address: one address has too many, or an ingress is missing in trustedPeers; total: the gateway is full.',
        unit: 'cps',
        queries: [[rate('cause', 'agentgateway_connections_refused_total'), '{{cause}}']],
      },
    ],
  ],
  [
    'Is it the backend?',
    [
      {
        title: 'Time of a request',
        why: 'From its first line to the last byte of its answer; an event stream counts when it ends.',
        unit: 's',
        queries: [
          [quantile(0.5, ['route'], 'agentgateway_request_duration_seconds'), '{{route}}, half'],
          [quantile(0.99, ['route'], 'agentgateway_request_duration_seconds'), '{{route}}, 99 %'],
        ],
      },
      {
        title: 'Failed at the backend',
        why: 'It was away, too slow, refused the credential, or answered what cannot be passed on.',
        unit: 'reqps',
        queries: [
          [
            rate('route, reason', 'agentgateway_refusals_total', 'reason=~"upstream_.+|exchange_refused"'),
            '{{route}}: {{reason}}',
          ],
        ],
      },
      {
        title: 'Open towards backends',
        why: 'Requests and streams, and requests that wait for a connection: then maxSockets is in use.',
        queries: [
          [`sum by (backend) (${of('agentgateway_active_connections')})`, '{{backend}}'],
          [`sum by (backend) (${of('agentgateway_upstream_queued')})`, '{{backend}}, waiting'],
        ],
      },
      {
        title: 'Answers that ended early',
        why: 'By cause, as `ended` in docs/reference/audit.md.',
        unit: 'ops',
        queries: [[rate('route, cause', 'agentgateway_answers_cut_short_total'), '{{route}}: {{cause}}']],
      },
    ],
  ],
  [
    'Is it full?',
    [
      {
        title: 'Memory',
        why: 'Resident. A pod is killed at its limit.',
        unit: 'bytes',
        queries: [[`max by (pod) (${of('process_resident_memory_bytes')})`, '{{pod}}']],
      },
      {
        title: 'CPU',
        why: 'Cores in use.',
        queries: [[rate('pod', 'process_cpu_seconds_total'), '{{pod}}']],
      },
      {
        title: 'Behind',
        why: 'p99 of the delay of the event loop: above 50 ms there is more to do than a core does.',
        unit: 's',
        bad: 0.05,
        queries: [[`max by (pod) (${of('nodejs_eventloop_lag_p99_seconds')})`, '{{pod}}']],
      },
      {
        title: 'Event streams',
        why: 'Open towards clients.',
        queries: [[`sum by (pod) (${of('agentgateway_open_streams')})`, '{{pod}}']],
      },
      {
        title: 'File descriptors',
        why: 'In use, of those that the process may have.',
        unit: 'percentunit',
        queries: [[`${of('process_open_fds')} / ${of('process_max_fds')}`, '{{pod}}']],
      },
      {
        title: 'Time of the replay store',
        why: 'Of a shared one, by its answer. A memory store answers at once, and is not here.',
        unit: 's',
        queries: [
          [quantile(0.99, ['answer'], 'agentgateway_replay_claim_duration_seconds'), '{{answer}}, 99 %'],
        ],
      },
    ],
  ],
  [
    'What changes soon?',
    [
      {
        title: 'Until a certificate ends',
        why: 'cert-manager renews at two thirds of its life.',
        unit: 's',
        queries: [[`min by (file) (${of('agentgateway_certificate_expiry_seconds')}) - time()`, '{{file}}']],
      },
      {
        title: 'Age of the keys',
        why: 'Since the key set of an issuer was loaded. A set at a URL that gets older than three refreshes is stale.',
        unit: 's',
        queries: [[`max by (issuer) (${of('agentgateway_jwks_age_seconds')})`, '{{issuer}}']],
      },
      {
        title: 'Reloads',
        why: 'Files and key sets that were read again.',
        unit: 'ops',
        queries: [[rate('what, result', 'agentgateway_reloads_total'), '{{what}}: {{result}}']],
      },
      {
        title: 'Lost lines',
        why: 'Of the audit, and about the process: nobody reads them, or the disk is full.',
        unit: 'ops',
        queries: [
          [`sum(rate(${of('agentgateway_audit_lines_lost_total')}[$__rate_interval]))`, 'audit'],
          [`sum(rate(${of('agentgateway_event_lines_lost_total')}[$__rate_interval]))`, 'events'],
        ],
      },
    ],
  ],
];

function target([expr, legend], n) {
  return new prometheus.DataqueryBuilder()
    .refId(String.fromCharCode('A'.charCodeAt(0) + n))
    .expr(expr)
    .legendFormat(legend)
    .range();
}

function panelOf({ title, why, unit = 'short', stat = false, signed = false, bad, queries }, width) {
  const panel = stat ? lastValues() : series(bad);
  panel.title(title).description(why).datasource(SOURCE).unit(unit).span(width).height(HEIGHT);
  if (!signed) panel.min(0);
  queries.map(target).forEach((query) => panel.withTarget(query));
  return panel;
}

const lastValues = () =>
  new stats.PanelBuilder().reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']));

function series(bad) {
  const panel = new timeseries.PanelBuilder()
    .fillOpacity(10)
    .legend(new common.VizLegendOptionsBuilder().showLegend(true).displayMode('list').placement('bottom'));
  if (bad === undefined) return panel;
  const steps = [
    { value: null, color: 'green' },
    { value: bad, color: 'red' },
  ];
  return panel
    .thresholds(new dashboards.ThresholdsConfigBuilder().mode('absolute').steps(steps))
    .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode('line'));
}

/** @returns the JSON model, with `$job` and a data source to choose */
export function dashboard() {
  const builder = new dashboards.DashboardBuilder('Agent gateway')
    .description('Written by the constructs of cdk8s-agentgateway: a change by hand is lost.')
    .tags(['agentgateway'])
    .readonly()
    .refresh('30s')
    .time({ from: 'now-3h', to: 'now' })
    .tooltip(dashboards.DashboardCursorSync.Crosshair)
    .withVariable(
      new dashboards.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(new dashboards.ConstantVariableBuilder('job').value('job'));
  for (const [question, panels] of ROWS) {
    builder.withRow(new dashboards.RowBuilder(question));
    const width = ROW_WIDTH / (panels.length > 4 ? 3 : panels.length);
    for (const panel of panels) builder.withPanel(panelOf(panel, width));
  }
  return builder.build();
}
