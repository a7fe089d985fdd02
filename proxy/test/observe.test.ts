/** What operators see of requests: every metric of ours moves, every audit field is written by some request. */
import { setTimeout as sleep } from 'node:timers/promises';
import http from 'node:http';
import { traceIdOf } from '../src/observe/trace.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, seconds, thumbprint } from './support/mint.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.stop());

const ask = (headers: Record<string, string> = {}, claims: Record<string, unknown> = {}) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, iat: seconds() - 100 });
  return fixture.ask({
    method: 'POST',
    path: '/mcp',
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token, { claims }),
      ...headers,
    },
  });
};
const metric = async (line: string) =>
  Number(
    (await fixture.admin('/metrics')).text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1] ?? NaN,
  );

it('the age of proofs shows clocks that are wrong, also of those that are refused', async () => {
  await ask();
  expect((await ask({}, { iat: seconds() - 1000 })).status).toBe(401);
  expect((await ask({}, { iat: seconds() + 200 })).status).toBe(401);
  expect(await metric('agentgateway_proof_age_seconds_count')).toBe(3);
  expect(await metric('agentgateway_proof_age_seconds_bucket{le="-60"}')).toBe(1);
  expect(await metric('agentgateway_proof_age_seconds_bucket{le="60"}')).toBe(2);
});
it('the age of tokens counts those that were good', async () => {
  const before = await metric('agentgateway_token_age_seconds_count');
  await ask();
  expect(await metric('agentgateway_token_age_seconds_count')).toBe(before + 1);
  expect(await metric('agentgateway_token_age_seconds_bucket{le="60"}')).toBe(0);
});
it('open streams are counted while they are open', async () => {
  fixture.answer = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
  };
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const out = http.get(
    {
      host: '127.0.0.1',
      port: fixture.gateway.port,
      path: '/mcp',
      headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'GET', `${ORIGIN}/mcp`, token) },
    },
    (answer) => answer.on('error', () => {}),
  );
  out.on('error', () => {});
  await new Promise((resolve) => out.once('response', resolve));
  expect(await metric('agentgateway_open_streams')).toBe(1);
  out.destroy();
  for (let i = 0; i < 50 && (await metric('agentgateway_open_streams')) !== 0; i++) await sleep(10);
  expect(await metric('agentgateway_open_streams')).toBe(0);
});
it('the audit line has the trace id of the client, and how long the backend took', async () => {
  fixture.answer = (_, response) => {
    setTimeout(() => response.end('{}'), 60);
  };
  await ask({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
  const line = (await fixture.audit()).at(-1)!;
  expect(line['trace.id']).toBe('0af7651916cd43dd8448eb211c80319c');
  expect(line['upstream.wait_ms']).toBeGreaterThan(50);
  expect(line.duration_ms).toBeGreaterThanOrEqual(line['upstream.wait_ms'] as number);
  expect(fixture.seen.at(-1)!.headers.traceparent).toBe(
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  );
});
it.each([
  '',
  '00-00000000000000000000000000000000-b7ad6b7169203331-01',
  '00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}\n',
])('a traceparent that is none has no trace id: %j', (text) => expect(traceIdOf(text)).toBe(undefined));
it('the event loop is watched', async () => {
  expect(await metric('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
});
