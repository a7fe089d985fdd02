/**
 * The alerts that synth emits, in a real Prometheus: each fires when it should and not otherwise, and the
 * shipped gateway has all that they read.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { request } from '../../../proxy/test/support/gateway.js';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess } from '../support/gateway-process.js';
import { startPrometheus } from '../support/prometheus.js';
import { openScene } from '../support/scene.js';
import { synthesized } from '../support/synthesized.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
}
interface Manifest {
  readonly kind: string;
  readonly spec: { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
}

/** What the operator calls the job of the app's PodMonitor. */
const JOB = 'aiops/agentgateway';
/** That the PodMonitor gives to the metrics of agentgateway, which does not run here. */
const AGENTGATEWAY_JOB = `${JOB}/agentgateway`;

/**
 * Prometheus' own notation, half a minute a value: a start, "+" what is added each time, "x" how often; "_" is
 * none.
 */
type Series = Readonly<Record<string, string>>;
const series = (metric: string, labels = '') => `${metric}{job="${JOB}", pod="a"${labels && `, ${labels}`}}`;
const UP: Series = { [series('up')]: '1x80', [series('process_start_time_seconds')]: '-86400x80' };
/** Scraped for five minutes, not for fifteen, and then again. */
const gap = (value: number) => `${value}x9 _x30 ${value}x40`;
/** Two requests a second on one route. */
const SERVING: Series = {
  ...UP,
  [series('agentgateway_request_duration_seconds_count', 'route="mcp", status="200"')]: '0+60x80',
};
const refused = (reason: string, values: string): Series => ({
  [series('agentgateway_jwt_auth_failure_total', `route="mcp", reason="${reason}"`)]: values,
});
const refusal = (reason: string, values: string): Series => ({
  [series('agentgateway_refusals_total', `route="mcp", reason="${reason}"`)]: values,
});
const counted = (metric: string, labels: string, values: string): Series => ({
  [series(metric, labels)]: values,
});
const synchronized = (pod: string) =>
  `agentgateway_config_synchronized{job="${AGENTGATEWAY_JOB}", pod="${pod}"}`;
const PLAIN = 'AgentgatewayReplayUnchecked';

