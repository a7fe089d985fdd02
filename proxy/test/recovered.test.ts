/** What an operator reads when something is lost, and when it is back: one line each way. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deny } from '../src/pipeline/reason.js';
import { BackendWatch } from '../src/upstream/backend-watch.js';
import type { Outcome } from '../src/upstream/upstream.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: ({ routes }) => {
      const [mcp] = routes as [(typeof routes)[number]];
      const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: [`${ORIGIN}/other`] };
      routes.push({ ...mcp, name: 'other', pathPrefix: '/other', auth });
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.warnings.length = 0;
  fixture.recoveries.length = 0;
});

const ask = (path = '/mcp') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: ORIGIN + path });
  return fixture.ask({
    method: 'POST',
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
  });
};
const failing = async (): Promise<string | undefined> =>
  /^agentgateway_reload_failed\{what="jwks"\} (\d+)$/m.exec((await fixture.admin('/metrics')).text)?.[1];

it('a key set that is no good is a gauge of 1 for as long as it is mounted, and its return is told', async () => {
  const file = join(fixture.dir, 'as.json');
  const good = readFileSync(file, 'utf8');
  expect(await failing()).toBe('0');
  writeFileSync(file, 'no JSON');
  await until(async () => (await failing()) === '1');
  expect(fixture.warnings.join()).toContain('issuer as: ');
  expect(fixture.recoveries).toEqual([]);
  writeFileSync(file, good);
  await until(() => fixture.recoveries.length > 0);
  expect(fixture.recoveries).toEqual(['keys of issuer as']);
  expect(await failing()).toBe('0');
});

it('a backend that fails five times in a row, whatever the routes, is told once, and once that it works again', async () => {
  const good = fixture.answer;
  fixture.answer = (_, response) => response.destroy();
  for (let i = 0; i < 7; i++) expect((await ask(i % 2 === 0 ? '/mcp' : '/other')).status).toBe(502);
  expect(fixture.warnings).toEqual([
    expect.stringMatching(/^backend 127\.0\.0\.1:\d+: 5 requests in a row failed: upstream_/),
  ]);
  fixture.answer = good;
  for (let i = 0; i < 2; i++) expect((await ask()).status).toBe(200);
  expect(fixture.recoveries).toEqual([`backend 127.0.0.1:${fixture.backendPort}`]);
});

it('four failures, or what says nothing about a backend, are told to nobody', () => {
  const told: string[] = [];
  const watch = new BackendWatch({ warn: (p) => told.push(p), recovered: (what) => told.push(what) });
  const failed: Outcome = {
    kind: 'refused',
    denial: deny('upstream_timeout'),
    mayHaveReachedBackend: true,
  };
  const answered = {
    kind: 'answered',
    status: 200,
    bytes: 0,
    waitedMs: 1,
    mayHaveReachedBackend: true,
  } as const;
  for (let i = 0; i < 4; i++) watch.saw('a:1', failed);
  watch.saw('a:1', { ...answered, ended: 'client_gone' });
  watch.saw('a:1', { ...answered, ended: undefined });
  for (let i = 0; i < 4; i++) watch.saw('a:1', failed);
  expect(told).toEqual([]);
  watch.saw('a:1', failed);
  expect(told).toEqual(['backend a:1: 5 requests in a row failed: upstream_timeout']);
});
