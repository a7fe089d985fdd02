import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiOf } from '../../lib/manifests/notes';
import { REQUIREMENTS, VERSIONED_FIELDS } from '../../lib/support/parser';
import { root } from '../support/synth';

const page = `# What manifests ask of a cluster

Written by \`test/docs/kubernetes.test.ts\` from \`proxy/src/kubernetes/cluster-needs.ts\`. \`agw doctor\` compares
it with a cluster.

## CRDs and operators

\`AgentGateway\`, \`McpRoute\`, \`SecretsRoute\`, \`HardenedNamespace\` and \`AuditPolicy\` need Kubernetes 1.30 and
a CNI that enforces NetworkPolicy. What else an app needs is said on standard error when it is synthesized;
\`CDK8S_AGENTGATEWAY_NOTES=off\` keeps that silent.

| emitted by | API | comes with |
|---|---|---|
${REQUIREMENTS.map((r) => `| ${r.emittedBy} | \`${apiOf(r)}\` | ${r.needs} |`).join('\n')}

## Fields by version

\`minKubernetesVersion\` is the oldest Kubernetes that manifests are applied to: 1.30 or later, one for a namespace,
said on its \`HardenedNamespace\` or on a gateway in it. The restricted Pod Security Standard of that version is
enforced. A field that this version does not have is refused at synth, because its API server would drop it in
silence. What kubelet refuses on some nodes is never emitted unless a prop asks for it.

| field | emitted | without a feature gate since | nodes must have |
|---|---|---|---|
${VERSIONED_FIELDS.map(
  ({ field, emitted, since, nodes }) => `| ${field} | ${emitted} | 1.${since} | ${nodes} |`,
).join('\n')}
`;

it('docs/reference/kubernetes.md says what is emitted', () => {
  const file = join(root, 'docs', 'reference', 'kubernetes.md');
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page);
  expect(readFileSync(file, 'utf8')).toBe(page);
});