/** What is measured, and which alerts fire when: minutes since it began. */
const CASES: readonly (readonly [
  what: string,
  given: Series,
  at: Readonly<Record<number, readonly string[]>>,
])[] = [
  [
    'all is well',
    {
      ...SERVING,
      ...refused('credentials_missing', '0+60x80'),
      ...refused('dpop_nonce_missing', '0+60x80'),
      ...refused('token_expired', '0+6x80'),
      ...refusal('no_route', '0+60x80'),
    },
    { 1: [], 11: [], 39: [] },
  ],
  ['the pods are gone', { [series('up')]: '1x10 0x70' }, { 5: [], 7: [], 10: ['AgentgatewayAbsent'] }],
  ['there never were any', {}, { 2: [], 4: ['AgentgatewayAbsent'] }],
  ['one of two is gone', { ...UP, [series('up').replace('"a"', '"b"')]: '0x80' }, { 10: [] }],
  [
    'another gateway is there, and not this one',
    { [series('up').replace(JOB, 'aiops/other')]: '1x80' },
    { 10: ['AgentgatewayAbsent'] },
  ],
  [
    'no pod is ready for three minutes',
    {
      ...UP,
      ...counted('agentgateway_ready', '', '1x19 0x6 1x60'),
      ...counted('agentgateway_waiting_for', 'what="replay store"', '_x19 1x6 _x60'),
    },
    { 9: [], 11: [], 13: ['AgentgatewayNotReady'], 20: [] },
  ],
  [
    'one of two pods is not ready',
    {
      ...UP,
      ...counted('agentgateway_ready', '', '1x80'),
      [series('agentgateway_ready').replace('"a"', '"b"')]: '0x80',
      [series('agentgateway_waiting_for', 'what="replay store"').replace('"a"', '"b"')]: '1x80',
    },
    { 5: [], 9: [], 11: ['AgentgatewayPodNotReady'] },
  ],
  [
    'the certificate ends in less than a week',
    { ...UP, ...counted('agentgateway_certificate_expiry_seconds', 'file="/tls/tls.crt"', '605400x80') },
    { 5: [], 9: [], 21: ['AgentgatewayCertificateEnds'] },
  ],
  [
    'the certificate ends in a month',
    { ...UP, ...counted('agentgateway_certificate_expiry_seconds', 'file="/tls/tls.crt"', '2592000x80') },
    { 30: [] },
  ],
  [
    'a proof is replayed for the first time',
    { ...SERVING, ...refused('dpop_replayed', '_x19 1x60') },
    { 9: [], 11: ['AgentgatewayProofReplayed'], 19: ['AgentgatewayProofReplayed'], 21: [] },
  ],
  [
    'nobody scraped for a while',
    {
      ...SERVING,
      [series('up')]: gap(1),
      [series('process_start_time_seconds')]: gap(-86400),
      ...refused('dpop_replayed', gap(3)),
      ...counted('agentgateway_audit_lines_lost_total', '', gap(7)),
      ...counted('agentgateway_replay_unchecked_total', '', gap(2)),
    },
    { 21: [], 23: [], 26: [], 35: [] },
  ],
  [
    'nobody could scrape for a while',
    {
      ...SERVING,
      [series('up')]: '1x9 0x30 1x40',
      [series('process_start_time_seconds')]: gap(-86400),
      ...refused('dpop_replayed', gap(3)),
    },
    { 21: [], 23: [], 35: [] },
  ],
  [
    'scraping begins long after the gateway',
    {
      [series('up')]: '_x19 1x60',
      [series('process_start_time_seconds')]: '_x19 -86400x60',
      ...refused('dpop_replayed', '_x19 3x60'),
    },
    { 11: [], 15: [] },
  ],
  [
    'a new pod has seen a replay before it was scraped',
    {
      ...SERVING,
      ...Object.fromEntries(
        Object.entries({ ...UP, ...refused('dpop_replayed', '_x39 1x40') }).map(([name, values]) => [
          name.replace('pod="a"', 'pod="b"'),
          values.replace('1x80', '_x39 1x40').replace('-86400x80', '_x39 1190x40'),
        ]),
      ),
    },
    { 19: [], 21: ['AgentgatewayProofReplayed'], 36: [] },
  ],
  [
    'one more proof is replayed',
    { ...SERVING, ...refused('token_replayed', '1x40 2x40') },
    { 15: [], 22: ['AgentgatewayProofReplayed'], 32: [] },
  ],
  [
    'a third are refused',
    { ...SERVING, ...refused('token_signature_bad', '0+20x80') },
    { 8: [], 15: ['AgentgatewayCallersRefused'] },
  ],
  [
    'all of very few are refused',
    {
      ...UP,
      ...counted('agentgateway_request_duration_seconds_count', 'route="mcp", status="401"', '0+1x80'),
      ...refused('token_expired', '0+1x80'),
    },
    { 15: [], 30: [] },
  ],
  [
    'a few of a hundred come from another time',
    {
      ...SERVING,
      ...refused('dpop_expired', '0+2x80'),
      ...refused('dpop_not_yet_valid', '0+1x80'),
      ...refused('token_not_yet_valid', '0+1x80'),
    },
    { 10: [], 20: ['AgentgatewayClocksWrong'] },
  ],
  [
    'the replay store stays away',
    { ...SERVING, ...refusal('replay_store_down', '0x20 0+9x60') },
    { 9: [], 12: [], 15: ['AgentgatewayUnable'] },
  ],
  [
    'the replay store was away for a moment',
    { ...SERVING, ...refusal('replay_store_down', '_x19 9x60') },
    { 9: [], 11: [], 12: [], 13: [], 15: [] },
  ],
  [
    'a proof passes unchecked',
    { ...SERVING, ...counted('agentgateway_replay_unchecked_total', '', '0x20 1x60') },
    { 9: [], 11: [PLAIN], 17: [] },
  ],
  [
    'a tenth fail at the backend',
    { ...SERVING, ...refusal('upstream_timeout', '0+6x80') },
    { 3: [], 8: ['AgentgatewayBackendFailing'] },
  ],
  ['few fail at the backend', { ...SERVING, ...refusal('upstream_failed', '0+2x80') }, { 30: [] }],
  [
    'keys are three fetches old',
    { ...SERVING, ...counted('agentgateway_jwks_age_seconds', 'issuer="default"', '0+30x80') },
    { 29: [], 34: [], 37: ['AgentgatewayKeysStale'] },
  ],
  [
    'keys that nobody fetches are old',
    { ...SERVING, ...counted('agentgateway_jwks_age_seconds', 'issuer="from-a-file"', '90000x80') },
    { 30: [] },
  ],
  [
    'a first change is refused',
    {
      ...SERVING,
      ...counted('agentgateway_reload_failed', 'what="config"', '0x19 1x20 0x60'),
      ...counted('agentgateway_reload_failed', 'what="jwks"', '0x80'),
    },
    { 9: [], 11: ['AgentgatewayReloadRefused'], 20: ['AgentgatewayReloadRefused'], 22: [] },
  ],
  [
    'a key set is no good for long',
    { ...SERVING, ...counted('agentgateway_reload_failed', 'what="jwks"', '0x19 1x60') },
    { 11: [], 14: [], 16: ['AgentgatewayReloadRefused'] },
  ],
  [
    'a key set could not be fetched once',
    { ...SERVING, ...counted('agentgateway_reload_failed', 'what="jwks"', '0x19 1x4 0x60') },
    { 11: [], 13: [], 16: [] },
  ],
  [
    'audit lines are lost',
    { ...SERVING, ...counted('agentgateway_audit_lines_lost_total', '', '0x20 7x60') },
    { 9: [], 11: ['AgentgatewayAuditLost'], 17: [] },
  ],
  [
    'connections are turned away',
    { ...SERVING, ...counted('agentgateway_connections_refused_total', 'cause="address"', '_x19 1+1x60') },
    { 14: [], 16: ['AgentgatewayConnectionsRefused'] },
  ],
  [
    'a pod is behind',
    { ...SERVING, ...counted('nodejs_eventloop_lag_p99_seconds', '', '0.051x80') },
    { 9: [], 11: ['AgentgatewayBusy'] },
  ],
  [
    'agentgateway did not take its config',
    { ...SERVING, [synchronized('a')]: '1x9 0x70', [synchronized('b')]: '1x80' },
    { 4: [], 9: [], 11: ['AgentgatewayDataPlaneStale'] },
  ],
  [
    'agentgateway took its config, and that of another gateway did not',
    { ...SERVING, [synchronized('a')]: '1x80', [synchronized('a').replace(JOB, 'aiops/other')]: '0x80' },
    { 30: [] },
  ],
  [
    'a pod is nearly behind',
    { ...SERVING, ...counted('nodejs_eventloop_lag_p99_seconds', '', '0.049x80') },
    { 30: [] },
  ],
  [
    'memory is short',
    { ...SERVING, ...counted('process_resident_memory_bytes', '', `${0.91 * 256 * 2 ** 20}x80`) },
    { 9: [], 11: ['AgentgatewayMemoryShort'] },
  ],
  [
    'memory is not short',
    { ...SERVING, ...counted('process_resident_memory_bytes', '', `${0.89 * 256 * 2 ** 20}x80`) },
    { 30: [] },
  ],
  [
    'Valkey is given more than four fifths of what was announced, by two pods together',
    {
      ...SERVING,
      ...counted('agentgateway_replay_claim_duration_seconds_count', 'answer="first"', '0+1500x80'),
      [series('agentgateway_replay_claim_duration_seconds_count', 'answer="first"').replace('"a"', '"b"')]:
        '0+1200x40 48000x40',
    },
    { 13: [], 16: ['AgentgatewayReplayStoreShort'], 19: ['AgentgatewayReplayStoreShort'], 26: [] },
  ],
  [
    'Valkey is given less, and more than that is refused',
    {
      ...SERVING,
      ...counted('agentgateway_replay_claim_duration_seconds_count', 'answer="first"', '0+2300x80'),
      ...counted('agentgateway_replay_claim_duration_seconds_count', 'answer="seen"', '0+900x80'),
    },
    { 30: [] },
  ],
  [
    "another gateway's Valkey is given more",
    {
      ...SERVING,
      [series('agentgateway_replay_claim_duration_seconds_count', 'answer="first"').replace(
        JOB,
        'aiops/other',
      )]: '0+3000x80',
    },
    { 30: [] },
  ],
  [
    'Valkey is full',
    { ...SERVING, ...refusal('replay_store_full', '0x20 0+9x60') },
    { 9: [], 12: [], 15: ['AgentgatewayUnable'] },
  ],
  [
    'traces do not arrive',
    { ...SERVING, ...counted('agentgateway_trace_spans_dropped_total', 'cause="export"', '_x9 5+5x70') },
    { 10: [], 19: [], 21: ['AgentgatewaySpansDropped'] },
  ],
];

