/** That the alerts fire when they should is shown with a real Prometheus: test/e2e/monitoring/alerts.test.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration } from 'cdk8s';
import {
  AgentGatewayProps,
  CaBundle,
  DataPlane,
  GatewayAlert,
  GatewayMonitoring,
  GatewayMonitoringProps,
  JwksSource,
  McpRoute,
  McpRouteProps,
  Peer,
  ReplayStore,
  StoreFailure,
} from '../../lib';
import { describeCrds, validator } from '../support/crds';
import { monitoredGateway } from '../support/monitored';
import { jwks, Manifest, newChart, only, problems, root, synth } from '../support/synth';

const peer = Peer.pods({ app: 'a' });
/** Of a gateway whose settings can raise every alert, but for what is said. */
const monitored = (
  settings: Partial<AgentGatewayProps> = {},
  props: Partial<GatewayMonitoringProps> = {},
) => {
  const chart = newChart();
  new GatewayMonitoring(chart, 'Monitoring', { gateway: monitoredGateway(chart, settings), ...props });
  return chart;
};
const rulesOf = (objects: Manifest[]): Manifest[] => only(objects, 'PrometheusRule').spec.groups[0].rules;
const namesOf = (objects: Manifest[]) => rulesOf(objects).map(({ alert }) => alert);
const RUNBOOK = 'https://github.com/cdk8s-agentgateway/cdk8s-agentgateway/blob/main/docs/runbook.md';
/** Metrics of agentgateway itself, at 1.4.1. */
const OF_AGENTGATEWAY = ['agentgateway_config_synchronized'];
const reference = (page: string) => readFileSync(join(root, 'docs', 'reference', page), 'utf8');

