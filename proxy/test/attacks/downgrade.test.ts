/**
 * The attack: on a route that takes bound and unbound tokens (`mixed`), whoever sits between client and gateway
 * writes `Bearer` over `DPoP` and leaves the proof where it is: the gateway would not look at it, and the
 * client would never know. A client that has a proof means a bound token. Beside it, what a refusal may say:
 * `invalid_token` speaks of a token, and where none came no error is named (RFC 6750 3.1), or clients throw a
 * good token away.
 */
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const client = ec();
let fixture: GatewayFixture;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeAll(async () => {
    fixture = await startFixture({
      http2: version === 2,
      change: (config) => {
        const [mcp, self] = config.routes as [(typeof config.routes)[number], (typeof config.routes)[number]];
        const auth = { issuers: ['as'], audiences: ['all'] };
        const at = (profile: string, more: object = {}) => ({
          ...mcp,
          name: profile,
          pathPrefix: `/${profile}`,
          auth: { profile, ...auth, ...more },
        });
        config.trustedPeers = ['127.0.0.1/32'];
        config.routes = [
          at('dpop'),
          at('mixed'),
          at('mtls', { certificateFrom: 'header' }),
          { ...at('dpop', { mode: 'optional' }), name: 'optional', pathPrefix: '/optional' },
          self,
        ] as typeof config.routes;
      },
    });
  });
  afterAll(() => fixture.stop());
  beforeEach(() => {
    fixture.seen.length = 0;
  });
  const last = async () => (await fixture.audit()).at(-1)!.reason;
  const ask = (path: string, headers: Record<string, string>) =>
    fixture.ask({ method: 'POST', path, headers });

  it.each([
    ['an unbound token', {}],
    ['a bound token', { cnf: { jkt: thumbprint(client) } }],
  ])('Bearer beside a proof is refused on mixed: %s', async (_, claims) => {
    const token = accessToken(fixture.as, { aud: 'all', ...claims });
    for (const dpop of [proof(client, 'POST', `${ORIGIN}/mixed`, token), 'x', '']) {
      expect((await ask('/mixed', { authorization: `Bearer ${token}`, dpop })).status).toBe(401);
      expect([await last(), fixture.seen]).toEqual(['scheme_refused', []]);
    }
  });
  it('Bearer without a proof passes there', async () => {
    const token = accessToken(fixture.as, { aud: 'all' });
    expect((await ask('/mixed', { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  const NO_TOKEN = [
    'Basic dXNlcjpwdw==',
    'DPoP',
    'Bearer',
    'dpop',
    'Digest username="x", realm="y"',
    'Negotiate',
    '',
  ];
  it.each(['/dpop', '/mixed', '/mtls', '/self', '/optional'].flatMap((p) => NO_TOKEN.map((v) => [p, v])))(
    '%s says nothing of a token where "%s" brings none, and lets nobody in',
    async (path, authorization) => {
      const { status, headers, text } = await ask(path, { authorization });
      expect([status, await last(), fixture.seen]).toEqual([401, 'token_missing', []]);
      expect(headers['www-authenticate']).toMatch(/^(DPoP|Bearer) /);
      expect(headers['www-authenticate']).not.toContain('error');
      expect(text).not.toContain('invalid_token');
    },
  );
  it.each(['/dpop', '/mixed', '/mtls'])('%s names no error for a proof alone', async (path) => {
    const { status, headers } = await ask(path, { dpop: proof(client, 'POST', ORIGIN + path, 'x') });
    expect([status, await last()]).toEqual([401, 'credentials_missing']);
    expect(headers['www-authenticate']).not.toContain('error');
  });
  it.each([
    ['/dpop', 'Bearer x'],
    ['/dpop', 'DPoP a b'],
    ['/mtls', 'DPoP x'],
    ['/self', 'DPoP x'],
  ])('%s does name invalid_token where a token came: "%s"', async (path, authorization) => {
    expect((await ask(path, { authorization })).headers['www-authenticate']).toContain(
      'error="invalid_token"',
    );
  });
});