const missing = ['prometheus', 'promtool'].filter((name) => programOf(name) === undefined);
needs('the alerts', missing);
(missing.length === 0 ? describe : describe.skip)('the alerts', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-monitoring-'));
  const file = (name: string) => join(dir, name);
  let rules: readonly Rule[];

  beforeAll(() => {
    const { spec } = synthesized<Manifest>('test/support/monitoring-app.ts', file('manifests')).find(
      ({ kind }) => kind === 'PrometheusRule',
    )!;
    rules = spec.groups.flatMap((group) => group.rules);
    writeFileSync(file('rules.yaml'), stringify(spec));
  }, 30_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('are what promtool takes for rules, without a doubt', () => {
    expect(
      execFileSync('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', file('rules.yaml')], {
        encoding: 'utf8',
      }),
    ).toContain(`SUCCESS: ${rules.length} rules found`);
  });

  it('each have a case in which they fire', () => {
    expect([...new Set(CASES.flatMap(([, , at]) => Object.values(at).flat()))].sort()).toEqual(
      rules.map(({ alert }) => alert).sort(),
    );
  });

  it.each(CASES)('fire as they should when %s', (what, given, at) => {
    const test = {
      interval: '30s',
      input_series: Object.entries(given).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: Object.entries(at).map(([minutes, firing]) => ({
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minutes}m`,
        exp_samples: firing.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      })),
    };
    writeFileSync(
      file('case.yaml'),
      stringify({ rule_files: ['rules.yaml'], evaluation_interval: '30s', tests: [test] }),
    );
    let said = '';
    try {
      execFileSync('promtool', ['test', 'rules', file('case.yaml')], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (cause) {
      const { stdout, stderr } = cause as { stdout: string; stderr: string };
      said = stdout + stderr;
    }
    expect([what, said]).toEqual([what, '']);
  });

  it('read what the gateway has, and fire when a proof is sent twice and a change is no good', async () => {
    const scene = await openScene();
    const gateway = await startGatewayProcess(scene.config, { dir, name: 'gateway' });
    const prometheus = await startPrometheus({
      dir,
      job: JOB,
      pods: { a: gateway.adminPort },
      ruleFiles: ['rules.yaml'],
    });
    const { ask, until } = prometheus;
    type Alert = {
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
      readonly state: string;
    };
    const firing = async () =>
      (await ask<{ alerts: readonly Alert[] }>('alerts')).alerts.filter(({ state }) => state === 'firing');
    try {
      expect((await request(gateway.port, scene.ask())).status).toBe(200);
      type State = {
        readonly groups: readonly {
          readonly rules: readonly {
            readonly name: string;
            readonly health: string;
            readonly lastError?: string;
          }[];
        }[];
      };
      await until('the rules have been evaluated', async () =>
        (await ask<State>('rules')).groups.every((group) =>
          group.rules.every(({ health }) => health !== 'unknown'),
        ),
      );
      expect(
        (await ask<State>('rules')).groups
          .flatMap((group) => group.rules)
          .map(({ name, health, lastError = '' }) => [name, health, lastError]),
      ).toEqual(rules.map(({ alert }) => [alert, 'ok', '']));
      await until(
        'the gateway has been scraped',
        async () =>
          (
            await ask<{ result: readonly unknown[] }>(
              `query?query=${encodeURIComponent(`up{job="${JOB}"} == 1`)}`,
            )
          ).result.length === 1,
      );
      const known = new Set(
        (await ask<readonly { readonly metric: string }[]>('targets/metadata')).map(({ metric }) => metric),
      );
      const read = new Set(
        rules.flatMap(({ expr }) =>
          [
            ...expr
              .replaceAll(/\w+\{job="[^"]+\/agentgateway\/agentgateway"\}/g, '')
              .matchAll(/([a-z_0-9]+)\{/g),
          ].map(([, metric]) => metric!.replace(/_count$/, '')),
        ),
      );
      expect([...read].filter((metric) => metric !== 'up' && !known.has(metric))).toEqual([]);
      expect(await firing()).toEqual([]);

      const used = scene.ask();
      expect([
        (await request(gateway.port, used)).status,
        (await request(gateway.port, used)).status,
      ]).toEqual([200, 401]);
      gateway.rewrite('{"version":');
      gateway.child.kill('SIGHUP');
      await until('both fire', async () => (await firing()).length === 2);
      expect(
        (await firing())
          .map(({ labels, annotations: { summary, runbook_url } }) => [
            labels.alertname,
            labels.severity,
            labels.team,
            summary,
            runbook_url,
          ])
          .sort(),
      ).toEqual([
        [
          'AgentgatewayProofReplayed',
          'warning',
          'platform',
          'Used proofs were sent again on route mcp: 1 times',
          'https://runbooks.example/AgentgatewayProofReplayed',
        ],
        [
          'AgentgatewayReloadRefused',
          'warning',
          'platform',
          'A change was not taken: config',
          'https://runbooks.example/AgentgatewayReloadRefused',
        ],
      ]);
    } finally {
      await prometheus.stop();
      await gateway.stop();
      scene.stop();
    }
  }, 90_000);
});
