/** What clients can make the gateway hold: bodies that rules are for. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const MIB = 2 ** 20;
const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      config.routes = [
        {
          ...config.routes[0]!,
          allow: [{ method: 'tools/list' }],
          auth: { profile: 'dpop', issuers: ['as'] },
        },
      ] as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());

it('bodies of one caller that rules are for have one bound together, and those that are taken go on', async () => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const headers = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token),
    'content-type': 'application/json',
    'content-length': MIB,
  };
  const open: http.ClientRequest[] = [];
  const answers: string[] = [];
  for (let i = 0; i < 40; i++) {
    const out = http
      .request(
        {
          host: '127.0.0.1',
          port: fixture.gateway.port,
          method: 'POST',
          path: '/mcp',
          headers,
          agent: false,
        },
        (message) => {
          let text = '';
          message
            .on('data', (chunk: Buffer) => {
              text += chunk.toString();
            })
            .on('end', () => answers.push(`${message.statusCode} ${text}`));
        },
      )
      .on('error', () => {});
    out.write(Buffer.alloc(MIB - 1, 0x20));
    open.push(out);
  }
  for (let i = 0; i < 100 && answers.length < 32; i++) await sleep(50);
  expect(answers.length).toBe(32); // of 40 MiB there is room for 8: a quarter of what there is for all
  for (const answer of answers) expect(answer).toMatch(/^503 .*the gateway is busy/);
  for (const out of open) out.destroy();
  await sleep(200);
  // What they held is free again.
  const at = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  expect(
    (
      await fixture.ask({
        method: 'POST',
        path: '/mcp',
        headers: {
          authorization: `DPoP ${at}`,
          dpop: proof(client, 'POST', `${ORIGIN}/mcp`, at),
          'content-type': 'application/json',
        },
        body,
      })
    ).status,
  ).toBe(200);
}, 20_000);
