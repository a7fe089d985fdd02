/** Which header fields a message needs, where only its body says what it is: initialize, notifications, tasks. */
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { reasonOf } from './support/reason-of.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      const [mcp] = config.routes as [(typeof config.routes)[number]];
      const auth = { profile: 'dpop', issuers: ['as'], audiences: ['all'] };
      config.routes = [
        { ...mcp, auth },
        { ...mcp, name: 'one', pathPrefix: '/one', auth, revisions: ['2025-11-25'] },
        {
          ...mcp,
          name: 'ruled',
          pathPrefix: '/ruled',
          auth,
          allow: [{ method: 'tasks/get' }, { method: 'notifications/*' }],
        },
      ] as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
});
const send = async (path: string, message: object | string, headers: Record<string, string> = {}) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all' });
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  const answer = await fixture.ask({
    method: 'POST',
    path,
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, 'POST', ORIGIN + path, token),
      ...headers,
    },
    body,
  });
  const { status } = answer;
  const reason = await reasonOf(fixture, answer);
  expect(fixture.seen.length).toBe(status === 200 ? 1 : 0);
  fixture.seen.length = 0;
  return reason;
};
const initialize = (protocolVersion?: string) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion },
});
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const NOTIFICATION = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };

describe('a route of one revision', () => {
  it('takes the initialize that asks for it, which has no MCP-Protocol-Version', async () => {
    expect(await send('/one', initialize('2025-11-25'))).toBe('ok');
  });
  it.each([
    ['initialize for another', initialize('2025-06-18')],
    ['initialize for none', initialize()],
    ['another method', LIST],
    ['initialize and another method', [initialize('2025-11-25'), LIST]],
    ['what is no message', '{}'],
  ])('refuses %s without the header', async (_, message) => {
    expect(await send('/one', message)).toBe('mcp_version_refused');
  });
  it('goes by the header where there is one', async () => {
    expect(await send('/one', LIST, { 'mcp-protocol-version': '2025-11-25' })).toBe('ok');
    const older = { 'mcp-protocol-version': '2025-06-18' };
    expect(await send('/one', initialize('2025-11-25'), older)).toBe('mcp_version_refused');
  });
});

describe('from 2026-07-28 on', () => {
  const stateless = { 'mcp-protocol-version': '2026-07-28' };
  it.each(['/mcp', '/ruled'])('a notification needs no Mcp-Method: %s', async (path) => {
    expect(await send(path, NOTIFICATION, stateless)).toBe('ok');
  });
  it.each([
    ['a request', LIST],
    ['a request beside a notification', [NOTIFICATION, LIST]],
    ['an answer', { jsonrpc: '2.0', id: 1, result: {} }],
    ['what is no message', '{}'],
  ])('%s does', async (_, message) => {
    expect(await send('/mcp', message, stateless)).toBe('mcp_header_missing');
  });
  it('a task is named in Mcp-Name, with rules and without', async () => {
    const get = { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { taskId: 't' } };
    const method = { ...stateless, 'mcp-method': 'tasks/get' };
    for (const path of ['/mcp', '/ruled']) {
      expect(await send(path, get, { ...method, 'mcp-name': 't' })).toBe('ok');
      expect(await send(path, get, method)).toBe('mcp_header_missing');
    }
    expect(await send('/ruled', get, { ...method, 'mcp-name': 'u' })).toBe('mcp_header_mismatch');
  });
});

it('Mcp-Param-* passes, underscores too; other names with underscores do not', async () => {
  await send('/mcp', LIST);
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all' });
  await fixture.ask({
    method: 'POST',
    path: '/mcp',
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token),
      'Mcp-Param-tenant_id': '7',
      'mcp_session-id': 'x',
      'mcp-session_id': 'x',
      mcp_param_x: 'x',
    },
    body: '{}',
  });
  const names = Object.keys(fixture.seen[0]!.headers).filter((name) => name.startsWith('mcp'));
  expect(names).toEqual(['mcp-param-tenant_id']);
});
