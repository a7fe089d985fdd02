/** docs/guides/migration.md: its table, metrics, reasons and commands, by a gateway with a route of each step. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, programOf } from '../../../test/e2e/support/daemon.js';
import { REASONS } from '../../src/pipeline/reason.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const root = join(import.meta.dirname, '..', '..', '..');
const guide = readFileSync(join(root, 'docs', 'guides', 'migration.md'), 'utf8');
const STEPS = ['permissive', 'mixed', 'strict'] as const;
type Step = (typeof STEPS)[number];

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      const [route] = config.routes as [(typeof config.routes)[number]];
      const dpop = { issuers: ['as'], profile: 'dpop' as const };
      const auths = {
        permissive: { ...dpop, mode: 'permissive' },
        mixed: { ...dpop, profile: 'mixed' },
        strict: dpop,
      };
      config.routes = STEPS.map((step) => ({
        ...route,
        name: step,
        pathPrefix: `/${step}`,
        auth: auths[step],
      })) as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());

type Fields = Record<string, string>;
const tokenFor = (step: Step, claims: object, key = fixture.as) =>
  accessToken(key, { aud: `${ORIGIN}/${step}`, ...claims });
const bound = { cnf: { jkt: thumbprint(client) } };
const withProof = (step: Step, key = fixture.as): Fields => {
  const token = tokenFor(step, bound, key);
  return { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/${step}`, token) };
};
const sent: Partial<Record<Step, Fields>> = {};

/** What the client of each row sends; several where the row names several. */
const CLIENTS: readonly ((step: Step) => readonly Fields[])[] = [
  () => [{}],
  (step) => [{ authorization: `Bearer ${tokenFor(step, { sub: 'left behind' })}` }],
  (step) => [{ authorization: `Bearer ${tokenFor(step, bound)}` }],
  (step) => [(sent[step] = withProof(step))],
  (step) => [sent[step]!],
  (step) => {
    const stranger = { ...fixture.as, privateKey: ec().privateKey };
    const forged = tokenFor(step, {}, fixture.as).replace(/[^.]+$/, 'AAAA');
    return [{ authorization: `Bearer ${forged}` }, withProof(step, stranger)];
  },
];
const rows = guide
  .split('\n')
  .filter((line) => /\d{3}/.test(line) && line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

it('each client gets what the table says, at each step', async () => {
  expect(rows).toHaveLength(CLIENTS.length);
  const asked = [];
  for (const [n, fieldsOf] of CLIENTS.entries()) {
    const statuses = [];
    for (const step of STEPS) {
      const answers = [];
      for (const headers of fieldsOf(step))
        answers.push((await fixture.ask({ method: 'POST', path: `/${step}`, headers })).status);
      statuses.push([...new Set(answers)].join());
    }
    asked.push([rows[n]![0], ...statuses]);
  }
  expect(asked).toEqual(rows);
});

it('names metrics that say so, and reasons that there are', async () => {
  const { text } = await fixture.admin('/metrics');
  const metrics = [...new Set(guide.match(/agentgateway_\w+/g))];
  expect(metrics).toHaveLength(2);
  for (const reason of ['scheme_refused', 'token_bound']) expect(Object.keys(REASONS)).toContain(reason);
  expect(text).toMatch(
    /agentgateway_permissive_would_deny_total\{route="permissive",reason="scheme_refused"\} \d/,
  );
  expect(text).toMatch(/agentgateway_jwt_auth_failure_total\{route="mixed",reason="token_bound"\} 1\n/);
  expect(text).toMatch(/agentgateway_jwt_auth_failure_total\{route="strict",reason="scheme_refused"\} \d/);
});

const missing = ['bash', 'jq'].filter((name) => programOf(name) === undefined);
needs('the commands of docs/guides/migration.md', missing);
(missing.length === 0 ? it : it.skip)('has commands that find who is left, in the audit log', async () => {
  const commands = [...guide.matchAll(/```sh\n([^`]*)```/g)].map(([, command]) => command!);
  expect(commands).toHaveLength(2);
  const audit = (await fixture.audit()).map((line) => JSON.stringify(line)).join('\n');
  const lines = `lines() { printf '%s\\n' "$AUDIT" | jq -cR "fromjson? | select($1)"; }\n`;
  const [wouldDeny, passed] = commands.map((command) =>
    execFileSync('bash', ['-euo', 'pipefail', '-c', lines + command], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, AUDIT: audit },
    }),
  );
  expect(wouldDeny).toMatch(/^ +1 dpop_replayed\t/m);
  expect(wouldDeny).toMatch(/ scheme_refused\t/);
  expect(passed).toBe('      1 left behind\n');
});
