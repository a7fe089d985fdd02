/**
 * Attack: `Connection: Mcp-Name` beside a good `Mcp-Name`. The gateway checks the field; for a backend that follows
 * RFC 9110 7.6.1 a listed field is of one hop alone and is gone. The two decide about different requests.
 */
import { startFixture, type GatewayFixture } from '../support/gateway.js';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.stop());

const statusOf = async (connection: string) =>
  Number(
    (
      await fixture.raw(
        `GET /mcp HTTP/1.1\r\nHost: a\r\nMcp-Name: x\r\nX-Own: 1\r\n${connection}\r\n\r\n`,
        1_500,
      )
    ).slice(9, 12),
  );

it.each([
  'Connection: Mcp-Name',
  'Connection: close, mcp-name',
  'Connection: close\r\nConnection: MCP-SESSION-ID',
  'Connection: mcp-protocol-version ,close',
  'Connection: authorization',
  'Connection: DPoP',
  'Connection: host',
  'Connection: origin',
  'Connection: content-type',
  'Connection: content-length',
  'Connection: transfer-encoding',
  'Connection: X-Forwarded-For',
])('%j is refused', async (field) => {
  expect(await statusOf(field)).toBe(400);
  expect((await fixture.audit()).at(-1)).toMatchObject({ reason: 'malformed_request' });
});
it.each(['Connection: keep-alive', 'Connection: close', 'Connection: TE, close', 'Connection: X-Own'])(
  '%j is not',
  async (field) => {
    expect(await statusOf(field)).toBe(401);
  },
);
