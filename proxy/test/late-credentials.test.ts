/**
 * What takes its time between the checks and the claim must not outlast the credentials: a claim is forgotten
 * with them, and a token ends.
 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClock } from '../src/clock.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, seconds, thumbprint } from './support/mint.js';

const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const client = ec();
let ahead = 0;
let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await startFixture({
    clock: () => wallClock() + ahead,
    change: (config) => {
      const route = config.routes[0]!;
      config.routes = [
        {
          ...route,
          name: 'rules',
          pathPrefix: '/mcp',
          allow: [{ method: 'tools/list' }],
          auth: { profile: 'dpop', issuers: ['as'], proofMaxAgeSeconds: 60 },
        },
        {
          ...route,
          name: 'watched',
          pathPrefix: '/watched',
          allow: [{ method: 'tools/list' }],
          auth: { profile: 'dpop', issuers: ['as'], mode: 'permissive' },
        },
      ] as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  ahead = 0;
  fixture.seen.length = 0;
});

const signed = (path = '/mcp', exp = seconds() + 3600) => {
  const iat = Math.min(seconds(), exp - 60);
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: ORIGIN + path, iat, exp });
  return {
    authorization: `DPoP ${token}`,
    dpop: proof(client, 'POST', ORIGIN + path, token),
    'content-type': 'application/json',
  };
};
/** Its last byte comes when it is told to. */
function slowly(headers: Readonly<Record<string, string>>, path = '/mcp') {
  let out: http.ClientRequest;
  const answer = new Promise<string>((resolve, reject) => {
    out = http
      .request(
        {
          host: '127.0.0.1',
          port: fixture.gateway.port,
          method: 'POST',
          path,
          headers: { ...headers, 'content-length': BODY.length },
          agent: false,
        },
        (message) => {
          let text = '';
          message
            .on('data', (chunk: Buffer) => {
              text += chunk.toString();
            })
            .once('end', () => resolve(`${message.statusCode} ${text}`))
            .once('error', reject);
        },
      )
      .once('error', reject);
    out.write(BODY.slice(0, 1));
  });
  void answer.catch(() => {}); // of a test that failed before
  return { answer, end: () => out.end(BODY.slice(1)) };
}
const at = async (seconds_: number, slow: ReturnType<typeof slowly>) => {
  await sleep(50); // its headers are checked
  ahead = seconds_;
  slow.end();
  return slow.answer;
};
const all = (headers: Readonly<Record<string, string>>) =>
  fixture.ask({ method: 'POST', path: '/mcp', headers, body: BODY });

it('a proof whose request takes longer than it is good is refused, however often it was begun', async () => {
  const headers = signed();
  const slow = [slowly(headers), slowly(headers)];
  await sleep(50);
  expect((await all(headers)).status).toBe(200);
  expect((await all(headers)).text).toContain('the proof was used before');
  for (const one of slow) expect(await at(90, one)).toMatch(/^401 .*the proof is too old/);
  expect(fixture.seen).toHaveLength(1);
});
it('and one that is still good is good once', async () => {
  const headers = signed();
  const slow = slowly(headers);
  expect(await at(30, slow)).toMatch(/^200/);
  expect((await all(headers)).status).toBe(401);
});
it('a token that ends while the body comes is refused', async () => {
  expect(await at(55, slowly(signed('/mcp', seconds() - 10)))).toMatch(/^401 .*the token has expired/);
  expect(fixture.seen).toEqual([]);
});
it('where the mode is permissive it is only said', async () => {
  expect(await at(90, slowly(signed('/watched', seconds() + 10), '/watched'))).toMatch(/^200/);
  expect((await fixture.audit()).at(-1)).toMatchObject({
    'route.name': 'watched',
    would_deny: 'token_expired',
  });
});
