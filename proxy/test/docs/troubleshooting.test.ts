/** docs/guides/troubleshooting.md: each 4xx by what a client developer sees; errors.md has them by reason. */
import { readFileSync, writeFileSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { join } from 'node:path';
import { ADVICE } from '../../src/cli/advice.js';
import type { Command } from '../../src/cli/command.js';
import { configExtract } from '../../src/cli/config-extract.js';
import { curl } from '../../src/cli/curl.js';
import { explain } from '../../src/cli/explain.js';
import { proofMint } from '../../src/cli/proof.js';
import { top } from '../../src/cli/top.js';
import { parseConfig, type Route } from '../../src/config/index.js';
import { challenges } from '../../src/http/challenge.js';
import { refusalBody } from '../../src/http/refusal-body.js';
import { deny, meaningOf, REASONS, type Reason } from '../../src/pipeline/reason.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { SYMPTOMS, type Symptom } from './symptoms.js';

const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'guides', 'troubleshooting.md');
const METADATA = `${ORIGIN}/.well-known/oauth-protected-resource/mcp`;
const SCOPES: Partial<Record<Reason, readonly string[]>> = { scope_insufficient: ['tools'] };

/** A route of an MCP server as the constructs make it, with defaults. */
function mcpRoute(): Route {
  const parsed = parseConfig({
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/as.json' } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        backend: { url: 'http://127.0.0.1:5000' },
      },
    ],
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config.routes[0]!;
}
const route = mcpRoute();

/** The answer to a client that sent a token as DPoP, or none where there was none. */
function answerOf(reason: Reason): string {
  const denial = deny(reason, undefined, { scopes: SCOPES[reason] ?? [] });
  const context = { auth: route.auth, resourceMetadata: METADATA, scheme: 'dpop' };
  const { status } = meaningOf(reason);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...challenges(denial, context).map((challenge) => `WWW-Authenticate: ${challenge}`),
    '',
    refusalBody(denial, reason === 'no_route' || reason === 'bad_path' ? undefined : route, 1),
  ].join('\n');
}

/** Lines of at most 120 columns; code stays whole. */
const wrapped = (text: string): string =>
  text.match(/(?:[^\s`]|`[^`]*`)+/g)!.reduce((lines, word) => {
    const column = lines.length - (lines.lastIndexOf('\n') + 1);
    return `${lines}${column + 1 + word.length > 120 ? '\n' : ' '}${word}`;
  });
const rowOf = ([reason, cause]: [string, string]) => {
  const { status, say } = meaningOf(reason as Reason);
  return `| ${say} | ${status} \`${reason}\` | ${cause} | ${ADVICE[reason as Reason].next} |`;
};
const sectionOf = ({ title, example, about, check, causes }: Symptom) => `
## ${title}

\`\`\`http
${answerOf(example)}
\`\`\`

${wrapped(about)}

${wrapped(`**Check.** ${check}`)}

| the client reads | reason | likely cause | what to do |
|---|---|---|---|
${Object.entries(causes).map(rowOf).join('\n')}
`;
const page = `# Troubleshooting

For whoever writes a client, by what it sees. The client reads \`error_description\` in \`WWW-Authenticate\` and in the
body, or \`message\` in a JSON-RPC error, which has the reason too. Otherwise the reason stands in the audit log of the
gateway, under the \`X-Request-Id\` of the answer. By reason, with the clause of each:
[errors.md](../reference/errors.md). Written from \`proxy/src/pipeline/reason.ts\` and
\`proxy/test/docs/symptoms.ts\` by \`proxy/test/docs/troubleshooting.test.ts\`.

## First: agw curl, agw explain

Send the request with \`agw curl\`. Where it passes, the client is at fault: compare what the two send. Where it is
refused, it says why. \`agw explain\` judges a request on a laptop, with the config out of the manifests and without the
gateway; its \`detail\` says what was got and what is wanted, which no client is told.

\`\`\`sh
agw curl ${ORIGIN}/mcp --token "$TOKEN" --key client.pem
agw config extract dist/*.yaml --out extracted
agw explain --config extracted/config.json --method POST --url ${ORIGIN}/mcp --token "$TOKEN" --proof "$PROOF"
\`\`\`
${SYMPTOMS.map(sectionOf).join('')}
## 5xx

The gateway, or what it depends on: nothing that a client can change. [The gateway](../reference/errors.md#the-gateway),
[the backend](../reference/errors.md#the-backend), and for whoever runs it the [runbook](../runbook.md).
`;

it('docs/guides/troubleshooting.md is what the symptoms say', () => {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page);
  expect(readFileSync(file, 'utf8')).toBe(page);
});

it('each 4xx is in one group, and its example in its own', () => {
  const grouped = SYMPTOMS.flatMap(({ causes }) => Object.keys(causes));
  const refusals = Object.keys(REASONS).filter((reason) => meaningOf(reason as Reason).status < 500);
  expect(refusals.length).toBeGreaterThan(60);
  expect(grouped.sort()).toEqual(refusals.sort());
  for (const { causes, example } of SYMPTOMS) expect(Object.keys(causes)).toContain(example);
});

it('names commands and options that there are', () => {
  const commands: Record<string, Command> = {
    curl,
    'config extract': configExtract,
    explain,
    'proof mint': proofMint,
    top,
  };
  const used = [...page.matchAll(/agw (curl|config extract|explain|proof mint|top)([^`\n]*)/g)];
  expect(used.length).toBeGreaterThan(12);
  for (const [, name, options] of used) {
    for (const option of options!.match(/--[a-z]+/g) ?? [])
      expect(commands[name!]!.usage).toContain(`${option} `);
  }
  const named = page.match(/`--[a-z]+/g)!.map((option) => option.slice(1));
  expect(named).toContain('--body');
  for (const option of named) expect(explain.usage).toContain(`${option} `);
});

describe('a gateway', () => {
  const client = ec();
  let fixture: GatewayFixture;
  beforeAll(async () => {
    fixture = await startFixture();
  });
  afterAll(() => fixture.stop());

  it.each<[Reason, (token: string) => Record<string, string>]>([
    ['credentials_missing', () => ({})],
    [
      'dpop_htu_mismatch',
      (token) => ({ authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/other`, token) }),
    ],
    [
      'dpop_expired',
      (token) => ({
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token, { claims: { iat: 1 } }),
      }),
    ],
  ])('answers %s as the page shows it', async (reason, headersFor) => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    const { status, headers, text } = await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: headersFor(token),
    });
    const challenge = `WWW-Authenticate: ${headers['www-authenticate']}`;
    const shown = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\n${challenge}\n\n${text}`;
    expect(page).toContain(shown);
    expect(shown).toBe(answerOf(reason));
  });
});
