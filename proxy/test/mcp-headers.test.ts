/** Which header fields a message needs, where only its body says what it is: initialize, notifications, tasks. */
import { changeRoutes, ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { reasonOf } from './support/reason-of.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) =>
      changeRoutes(config, (mcp) => [
        { ...mcp },
        { ...mcp, name: 'one', pathPrefix: '/one', revisions: ['2025-11-25'] },
        {
          ...mcp,
          name: 'ruled',
          pathPrefix: '/ruled',
          allow: [
            { method: 'tasks/get', names: ['t'] },
            { method: 'tools/list' },
            { method: 'notifications/*' },
          ],
        },
        { ...mcp, name: 'older', pathPrefix: '/older', revisions: ['2024-11-05', '2025-03-26'] },
        { ...mcp, name: 'page', pathPrefix: '/page', allowedOrigins: ['https://app.example'] },
      ]),
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
  it.each(['tasks/get', 'tasks/update', 'tasks/cancel'])('%s names its task in Mcp-Name', async (method) => {
    const message = { jsonrpc: '2.0', id: 1, method, params: { taskId: 't' } };
    const headers = { ...stateless, 'mcp-method': method };
    expect(await send('/mcp', message, headers)).toBe('mcp_header_missing');
    expect(await send('/mcp', message, { ...headers, 'mcp-name': 't' })).toBe('ok');
  });
  it('a task is named in Mcp-Name, with rules and without', async () => {
    const get = { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { taskId: 't' } };
    const method = { ...stateless, 'mcp-method': 'tasks/get' };
    for (const path of ['/mcp', '/ruled']) {
      expect(await send(path, get, { ...method, 'mcp-name': 't' })).toBe('ok');
      expect(await send(path, get, method)).toBe('mcp_header_missing');
    }
    expect(await send('/ruled', get, { ...method, 'mcp-name': 'u' })).toBe('mcp_header_mismatch');
    const other = { ...get, params: { taskId: 'u' } };
    expect(await send('/ruled', other, { ...method, 'mcp-name': 'u' })).toBe('mcp_not_allowed');
  });
});

describe('MCP-Protocol-Version and _meta, where the body is read', () => {
  const META = 'io.modelcontextprotocol/protocolVersion';
  const list = (meta: object) => ({ ...LIST, params: { _meta: meta } });
  const stateless = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
  it('agree', async () => {
    expect(await send('/ruled', list({ [META]: '2026-07-28' }), stateless)).toBe('ok');
    expect(await send('/ruled', list({ progressToken: 1 }), { 'mcp-protocol-version': '2025-11-25' })).toBe(
      'ok',
    );
  });
  it.each<[string, object, Record<string, string>]>([
    ['name two revisions', list({ [META]: '2025-11-25' }), stateless],
    [
      'a stateless message under an older field',
      list({ [META]: '2026-07-28' }),
      { 'mcp-protocol-version': '2025-11-25' },
    ],
    ['a stateless message without the field', list({ [META]: '2026-07-28' }), {}],
    ['one of a batch', [LIST, list({ [META]: '2026-07-28' })] as object, {}],
  ])('%s: refused', async (_, message, headers) => {
    expect(await send('/ruled', message, headers)).toBe('mcp_header_mismatch');
  });
  it('_meta in another case is no message: some readers would take it', async () => {
    const odd = { ...LIST, params: { _Meta: { [META]: '2026-07-28' } } };
    expect(await send('/ruled', odd, { 'mcp-protocol-version': '2025-11-25' })).toBe('mcp_body_malformed');
  });
  it.each<[string, object]>([
    ['the revision in _meta', list({ [META.toUpperCase()]: '2026-07-28' })],
    [
      'protocolVersion of initialize',
      {
        ...LIST,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', ProtocolVersion: '2024-11-05' },
      },
    ],
  ])('nor is %s in another case', async (_, message) => {
    expect(await send('/ruled', message, { 'mcp-protocol-version': '2025-11-25' })).toBe(
      'mcp_body_malformed',
    );
  });
});

describe('2024-11-05, which old servers negotiate', () => {
  it('passes where the route lists it, and is not among the defaults', async () => {
    const headers = { 'mcp-protocol-version': '2024-11-05' };
    expect(await send('/older', LIST, headers)).toBe('ok');
    expect(await send('/mcp', LIST, headers)).toBe('mcp_version_refused');
  });
});

describe("a page's preflight", () => {
  const preflight = async (asked: string) => {
    const { status, headers } = await fixture.ask({
      method: 'OPTIONS',
      path: '/page',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': asked,
      },
    });
    expect([status, headers.vary]).toEqual([204, 'Origin, Access-Control-Request-Headers']);
    return String(headers['access-control-allow-headers']).split(', ');
  };
  it('is allowed the mirrored parameters that it asks for, and trace context', async () => {
    expect(await preflight('authorization, mcp-param-tenant_id,mcp-param-a.b')).toEqual(
      expect.arrayContaining([
        'Authorization',
        'DPoP',
        'traceparent',
        'tracestate',
        'mcp-param-tenant_id',
        'mcp-param-a.b',
      ]),
    );
  });
  it('is allowed nothing else that it asks for', async () => {
    const plain = await preflight('authorization');
    expect(await preflight('cookie, mcp-param-, mcp-session_id, mcp-param-a b, x-mcp-param-c')).toEqual(
      plain,
    );
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