describe('GatewayMonitoring', () => {
  it('scrapes the pods on the port that only the scraper reaches', () => {
    const objects = synth(
      monitored({}, { scrapeInterval: Duration.seconds(15), labels: { release: 'prometheus' } }),
    );
    const { metadata, spec } = only(objects, 'PodMonitor');
    expect(metadata).toMatchObject({
      name: 'agentgateway',
      namespace: 'aiops',
      labels: { release: 'prometheus' },
    });
    expect(spec.podMetricsEndpoints).toEqual([
      { port: 'admin', path: '/metrics', scheme: 'http', interval: '15s' },
      {
        port: 'stats',
        path: '/metrics',
        scheme: 'http',
        interval: '15s',
        // Names of metrics are the same in both, and "up" is of the proxy alone.
        relabelings: [
          { action: 'replace', targetLabel: 'job', replacement: 'aiops/agentgateway/agentgateway' },
        ],
      },
    ]);
    const direct = synth(monitored({ dataPlane: DataPlane.direct() }));
    expect(only(direct, 'PodMonitor').spec.podMetricsEndpoints).toHaveLength(1);
    const pod = only(objects, 'Deployment').spec.template;
    expect(pod.metadata.labels).toMatchObject(spec.selector.matchLabels);
    expect(pod.spec.containers[0].ports).toContainEqual({
      name: 'admin',
      containerPort: 9090,
      protocol: 'TCP',
    });
  });
  it('has an alert for each thing, and none that the settings cannot raise', () => {
    expect(new Set(namesOf(synth(monitored())))).toEqual(new Set(Object.values(GatewayAlert)));
    const rare = [
      GatewayAlert.KEYS_STALE,
      GatewayAlert.CERTIFICATE_ENDS,
      GatewayAlert.REPLAY_UNCHECKED,
      GatewayAlert.REPLAY_STORE_SHORT,
      GatewayAlert.SPANS_DROPPED,
    ];
    const plain = { jwks: jwks(), replayStore: undefined, tracing: undefined, tlsSecretName: undefined };
    expect(namesOf(synth(monitored(plain)))).toEqual(
      Object.values(GatewayAlert).filter((alert) => !rare.includes(alert)),
    );
    expect(
      namesOf(
        synth(
          monitored({
            replayStore: ReplayStore.redis({ host: 'redis', peer, onFailure: StoreFailure.DENY }),
          }),
        ),
      ),
    ).not.toContain(GatewayAlert.REPLAY_UNCHECKED);
    expect(namesOf(synth(monitored({ dataPlane: DataPlane.direct() })))).not.toContain(
      GatewayAlert.DATA_PLANE_STALE,
    );
    expect(namesOf(synth(monitored({}, { without: [GatewayAlert.ABSENT] })))).not.toContain(
      GatewayAlert.ABSENT,
    );
  });
  it.each<[string, Partial<McpRouteProps>]>([
    ['the CA bundle of a backend', { backendCa: CaBundle.fromConfigMap('mcp-ca') }],
    ['the certificate that a backend sees', { backendCertificateSecret: 'gateway-client' }],
  ])('tells of the end of %s, without TLS of its own', (_, props) => {
    const chart = newChart();
    const direct = { dataPlane: DataPlane.direct(), tlsSecretName: undefined, replayStore: undefined };
    const gateway = monitoredGateway(chart, direct);
    new GatewayMonitoring(chart, 'Monitoring', { gateway });
    expect(namesOf(synth(chart))).not.toContain(GatewayAlert.CERTIFICATE_ENDS);
    new McpRoute(chart, 'Tls', {
      gateway,
      pathPrefix: '/tls',
      backend: 'https://mcp.example:5443',
      backendPeer: peer,
      ...props,
    });
    expect(namesOf(synth(chart))).toContain(GatewayAlert.CERTIFICATE_ENDS);
  });
  it.each<[string, Partial<AgentGatewayProps>]>([
    [
      'an issuer',
      { jwks: JwksSource.fromUrl('https://as.example/jwks', { peer, ca: CaBundle.fromConfigMap('as-ca') }) },
    ],
    [
      'Redis',
      { replayStore: ReplayStore.redis({ host: 'redis', peer, ca: CaBundle.fromConfigMap('redis-ca') }) },
    ],
    [
      'the collector',
      { tracing: { url: 'https://collector/v1/traces', peer, ca: CaBundle.fromConfigMap('otel-ca') } },
    ],
  ])('tells of the end of the CA bundle of %s, without TLS of its own', (_, props) => {
    const plain = { dataPlane: DataPlane.direct(), tlsSecretName: undefined, replayStore: undefined };
    expect(namesOf(synth(monitored(plain)))).not.toContain(GatewayAlert.CERTIFICATE_ENDS);
    expect(namesOf(synth(monitored({ ...plain, ...props })))).toContain(GatewayAlert.CERTIFICATE_ENDS);
  });
  it('reads metrics, labels and reasons that there are, of this gateway only', () => {
    const [metrics, errors] = [reference('metrics.md'), reference('errors.md')];
    for (const { alert, expr } of rulesOf(synth(monitored({ name: 'other' })))) {
      const selectors = [...expr.matchAll(/([a-z_0-9]+)\{([^}]*)\}/g)];
      expect([alert, selectors.length > 0]).toEqual([alert, true]);
      for (const [, metric, matchers] of selectors) {
        if (OF_AGENTGATEWAY.includes(metric)) {
          expect([alert, matchers]).toEqual([alert, 'job="aiops/other/agentgateway"']);
          continue;
        }
        expect([alert, matchers]).toEqual([alert, expect.stringMatching(/^job="aiops\/other"(,|$)/)]);
        if (metric === 'up') continue;
        const row = metrics
          .split('\n')
          .find((line) => line.startsWith(`| \`${metric.replace(/_count$/, '')}\` |`));
        expect([alert, metric, row]).toEqual([alert, metric, expect.any(String)]);
        for (const [, label] of matchers.matchAll(/, ([a-z]+)[!=]/g)) {
          expect([alert, row]).toEqual([alert, expect.stringContaining(`\`${label}\``)]);
        }
        const reasons = [...matchers.matchAll(/reason!?=~"([^"]+)"/g)].flatMap(([, list]) => list.split('|'));
        for (const reason of reasons) {
          const isDocumented = new RegExp(`^\\| \`${reason}\` \\|`, 'm').test(errors);
          expect([alert, reason, isDocumented]).toEqual([alert, reason, true]);
        }
      }
    }
  });
  it('takes every plight of the gateway itself for one', () => {
    const [, section] = /^## [^\n]*gateway[^\n]*\n([\s\S]*?)(?=^## |(?![\s\S]))/im.exec(
      reference('errors.md'),
    )!;
    const own = [...section.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, reason]) => reason).sort();
    const { expr } = rulesOf(synth(monitored())).find(({ alert }) => alert === GatewayAlert.UNABLE)!;
    expect(/reason=~"([^"]+)"/.exec(expr)![1].split('|').sort()).toEqual(own);
  });
  it('says in an alert only what its expression knows, and where to read on', () => {
    for (const { alert, expr, annotations, labels } of rulesOf(
      synth(monitored({}, { runbookUrl: 'https://runbooks.example/', alertLabels: { team: 'platform' } })),
    )) {
      const by = (/by \(([a-z, ]+)\)/.exec(expr)?.[1] ?? '').split(', ');
      for (const [, label] of `${annotations.summary} ${annotations.description}`.matchAll(
        /\$labels\.([a-z]+)/g,
      )) {
        expect([alert, by]).toEqual([alert, expect.arrayContaining([label])]);
      }
      expect([
        annotations.runbook_url,
        labels.team,
        ['critical', 'warning'].includes(labels.severity),
      ]).toEqual([`https://runbooks.example/${alert}`, 'platform', true]);
    }
  });
  it('says whose each alert is, so that two gateways do not merge into one', () => {
    for (const { alert, labels } of rulesOf(synth(monitored({ name: 'other' }))))
      expect([alert, labels]).toEqual([
        alert,
        { namespace: 'aiops', gateway: 'other', severity: expect.stringMatching(/^(critical|warning)$/) },
      ]);
  });
  it.each([
    ['the page of this project', undefined, `${RUNBOOK}#agentgatewayabsent`],
    [
      'a page of their own',
      'https://wiki.example/gateway#',
      'https://wiki.example/gateway#agentgatewayabsent',
    ],
    ['a page for each alert', 'https://wiki.example/', 'https://wiki.example/AgentgatewayAbsent'],
  ])('leads somebody who was woken to %s', (_, runbookUrl, url) => {
    const { annotations } = rulesOf(synth(monitored({}, { runbookUrl }))).find(
      ({ alert }) => alert === GatewayAlert.ABSENT,
    )!;
    expect(annotations.runbook_url).toBe(url);
  });
  it('waits for as many fetches as the key set is refreshed, and for the memory that the pod has', () => {
    const expr = (name: GatewayAlert) =>
      rulesOf(
        synth(
          monitored({
            workers: 2,
            jwks: JwksSource.fromUrl('https://as.example/jwks', { peer, refresh: Duration.minutes(5) }),
          }),
        ),
      ).find(({ alert }) => alert === name)!.expr;
    expect(expr(GatewayAlert.KEYS_STALE)).toBe(
      'max by (issuer) (agentgateway_jwks_age_seconds{job="aiops/agentgateway", issuer="default"}) > 900',
    );
    expect(expr(GatewayAlert.MEMORY_SHORT)).toMatch(new RegExp(` > ${0.9 * 320 * 2 ** 20}$`));
  });
  describe('its dashboard', () => {
    const boards = (props: Partial<GatewayMonitoringProps>, settings?: Partial<AgentGatewayProps>) =>
      synth(monitored(settings, props)).filter(
        ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-dashboard'),
      );
    it('is there where it is asked for', () => {
      expect(boards({})).toEqual([]);
      expect(boards({ dashboard: false })).toEqual([]);
      expect(boards({ dashboard: true })).toHaveLength(1);
    });
    it('has the labels that a sidecar looks for', () => {
      const labelsOf = (dashboardLabels?: Record<string, string>) =>
        boards({ dashboard: true, dashboardLabels })[0].metadata.labels;
      expect(labelsOf()).toMatchObject({ grafana_dashboard: '1', 'app.kubernetes.io/name': 'agentgateway' });
      expect(labelsOf({ team: 'a' })).toMatchObject({ team: 'a' });
      expect(labelsOf({ team: 'a' })).not.toHaveProperty('grafana_dashboard');
    });
    it('is another for another gateway: its file, its uid and its job', () => {
      const [one, other] = ['one', 'other'].map((name) => boards({ dashboard: true }, { name })[0]);
      const read = ({ data }: Manifest) => Object.entries(data as Record<string, string>)[0];
      const [[file, text], [otherFile, otherText]] = [read(one), read(other)];
      expect([file, otherFile]).toEqual(['agentgateway-aiops-one.json', 'agentgateway-aiops-other.json']);
      expect(JSON.parse(text).uid).not.toBe(JSON.parse(otherText).uid);
      const job = { name: 'job', type: 'constant', query: 'aiops/one' };
      expect(JSON.parse(text).templating.list).toContainEqual(expect.objectContaining(job));
    });
  });
  it.each<[string, Partial<GatewayMonitoringProps>, string]>([
    [
      'an interval longer than a window',
      { scrapeInterval: Duration.minutes(2) },
      'scrapeInterval: must be whole seconds from 5 to 60, got "2 minutes"',
    ],
    [
      'an interval of no time',
      { scrapeInterval: Duration.millis(100) },
      'scrapeInterval: must be whole seconds from 5 to 60, got "100 millis"',
    ],
    [
      'a runbook that is none',
      { runbookUrl: 'runbooks/{{ .x }}' },
      'runbookUrl: must be an http or https URL, got "runbooks/{{ .x }}"',
    ],
    [
      'an alert that is none',
      { without: ['Down' as GatewayAlert] },
      'without[0]: must be one of AgentgatewayAbsent, ',
    ],
    [
      'one severity for all',
      { alertLabels: { severity: 'page' } },
      'alertLabels.severity: must be left out: each alert has its own, got "page"',
    ],
    [
      'labels of a dashboard that is not there',
      { dashboardLabels: { team: 'a' } },
      'dashboardLabels: must be left out without dashboard: true, got ',
    ],
    [
      'the name of another gateway',
      { alertLabels: { gateway: 'other' } },
      'alertLabels.gateway: must be left out: each alert has its own, got "other"',
    ],
  ])('refuses %s', (_, props, message) => expect(() => monitored({}, props)).toThrow(message));
  it('refuses a gateway that nobody may scrape', () => {
    expect(problems(() => monitored({ metricsPeer: undefined })).join('\n')).toContain(
      'gateway.metricsPeer: must be given: the NetworkPolicy lets nobody scrape; for example Peer.pods(',
    );
  });
});

describeCrds('the CRDs of the Prometheus Operator 0.93', () => {
  it.each(['PodMonitor', 'PrometheusRule'])('take the %s, and not a mutant of it', (kind) => {
    const object = only(synth(monitored()), kind);
    const valid = validator(`po-${kind.toLowerCase()}s.yaml`, object.apiVersion);
    expect([valid(object), valid.errors]).toEqual([true, null]);
    if (kind === 'PodMonitor') object.spec.podMetricsEndpoints[0].interval = 'often';
    else object.spec.groups[0].rules[0].for = 'long';
    expect(valid(object)).toBe(false);
  });
});
