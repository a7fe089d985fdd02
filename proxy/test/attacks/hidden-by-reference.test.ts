/**
 * The attack: a prompt or resource that the rules hide is not asked for by its own method, but pointed at by another
 * one: completion/complete gives values for its arguments, subscriptions/listen tells whenever it changes.
 */
import { changeRoutes, ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { reasonOf } from '../support/reason-of.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) =>
      changeRoutes(config, (mcp) => [
        {
          ...mcp,
          allow: [
            { method: 'completion/complete' },
            { method: 'subscriptions/listen' },
            { method: 'prompts/get', names: ['greet', '{any}'] },
            { method: 'prompts/get', names: ['report'], requiredScopes: ['reports'] },
            { method: 'resources/*', names: ['doc://a/1', 'doc://b'] },
          ],
        },
        { ...mcp, name: 'open', pathPrefix: '/open' },
      ]),
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
});

const ask = (method: string, params: object, path = '/mcp') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all' });
  return fixture.ask({
    method: 'POST',
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
};
const reason = async (...asked: Parameters<typeof ask>) => {
  const decided = await reasonOf(fixture, await ask(...asked));
  expect(fixture.seen).toHaveLength(decided === 'ok' ? 1 : 0);
  return decided;
};
const complete = (ref: unknown, more: object = {}, path?: string) =>
  reason('completion/complete', { ref, argument: { name: 'who', value: 'a' }, ...more }, path);
const listen = (notifications: unknown, more: object = {}, path?: string) =>
  reason('subscriptions/listen', { notifications, ...more }, path);
const uris = (...resourceSubscriptions: unknown[]) => ({ toolsListChanged: true, resourceSubscriptions });

it.each<[string, object]>([
  ['a prompt', { type: 'ref/prompt', name: 'greet' }],
  ['a resource', { type: 'ref/resource', uri: 'doc://b' }],
  ['a template that may become one', { type: 'ref/resource', uri: 'doc://a/{page}' }],
])('what its caller may use is completed: %s', async (_, ref) => {
  expect(await complete(ref)).toBe('ok');
});
it.each<[string, object]>([
  ['a prompt', { type: 'ref/prompt', name: 'salaries' }],
  ['a prompt that looks like a template', { type: 'ref/prompt', name: '{other}' }],
  ['a prompt that calls itself a resource', { type: 'ref/resource', name: 'salaries' }],
  ['a resource', { type: 'ref/resource', uri: 'doc://c' }],
  ['a template', { type: 'ref/resource', uri: 'doc://c/{page}' }],
])('what is hidden is not: %s', async (_, ref) => {
  expect(await complete(ref)).toBe('mcp_not_allowed');
});
it('what needs a scope is not without it, and the client is told which rule or scope is missing', async () => {
  const prompt = (name: string) => ask('completion/complete', { ref: { type: 'ref/prompt', name } });
  const scoped = await prompt('report');
  expect([scoped.status, scoped.headers['www-authenticate']]).toEqual([
    403,
    expect.stringContaining('scope="reports"'),
  ]);
  expect(JSON.parse((await prompt('salaries')).text)).toMatchObject({
    id: 1,
    error: { data: { missingRule: { method: 'prompts/get', names: ['salaries'] } } },
  });
});
it.each<[string, unknown, object?]>([
  ['no ref', undefined],
  ['a ref that is text', 'salaries'],
  ['a ref that points at nothing', { type: 'ref/prompt' }],
  ['a ref that points at two', { type: 'ref/prompt', name: 'greet', uri: 'doc://c' }],
  ['a name that is none', { type: 'ref/prompt', name: ['salaries'] }],
  ['a name in another case', { type: 'ref/prompt', name: 'greet', Name: 'salaries' }],
  ['a ref in another case', { type: 'ref/prompt', name: 'greet' }, { Ref: { name: 'salaries' } }],
])('what two could read differently is refused: %s', async (_, ref, more = {}) => {
  expect(await complete(ref, more)).toBe('mcp_body_malformed');
});

it('lists, and resources that its caller may read, are told of', async () => {
  expect(await listen({ toolsListChanged: true })).toBe('ok');
  fixture.seen.length = 0;
  expect(await listen(uris('doc://a/1', 'doc://b', 'doc://b'))).toBe('ok');
});
it.each<[string, object]>([
  ['a resource', uris('doc://c')],
  ['one among others', uris('doc://b', 'doc://c')],
  ['all of a template', uris('doc://a/{page}')],
])('hidden ones are not: %s', async (_, notifications) => {
  expect(await listen(notifications)).toBe('mcp_not_allowed');
});
it.each<[string, unknown, object?]>([
  ['no object', 'all'],
  ['no list', { resourceSubscriptions: 'doc://c' }],
  ['what is no URI', uris({ uri: 'doc://c' })],
  ['another case', { resourceSubscriptions: [], ResourceSubscriptions: ['doc://c'] }],
  ['another case of the whole', {}, { Notifications: uris('doc://c') }],
])('a subscription that two could read differently is refused: %s', async (_, notifications, more = {}) => {
  expect(await listen(notifications, more)).toBe('mcp_body_malformed');
});

it('where a route has no rules, nothing is hidden', async () => {
  expect(await complete({ type: 'ref/prompt', name: 'salaries' }, {}, '/open')).toBe('ok');
  fixture.seen.length = 0;
  expect(await listen(uris('doc://c'), {}, '/open')).toBe('ok');
});
