import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_FIELDS } from '../../src/observe/audit-log.js';
import { createMetrics } from '../../src/observe/metrics.js';
import { STATUS_FIELDS } from '../../src/observe/status.js';
import { CLIENT_ATTRIBUTES, SERVER_ATTRIBUTES } from '../../src/observe/span-attributes.js';

const pageAt = (name: string) => join(import.meta.dirname, '..', '..', '..', 'docs', 'reference', name);

const described = [
  ...createMetrics({
    now: () => 0,
    replayEntries: () => 0,
    openStreams: () => 0,
    ignoredKeys: () => [],
    keyAgeSeconds: () => [],
    liveKeys: () => [],
    waitingFor: () => [],
    certificateExpiry: () => [],
    followed: () => ({}),
    configHash: () => '',
  }).described(),
].sort((a, b) => a.name.localeCompare(b.name));
const row = ({ name, type, labelNames, help }: (typeof described)[number]) =>
  `| \`${name}\` | ${type} | ${labelNames.map((l) => `\`${l}\``).join(', ')} | ${help} |`;
const ours = described.filter(({ name }) => name.startsWith('agentgateway_'));
const theirs = described.filter(({ name }) => !name.startsWith('agentgateway_'));

const metricsPage = `# Metrics

\`GET :9090/metrics\`, Prometheus text format; never on the port that clients reach. agentgateway's own are on
\`:15020/metrics\` where a \`metricsPeer\` is given. Written from \`proxy/src/observe/metrics.ts\` by
\`proxy/test/docs/observe.test.ts\`.

Labels are bounded: routes, issuers and backends are those of the config (\`(none)\`: no route matched), reasons
those of [errors.md](errors.md), causes those of \`ended\` in [audit.md](audit.md). For one request's way, join the
audit line's \`request.id\` or \`trace.id\`. What somebody should be told of is in [alerts.md](alerts.md).

| metric | type | labels | what it says |
|---|---|---|---|
${ours.map(row).join('\n')}

## Of the process

| metric | type | labels | what it says |
|---|---|---|---|
${theirs.map(row).join('\n')}
`;

const auditPage = `# Audit log

One JSON object a line for every request, to standard output or \`audit.file\`; \`/healthz\` is not audited. A field
that has nothing to say is not there. A value is cut at 200 characters, and escaped: none can begin a line of its
own. No token, proof, signature, credential, query or body is ever written. Written from
\`proxy/src/observe/audit-log.ts\` by \`proxy/test/docs/observe.test.ts\`.

| field | what it says |
|---|---|
${Object.entries(AUDIT_FIELDS)
  .map(([field, says]) => `| \`${field}\` | ${says} |`)
  .join('\n')}
`;

const attributes = (table: Readonly<Record<string, string>>) => `| attribute | what it says |
|---|---|
${Object.entries(table)
  .map(([name, says]) => `| \`${name}\` | ${says} |`)
  .join('\n')}`;

const tracesPage = `# Traces

With \`tracing\` in the config, spans go to a collector by OTLP/HTTP in JSON, encoded and sent by OpenTelemetry's
own SDK. A request has a span of kind SERVER, named \`{method} {route}\`; what is sent to a backend has one of kind
CLIENT below it, and the backend's \`traceparent\` names that one. A client's \`traceparent\` (W3C Trace Context) is
the parent, its \`tracestate\` goes on; without a good one there is a new trace. The audit line's \`trace.id\` is
the trace's. Without \`tracing\` both fields pass as they came.

\`sampleRatio\` is decided by chance, not by the trace id, which a client chooses: "sampled" from a client makes its
requests no likelier, "not sampled" is obeyed. An attribute that has nothing to say is not there, and a value is cut
at 200 characters. No header, token, proof, claim, query or body is ever in a span. A collector that is away costs
spans, counted in \`agentgateway_trace_spans_dropped_total\`, and no request. Written from
\`proxy/src/observe/span-attributes.ts\` by \`proxy/test/docs/observe.test.ts\`.

## Of the request (SERVER); an error from status 500 up

${attributes(SERVER_ATTRIBUTES)}

## Of the backend's part (CLIENT); an error from status 400 up, and without an answer

${attributes(CLIENT_ATTRIBUTES)}
`;

const statusPage = `# Status

\`GET :9090/status\` says as JSON what somebody asks first who was woken, of all threads of one pod together;
\`GET :9090/\` shows it as a page that a browser loads again every 5 s. It has no script and loads nothing from
elsewhere. \`agw top --admin URL\` shows the same in a terminal. No secret is in it; who reaches the port
(\`metricsPeer\`, or whoever may \`kubectl port-forward\` to the pod, as the [runbook](../runbook.md#words) does)
reads it. No client is in it: no subject, client id, address, key, token or proof. A list that has nothing to say is
empty. Written from \`proxy/src/observe/status.ts\` by \`proxy/test/docs/observe.test.ts\`;
\`test/e2e/monitoring/status-page.test.ts\` has looked at the page in a browser, and took its picture.

![the status page of a gateway that is ready: build, config, what is weakened and was refused](../images/status.png)

| member | what it says |
|---|---|
${Object.entries(STATUS_FIELDS)
  .map(([member, says]) => `| \`${member}\` | ${says} |`)
  .join('\n')}
`;

it.each([
  ['metrics.md', metricsPage],
  ['audit.md', auditPage],
  ['traces.md', tracesPage],
  ['status.md', statusPage],
])('docs/reference/%s says what the code does', (name, page) => {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(pageAt(name), page);
  expect(readFileSync(pageAt(name), 'utf8')).toBe(page);
});
