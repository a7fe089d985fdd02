import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADVICE } from '../../src/cli/advice.js';
import { isOAuthError, rpcCodeOf } from '../../src/http/refusal-body.js';
import { deny, REASONS, type Reason } from '../../src/pipeline/reason.js';

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
    code: isOAuthError(deny(reason as Reason)) ? '' : rpcCodeOf(reason as Reason),
  }));
  return `# Refusals

Every request that the gateway answers itself has one of these reasons: in the audit line (\`reason\`, with a
\`detail\` for operators) and in \`agentgateway_refusals_total{route,reason}\`. The client gets the status, \`{"error",
"error_description"}\` as JSON, and on 401 a challenge (RFC 9449 7.1, RFC 6750 3) with the same error. On an MCP route
what has a code below is a JSON-RPC error instead: \`{"jsonrpc": "2.0", "id", "error": {"code", "message", "data":
{"reason"}}}\`, with the id of the request where its body was read, else \`null\`. Its \`data\` of
\`mcp_version_refused\` has \`supported\` and \`requested\`, that of \`mcp_not_allowed\` has \`missingRule\`, as it
would stand in \`allow\`. \`agw explain\` says which reason a request would get, and what to do. Written from
\`proxy/src/pipeline/reason.ts\` by \`proxy/test/docs/errors.test.ts\`.
${Object.entries(FAMILIES)
  .map(
    ([family, title]) => `
## ${title}

| reason | status | error | code | what the client reads | clause | what to do |
|---|---|---|---|---|---|---|
${rows
  .filter((r) => r.family === family)
  .map(({ reason, status, error, code, say }) => {
    const { clause, next } = ADVICE[reason as Reason];
    return `| \`${reason}\` | ${status} | \`${error}\` | ${code} | ${say} | ${clause} | ${next} |`;
  })
  .join('\n')}
`,
  )
  .join('')}`;
}

it('docs/reference/errors.md names every reason as the table has it', () => {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page());
  expect(readFileSync(file, 'utf8')).toBe(page());
});
