/**
 * The attack: an MCP server that the gateway calls with a credential of its own cannot tell callers apart:
 * whoever names a session has it. Another caller, with a token and a key of its own that are good, learns
 * somebody's `Mcp-Session-Id` from a log, and reads and ends the session.
 */
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint, type Pair } from '../support/mint.js';
import { refusalIn } from '../support/refusal.js';

const [owner, other] = [ec(), ec()];
let fixture: GatewayFixture;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeAll(async () => {
    fixture = await startFixture({
      http2: version === 2,
      change: (config, { backendPort }) => {
        const [mcp] = config.routes as [(typeof config.routes)[number]];
        const at = (name: string, auth: object = {}, backend: object = {}) => ({
          ...mcp,
          name,
          pathPrefix: `/${name}`,
          auth: { profile: 'dpop', issuers: ['as'], audiences: ['all'], ...auth },
          backend: { ...mcp.backend, ...backend },
        });
        const endpoints = [`http://127.0.0.1:${backendPort}`];
        config.routes = [
          at('mcp'),
          at('second'),
          at('several', {}, { endpoints }),
          at('optional', { mode: 'optional' }),
          at('permissive', { mode: 'permissive' }),
        ] as typeof config.routes;
      },
    });
    fixture.answer = (_, response) => response.writeHead(200, { 'Mcp-Session-Id': 'backend-1' }).end('{}');
  });
  afterAll(() => fixture.stop());
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  interface Who {
    readonly pair?: Pair;
    readonly sub?: string;
  }
  const ask = (route: string, { pair = owner, sub = 'agent-7' }: Who, session?: string, method = 'POST') => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(pair) }, aud: 'all', sub });
    return fixture.ask({
      method,
      path: `/${route}`,
      headers: {
        authorization: `DPoP ${token}`,
        dpop: proof(pair, method, `${ORIGIN}/${route}`, token),
        ...(session === undefined ? {} : { 'mcp-session-id': session }),
      },
    });
  };
  const begin = async (route: string, who: Who = {}) =>
    (await ask(route, who)).headers['mcp-session-id'] as string;
  const seenSessions = () => fixture.seen.map(({ headers }) => headers['mcp-session-id']);

  it.each(['mcp', 'several', 'optional'])('the session of %s is its caller’s alone', async (route) => {
    const session = await begin(route);
    fixture.seen.length = 0;
    for (const method of ['POST', 'GET', 'DELETE']) {
      expect((await ask(route, {}, session, method)).status).toBe(200);
      for (const who of [{ pair: other }, { sub: 'agent-8' }, { pair: other, sub: 'agent-8' }]) {
        const { status, text } = await ask(route, who, session, method);
        expect([status, refusalIn(text)]).toEqual([404, 'mcp_session_gone']);
      }
    }
    expect(seenSessions()).toEqual(['backend-1', 'backend-1', 'backend-1']);
  });
  it('nobody makes an id: not by guessing, cutting, swapping the tag, or another route', async () => {
    const session = await begin('mcp');
    const strange = await begin('mcp', { pair: other });
    const [tag] = strange.split('.');
    fixture.seen.length = 0;
    const made = [
      'backend-1',
      '.backend-1',
      `${'A'.repeat(22)}.backend-1`,
      `${session}x`,
      session.slice(1),
      session.slice(23),
      `${session.slice(0, 22)}.${session}`,
      `${tag}.backend-2`,
      '',
    ];
    for (const id of made) expect((await ask('mcp', {}, id)).status).toBe(404);
    expect((await ask('mcp', {}, strange)).status).toBe(404);
    expect((await ask('second', {}, session)).status).toBe(404);
    expect(fixture.seen).toEqual([]);
  });
  it('a refused session spends no proof', async () => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(other) }, aud: 'all' });
    const headers = { authorization: `DPoP ${token}`, dpop: proof(other, 'POST', `${ORIGIN}/mcp`, token) };
    const session = await begin('mcp');
    const send = (more: object) =>
      fixture.ask({ method: 'POST', path: '/mcp', headers: { ...headers, ...more } });
    expect((await send({ 'mcp-session-id': session })).status).toBe(404);
    expect((await send({})).status).toBe(200);
  });
  it('nobody without credentials has the session of somebody with', async () => {
    const session = await begin('optional');
    const anonymous = await fixture.ask({
      method: 'POST',
      path: '/optional',
      headers: { 'mcp-session-id': session },
    });
    expect(anonymous.status).toBe(404);
  });
  it('a permissive route refuses nothing', async () => {
    expect(await begin('permissive')).toBe('backend-1');
    expect((await ask('permissive', { pair: other }, 'backend-1')).status).toBe(200);
  });
});
