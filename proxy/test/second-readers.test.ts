/**
 * A backend reads a message once more, by rules of its own: what it could read otherwise than the allow-list
 * did is refused, or made impossible.
 */
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { ask as askOverHttp2, makeCertificate, session } from './support/http2.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const client = ec();
let fixture: GatewayFixture;
let caFile: string;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config, { dir }) => {
      const pair = makeCertificate(dir, 'edge');
      caFile = pair.certFile;
      config.listen = { ...config.listen, tls: pair };
      config.routes = [
        {
          ...config.routes[0]!,
          allow: [{ method: 'tools/list' }, { method: 'tools/call', names: ['read_file'] }],
          auth: { profile: 'dpop', issuers: ['as'] },
        },
      ] as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
});

const signed = (method = 'POST') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return { authorization: `DPoP ${token}`, dpop: proof(client, method, `${ORIGIN}/mcp`, token) };
};
const send = async ({
  method = 'POST',
  body,
  headers = { 'content-type': 'application/json' },
}: {
  readonly method?: string;
  readonly body: string;
  readonly headers?: Record<string, string>;
}) => {
  const http2 = session(fixture.gateway.port, caFile);
  try {
    return await askOverHttp2(http2, {
      method,
      path: '/mcp',
      headers: { ...signed(method), ...headers },
      body,
    });
  } finally {
    http2.destroy();
  }
};
const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

it.each([
  [
    'another case of method',
    '{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{"name":"delete_all"}}',
  ],
  [
    'another case of params',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"},"PARAMS":{"name":"delete_all"}}',
  ],
  [
    'a long s in params',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"},"paramſ":{"name":"delete_all"}}',
  ],
  [
    'another case of the name',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","Name":"delete_all"}}',
  ],
  ['that in a batch', '[{"jsonrpc":"2.0","id":1,"method":"tools/list","mEthod":"x"}]'],
])('a reader that ignores case sees no other call: %s', async (_, body) => {
  const { status, text } = await send({ body });
  expect([status, text, fixture.seen]).toEqual([400, expect.stringContaining('mcp_body_malformed'), []]);
});
it('arguments of a tool, and members that fold to nothing of ours, are free', async () => {
  for (const body of [
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"Name":"x",' +
      '"METHOD":"y"}},"Extra":1}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"Name":"x"}}',
  ]) {
    expect((await send({ body })).status).toBe(200);
  }
  expect(fixture.seen).toHaveLength(2);
});
it.each([
  'application/json; charset=utf-7',
  'application/json;Charset="UTF-16LE"',
  'application/json; charset=utf-8; charset=utf-7',
])('no other character set: %s', async (type) => {
  const { status, text } = await send({ body: LIST, headers: { 'content-type': type } });
  expect([status, text, fixture.seen]).toEqual([400, expect.stringContaining('mcp_body_malformed'), []]);
});
it('no coding of the content', async () => {
  expect(
    (await send({ body: LIST, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } }))
      .text,
  ).toContain('mcp_body_malformed');
  expect(fixture.seen).toEqual([]);
});
it.each([
  'application/json',
  'application/json; charset=UTF-8',
  'text/plain',
  'application/x-www-form-urlencoded',
])('what was checked as JSON goes on as JSON: %s', async (type) => {
  expect((await send({ body: LIST, headers: { 'content-type': type } })).status).toBe(200);
  const { rawHeaders, body } = fixture.seen[0]!;
  expect(
    rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === 'content-type'),
  ).toEqual(['application/json']);
  expect(body).toBe(LIST);
});
it.each(['GET', 'DELETE'])('no content in %s, whose length HTTP/2 need not say', async (method) => {
  const { status, text } = await send({ method, body: LIST });
  expect([status, text, fixture.seen]).toEqual([400, expect.stringContaining('malformed_request'), []]);
});
