/** What a client of MCP reads when it is refused: a JSON-RPC error, or what OAuth wants. */
import { changeRoutes, ORIGIN, startFixture, type Answer, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) =>
      changeRoutes(config, (mcp) => [
        { ...mcp, revisions: ['2025-06-18', '2025-11-25'], methods: ['POST'] },
        {
          ...mcp,
          name: 'ruled',
          pathPrefix: '/ruled',
          allow: [
            { method: 'tools/call', names: ['read'] },
            { method: 'tools/call', names: ['write'], requiredScopes: ['mcp:write'] },
            { method: 'tools/call', names: ['admin'], when: { claim: 'groups', oneOf: ['ops', 'root'] } },
            { method: 'prompts/get', when: { claim: '/realm_access/roles', oneOf: ['author'] } },
          ],
        },
      ]),
  });
});
afterAll(() => fixture.stop());

interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly claims?: Record<string, unknown>;
}
const send = async (
  message: unknown,
  { path = '/ruled', method = 'POST', headers = {}, claims = {} }: Sent = {},
) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all', ...claims });
  return fixture.ask({
    method,
    path,
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, method, ORIGIN + path, token),
      ...headers,
    },
    ...(method === 'POST' && { body: JSON.stringify(message) }),
  });
};
const bodyOf = ({ text }: Answer) => JSON.parse(text) as { id?: unknown; error: Record<string, unknown> };
const call = (name: string, id: unknown = 7) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name },
});

describe('a refusal that is not of credentials is a JSON-RPC error', () => {
  it('version: -32022 with what is supported and what was asked for', async () => {
    const answer = await send(call('read'), {
      path: '/mcp',
      headers: { 'mcp-protocol-version': '2026-07-28' },
    });
    expect([answer.status, answer.headers['content-type'], bodyOf(answer)]).toEqual([
      400,
      'application/json',
      {
        jsonrpc: '2.0',
        id: 7,
        error: {
          code: -32022,
          message: expect.any(String) as string,
          data: {
            reason: 'mcp_version_refused',
            supported: ['2025-06-18', '2025-11-25'],
            requested: '2026-07-28',
          },
        },
      },
    ]);
  });
  it('gives what was asked for back in no more than 128 characters', async () => {
    const headers = { 'mcp-protocol-version': 'v'.repeat(4_000) };
    const { error } = bodyOf(await send(call('read'), { path: '/mcp', headers }));
    expect(error.data).toMatchObject({ requested: 'v'.repeat(128) });
  });
  it('and gives a rule back with no more of what it would name', async () => {
    const missingRule = async (message: object) => bodyOf(await send(message)).error.data;
    expect(await missingRule(call('n'.repeat(4_000)))).toMatchObject({
      missingRule: { method: 'tools/call', names: ['n'.repeat(128)] },
    });
    const method = 'm'.repeat(4_000);
    expect(await missingRule({ jsonrpc: '2.0', id: 1, method })).toMatchObject({
      missingRule: { method: 'm'.repeat(128) },
    });
  });
  it('headers that the body contradicts: -32020, with the id of the request', async () => {
    const answer = await send(call('read', 'one'), { headers: { 'mcp-name': 'write' } });
    expect([answer.status, bodyOf(answer)]).toMatchObject([400, { id: 'one', error: { code: -32020 } }]);
  });
  it('headers that are missing: -32020', async () => {
    const headers = { 'mcp-protocol-version': '2026-07-28' };
    expect(bodyOf(await send(call('read'), { headers }))).toMatchObject({ id: 7, error: { code: -32020 } });
  });
  it('not allowed: 403, and the rule that is missing as it would stand in the config', async () => {
    const answer = await send(call('drop'));
    expect([answer.status, bodyOf(answer)]).toMatchObject([
      403,
      {
        id: 7,
        error: {
          code: -32000,
          data: { reason: 'mcp_not_allowed', missingRule: { method: 'tools/call', names: ['drop'] } },
        },
      },
    ]);
  });
  it('no message: -32600', async () => {
    expect(bodyOf(await send({ id: 1 }))).toMatchObject({ id: null, error: { code: -32600 } });
  });
  it('a method of HTTP that the route has not: 405', async () => {
    const answer = await send(undefined, { path: '/mcp', method: 'DELETE' });
    expect([answer.status, bodyOf(answer).error.data]).toEqual([405, { reason: 'method_not_allowed' }]);
  });
  it('a backend that is gone: 502, with the id where the body was read', async () => {
    fixture.answer = (message) => message.socket.destroy();
    const answer = await send(call('read'));
    fixture.answer = (_, response) => void response.end('{}');
    expect([answer.status, bodyOf(answer)]).toMatchObject([
      502,
      { id: 7, error: { data: { reason: 'upstream_unreachable' } } },
    ]);
  });
  it.each([
    ['a batch', [call('drop', 1), call('drop', 2)]],
    ['an id that is long', call('drop', 'i'.repeat(129))],
    ['an id that JavaScript cannot hold', call('drop', 2 ** 60)],
    ['a notification', { jsonrpc: '2.0', method: 'tools/call', params: { name: 'drop' } }],
  ])('%s gets id null', async (_, message) => {
    expect(bodyOf(await send(message))).toMatchObject({ id: null, error: { code: -32000 } });
  });
});

describe('a refusal of credentials keeps the body of OAuth and its challenge', () => {
  it('401', async () => {
    const answer = await fixture.ask({ method: 'POST', path: '/ruled', body: '{}' });
    expect([answer.status, bodyOf(answer)]).toMatchObject([401, { error: 'credentials_missing' }]);
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP /);
  });
  it('403 insufficient_scope', async () => {
    const answer = await send(call('write'));
    expect([answer.status, bodyOf(answer)]).toMatchObject([403, { error: 'insufficient_scope' }]);
    expect(answer.headers['www-authenticate']).toMatch(/scope="mcp:write"/);
  });
});

describe('a rule with a claim', () => {
  const status = async (message: unknown, claims: Record<string, unknown>) =>
    (await send(message, { claims })).status;
  it.each<[string, Record<string, unknown>, number]>([
    ['the value', { groups: 'ops' }, 200],
    ['a list that has it', { groups: ['dev', 'root'] }, 200],
    ['another value', { groups: 'dev' }, 403],
    ['a value that begins like it', { groups: 'opsx' }, 403],
    ['a list in a list', { groups: [['ops']] }, 403],
    ['a number', { groups: 1 }, 403],
    ['an object', { groups: { 0: 'ops' } }, 403],
    ['no such claim', {}, 403],
  ])('is for who has %s', async (_, claims, expected) => {
    expect(await status(call('admin'), claims)).toBe(expected);
  });
  it.each<[string, Record<string, unknown>, number]>([
    ['the value', { realm_access: { roles: ['author'] } }, 200],
    ['another value', { realm_access: { roles: ['reader'] } }, 403],
    ['the pointer as a name', { '/realm_access/roles': 'author' }, 403],
    ['no object on the way', { realm_access: 'author' }, 403],
  ])('finds one that lies in another: %s', async (_, claims, expected) => {
    const get = { jsonrpc: '2.0', id: 1, method: 'prompts/get', params: { name: 'p' } };
    expect(await status(get, claims)).toBe(expected);
  });
});
