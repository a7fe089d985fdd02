import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayAlert, GatewayMonitoring } from '../../lib';
import { monitoredGateway } from '../support/monitored';
import { Manifest, newChart, only, root, synth } from '../support/synth';

const chart = newChart();
new GatewayMonitoring(chart, 'Monitoring', { gateway: monitoredGateway(chart) });
const rules: Manifest[] = only(synth(chart), 'PrometheusRule').spec.groups[0].rules;
/** Placeholders read as what stands there. */
const plain = (text: string) =>
  text
    .replace(/\{\{ \$labels\.([a-z]+) \}\}/g, '`$1`')
    .replace(/\{\{ \$value[^}]*\}\}B?/g, '*n*')
    .replaceAll('aiops/agentgateway', '`namespace`/`name`');
const cell = (text: string) => text.replaceAll('|', '\\|');

const row = ({ alert, labels, for: minutes = '', annotations }: (typeof rules)[number]) =>
  `| [\`${alert}\`](../runbook.md#${String(alert).toLowerCase()}) | ${labels.severity} | ${minutes} ` +
  `| ${cell(plain(annotations.summary))} | ${cell(annotations.description)} |`;

const page = `# Alerts

\`new GatewayMonitoring(chart, 'Monitoring', { gateway })\` emits them as a PrometheusRule, and a PodMonitor for the
[metrics](metrics.md) that they read: for the Prometheus Operator. Each is of the one gateway, by the job that the
operator makes of the PodMonitor; agentgateway's own metrics, of which some have the same names, have the job
\`namespace/name/agentgateway\`. \`without\` leaves some out; those that the gateway's settings cannot raise are not
there. The first time counts too: a counter that begins at 1 has risen. Each is labelled with the \`namespace\` and
the \`gateway\` that it is of, and its \`runbook_url\` leads to its section of the [runbook](../runbook.md). With
\`dashboard: true\` it emits a Grafana dashboard, too, with a row for each question: is the gateway up and if not
why, who is refused, is it the backend, is it full, what changes soon. Each of its queries has data of a real
gateway (\`test/e2e/monitoring/dashboard.test.ts\`).

That each fires when it should, and not otherwise, is shown with Prometheus' own \`promtool\` in
\`test/e2e/monitoring/alerts.test.ts\`. Written from \`lib/manifests/alerts.ts\` by \`test/docs/alerts.test.ts\`.

| alert | severity | for | it says | it means |
|---|---|---|---|---|
${rules.map(row).join('\n')}

## As PromQL

For \`replayStore\` with \`onFailure\`, a key set at a URL refreshed every 10 minutes, 256 MiB and \`tracing\`:

\`\`\`yaml
${rules.map(({ alert, expr }) => `${alert}: |\n  ${expr}`).join('\n')}
\`\`\`
`;

it('the fixture raises every alert that there is, so that the page and promtool know each', () => {
  expect(rules.map(({ alert }) => alert as string).sort()).toEqual(
    Object.values<string>(GatewayAlert).sort(),
  );
});
it('docs/reference/alerts.md says what is emitted', () => {
  const file = join(root, 'docs', 'reference', 'alerts.md');
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page);
  expect(readFileSync(file, 'utf8')).toBe(page);
});
