import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADVICE } from '../../src/cli/advice.js';
import { REASONS, type Reason } from '../../src/pipeline/reason.js';

const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'reference', 'errors.md');

const FAMILIES = {
  request: 'The request itself',
  auth: 'Tokens and proofs',
  limit: 'Limits',
  gateway: 'The gateway',
  upstream: 'The backend',
} as const;

function page(): string {
  const rows = Object.entries(REASONS).map(([reason, meaning]) => ({
    reason,
    ...meaning,
    error: 'error' in meaning ? meaning.error : reason,
  }));
  return `# Refusals

Every request that the gateway answers itself has one of these reasons: in the audit line (\`reason\`, with a \`detail\` for operators) and in
\`agentgateway_refusals_total{route,reason}\`. The client gets the status, \`{"error", "error_description"}\` as JSON, and on 401 a challenge
(RFC 9449 7.1, RFC 6750 3) with the same error. \`agw explain\` says which reason a request would get, and what to do. Written from \`proxy/src/pipeline/reason.ts\` by \`proxy/test/docs/errors.test.ts\`.
${Object.entries(FAMILIES)
  .map(
    ([family, title]) => `
## ${title}

| reason | status | error | what the client reads | clause | what to do |
|---|---|---|---|---|---|
${rows
  .filter((r) => r.family === family)
  .map(
    (r) =>
      `| \`${r.reason}\` | ${r.status} | \`${r.error}\` | ${r.say} | ${ADVICE[r.reason as Reason].clause} | ${ADVICE[r.reason as Reason].next} |`,
  )
  .join('\n')}
`,
  )
  .join('')}`;
}

it('docs/reference/errors.md names every reason as the table has it', () => {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page());
  expect(readFileSync(file, 'utf8')).toBe(page());
});
