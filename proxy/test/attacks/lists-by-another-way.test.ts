/**
 * A caller may list tools, but its rules hide some. It wants their names and schemas all the same, and asks in ways in
 * which a gateway that looks at tools/list alone would not look: it resumes the stream of the answer by GET with
 * Last-Event-ID; it sends a call with the id of its tools/list, so that the server, which finds streams by ids, puts
 * the list where the call waits; it asks for it in a batch, or with the method's name in escapes; it lists prompts and
 * templates; and it makes the gateway hold as much as it can.
 */
import { changeRoutes, ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      const names = ['seen', 'a://seen'];
      const allow = [
        { method: 'tools/list' },
        { method: 'prompts/list' },
        { method: 'resources/list' },
        { method: 'resources/templates/list' },
        { method: 'tools/call', names },
        { method: 'prompts/get', names },
        { method: 'resources/read', names },
      ];
      changeRoutes(config, (mcp) => [{ ...mcp, allow }]);
    },
  });
  const entry = (name: string) => ({ name, uri: `a://${name}`, uriTemplate: `a://${name}` });
  const entries = ['seen', 'HIDDEN'].map(entry);
  const result = { tools: entries, prompts: entries, resources: entries, resourceTemplates: entries };
  fixture.answer = (message, response) => {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 1, result });
    const stream = message.headers.accept === 'text/event-stream';
    response.writeHead(200, { 'Content-Type': stream ? 'text/event-stream' : 'application/json' });
    response.end(stream ? `id: 1\ndata: ${text}\n\n` : text);
  };
});
afterAll(() => fixture.stop());

function ask(body: string | undefined, headers: Record<string, string> = {}) {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all' });
  const method = body === undefined ? 'GET' : 'POST';
  const credentials = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, method, `${ORIGIN}/mcp`, token),
  };
  return fixture.ask({
    method,
    path: '/mcp',
    headers: { ...credentials, ...headers },
    ...(body !== undefined && { body }),
  });
}
const SSE = { accept: 'text/event-stream' };
const request = (method: string, id = 1) => `{"jsonrpc":"2.0","id":${id},"method":"${method}"}`;

it.each<[string, string | undefined]>([
  ['resumes the stream of the answer', undefined],
  [
    'calls a tool with the id of its list',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"seen"}}',
  ],
  ['asks in a batch', `[${request('tools/list')},${request('prompts/list', 2)}]`],
  ['spells the method with escapes', request('t\\u006fols/list')],
  ['asks for prompts', request('prompts/list')],
  ['asks for templates', request('resources/templates/list')],
  ['answers what it was not asked', '{"jsonrpc":"2.0","id":1,"result":{}}'],
])('who %s sees what it may use, and nothing else', async (_, body) => {
  for (const headers of [SSE, {}]) {
    const { status, text } = await ask(body, { ...headers, 'last-event-id': '0' });
    expect([status, text.match(/seen/g)!.length > 0, text.includes('HIDDEN')]).toEqual([200, true, false]);
  }
});

it.each<[string, string | string[]]>([
  ['two fields', ['application/json', 'text/event-stream']],
  ['a list', 'application/json, text/event-stream'],
])('an answer of two types, in %s, goes to nobody: its readers could see another one', async (_, types) => {
  const { answer } = fixture;
  fixture.answer = (message, response) => {
    response.setHeader('Content-Type', types);
    response.end(
      `: "\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'HIDDEN' }] } })}\n\n`,
    );
    message.resume();
  };
  const { status, text } = await ask(request('tools/list'));
  expect([status, text.includes('HIDDEN')]).toEqual([502, false]);
  fixture.answer = answer;
});

it('who has many long answers begun and not ended makes the gateway hold no more than its share', async () => {
  const { answer } = fixture;
  let begun = 0;
  let cut = 0;
  fixture.answer = (_, response) => {
    begun += 1;
    response.on('close', () => {
      cut += 1;
    });
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(`data: {"jsonrpc":"2.0","id":1,"result":{"x":"${'x'.repeat(1_900_000)}`);
  };
  for (let i = 0; i < 16; i++) ask(undefined, SSE).catch(() => undefined);
  // A share is 8 MiB, and each of these holds 2 to 4 MiB in its buffer.
  await until(() => begun === 16 && cut >= 12, 10_000);
  expect((await fixture.audit()).filter(({ ended }) => ended === 'made_room').length).toBeGreaterThanOrEqual(
    12,
  );
  fixture.answer = answer;
  const { text } = await ask(request('tools/list'));
  expect(text.includes('HIDDEN')).toBe(false);
}, 30_000);
