/**
 * The attack: an ingress hands the Host of its clients on as X-Forwarded-Host. A client that has a token for a
 * resource of an attacker's, `https://evil.example/mcp`, asks for that host through the ingress; its token and
 * its proof then name the very origin that the gateway was told, and pass.
 */
import type { ConfigInput } from '../../src/config/index.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { refusalIn } from '../support/refusal.js';

const client = ec();
const TENANT = 'https://tenant.example';
let fixture: GatewayFixture;
const refusedByBackend = () => {
  fixture.answer = (_, response) =>
    response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end();
};
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeAll(async () => {
    fixture = await startFixture({
      http2: version === 2,
      change: (config) => {
        config.trustedPeers = ['127.0.0.1/32'];
        config.originFrom = 'forwarded';
        config.publicOrigins = [ORIGIN, TENANT];
        const [mcp] = config.routes as [Extract<ConfigInput['routes'][number], { kind: 'mcp' }>];
        mcp.auth = { profile: 'dpop', issuers: ['as'] };
        mcp.backend = { ...mcp.backend, credential: { kind: 'verifiedToken' } };
      },
    });
  });
  afterAll(() => fixture.stop());
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  /** A request whose token and proof are for `origin`, with these fields of the ingress. */
  const ask = (origin: string, fields: readonly string[]) => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: `${origin}/mcp` });
    const signed = ['Authorization', `DPoP ${token}`, 'DPoP', proof(client, 'POST', `${origin}/mcp`, token)];
    return fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: ['Host', 'evil.example', ...signed, ...fields],
    });
  };
  const of = (proto: string, host: string) => ['X-Forwarded-Proto', proto, 'X-Forwarded-Host', host];

  it.each<[string, string, string[]]>([
    ['a host of the attacker', 'https://evil.example', of('https', 'evil.example')],
    ['ours with a port', `${ORIGIN}:8443`, of('https', 'gw.example:8443')],
    ['ours with a dot at its end', `${ORIGIN}.`, of('https', 'gw.example.')],
    ['ours in clear', 'http://gw.example', of('http', 'gw.example')],
    ['ours and another, as a list', ORIGIN, of('https', 'gw.example, evil.example')],
    ['two fields, ours first', ORIGIN, [...of('https', 'gw.example'), 'X-Forwarded-Host', 'evil.example']],
    ['two fields, ours last', ORIGIN, [...of('https', 'evil.example'), 'X-Forwarded-Host', 'gw.example']],
    ['nothing', ORIGIN, of('https', '')],
    ['no scheme', ORIGIN, ['X-Forwarded-Host', 'gw.example']],
  ])('is refused where the forwarded host is %s', async (_, origin, fields) => {
    const { status, text } = await ask(origin, fields);
    expect([status, refusalIn(text), fixture.seen]).toEqual([421, 'host_refused', []]);
  });
  it('a token and a proof for one of our origins do not pass under another', async () => {
    expect((await ask(TENANT, of('https', 'gw.example'))).status).toBe(401);
    expect((await ask(ORIGIN, of('https', 'tenant.example'))).status).toBe(401);
    expect(fixture.seen).toEqual([]);
  });
  it('each of our origins is served, however its host is written', async () => {
    expect((await ask(ORIGIN, of('https', 'GW.example:443'))).status).toBe(200);
    expect((await ask(TENANT, of('HTTPS', 'tenant.example'))).status).toBe(200);
  });
  it('metadata names no resource of an attacker', async () => {
    const { status, text } = await fixture.ask({
      path: '/.well-known/oauth-protected-resource/mcp',
      headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' },
    });
    expect([status, text]).toEqual([421, expect.not.stringContaining('evil')]);
  });
  it.each([
    ['the gateway', () => {}, ORIGIN, TENANT],
    ['the gateway', () => {}, TENANT, ORIGIN],
    ['a backend', refusedByBackend, ORIGIN, ORIGIN],
    ['a backend', refusedByBackend, TENANT, TENANT],
  ])(
    'a challenge of %s leads to the metadata of the origin that was asked',
    async (_, prepare, asked, signedFor) => {
      prepare();
      const from = of('https', new URL(asked).host);
      const { status, headers } = await ask(signedFor, from);
      expect(status).toBe(401);
      const [, url] = /resource_metadata="([^"]+)"/.exec(headers['www-authenticate']!)!;
      const { origin, pathname } = new URL(url!);
      expect(origin).toBe(asked);
      const { text } = await fixture.ask({ path: pathname, headers: ['Host', 'gw', ...from] });
      expect(JSON.parse(text)).toMatchObject({ resource: `${asked}/mcp` }); // RFC 9728 3.3
    },
  );
});
