/**
 * The attack: on a route whose rules allow one tool, a body that is no JSON-RPC message at all. It names no
 * method, so no rule refuses it; what the backend makes of it is the backend's affair: an older protocol, a
 * default method, a handler of its own.
 */
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { refusalIn } from '../support/refusal.js';

const client = ec();
let fixture: GatewayFixture;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeAll(async () => {
    fixture = await startFixture({
      http2: version === 2,
      change: (config) => {
        const [mcp] = config.routes as [(typeof config.routes)[number]];
        config.routes = [
          {
            ...mcp,
            allow: [
              { method: 'tools/call', names: ['echo'] },
              { method: 'tasks/*', names: ['t-1'] },
            ],
          },
        ] as typeof config.routes;
      },
    });
  });
  afterAll(() => fixture.stop());
  beforeEach(() => {
    fixture.seen.length = 0;
  });
  const send = (body: string, headers: Record<string, string> = {}) => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    return fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: {
        authorization: `DPoP ${token}`,
        dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token),
        ...headers,
      },
      body,
    });
  };
  const rpc = (more: object) => JSON.stringify({ jsonrpc: '2.0', ...more });

  it.each([
    ['an empty object', '{}'],
    ['one in a batch', '[{}]'],
    ['one beside a good message', `[${rpc({ id: 1, result: {} })},{}]`],
    ['only the version', rpc({})],
    ['only an id', rpc({ id: 1 })],
    ['no id', rpc({ result: {} })],
    ['an error without id', rpc({ error: { code: 1, message: 'x' } })],
    ['an id that is null', rpc({ id: null, result: {} })],
    ['an id that is an object', rpc({ id: {}, result: {} })],
    ['result and error', rpc({ id: 1, result: {}, error: {} })],
    ['params in a response', rpc({ id: 1, result: {}, params: { name: 'rm' } })],
    ['no version', '{"id":1,"method":"tools/call","params":{"name":"echo"}}'],
    ['JSON-RPC 1.0', '{"id":1,"method":"tools/call","params":{"name":"echo"},"jsonrpc":"1.0"}'],
    ['a version that is a number', '{"id":1,"method":"tools/call","params":{"name":"echo"},"jsonrpc":2.0}'],
    ['a method and a result', rpc({ id: 1, method: 'tools/call', params: { name: 'echo' }, result: {} })],
    ['params by position', rpc({ id: 1, method: 'tools/call', params: ['echo'] })],
    ['params that are text', rpc({ id: 1, method: 'tools/call', params: 'echo' })],
    ['params that are null', rpc({ id: 1, method: 'tools/call', params: null })],
    ['a method that is null', rpc({ id: 1, method: null, result: {} })],
    ['a request whose id is null', rpc({ id: null, method: 'tools/call', params: { name: 'echo' } })],
    ['another case of result', rpc({ id: 1, result: {}, Error: {} })],
    ['another case of taskId', rpc({ id: 1, method: 'tasks/get', params: { taskId: 't-1', TaskID: 't-2' } })],
    ['text', '"tools/call"'],
    ['nothing', ''],
  ])('%s does not pass', async (_, body) => {
    const { status, text } = await send(body);
    expect([status, refusalIn(text), fixture.seen]).toEqual([400, 'mcp_body_malformed', []]);
  });
  it.each(['constructor', '__proto__', 'toString'])(
    'a method called %s is one that no rule allows',
    async (method) => {
      expect((await send(rpc({ id: 1, method, params: {} }))).status).toBe(403);
      expect(fixture.seen).toEqual([]);
    },
  );
  it.each([
    ['a request', rpc({ id: 1, method: 'tools/call', params: { name: 'echo' } })],
    ['a request with a text for an id', rpc({ id: 'a', method: 'tools/call', params: { name: 'echo' } })],
    ['an answer to the server', rpc({ id: 7, result: {} })],
    ['a refusal of what the server asked', rpc({ id: 7, error: { code: -1, message: 'no' } })],
    ['a task by its id', rpc({ id: 1, method: 'tasks/get', params: { taskId: 't-1' } })],
  ])('%s passes', async (_, body) => {
    expect((await send(body)).status).toBe(200);
    expect(fixture.seen.map((seen) => seen.body)).toEqual([body]);
  });
  it('rules name tasks, and Mcp-Name is held to the id in the body', async () => {
    const task = (taskId: string) => rpc({ id: 1, method: 'tasks/get', params: { taskId } });
    const named = (name: string) => ({ 'mcp-method': 'tasks/get', 'mcp-name': name });
    expect((await send(task('t-1'), named('t-1'))).status).toBe(200);
    expect((await send(task('t-2'), named('t-1'))).status).toBe(400);
    expect((await send(task('t-2'), named('t-2'))).status).toBe(403);
  });
});
