/**
 * The attack: a token that the authorization server gave for another use. It answers introspection for refresh
 * tokens too (RFC 7662 2.1), and a refresh token of a public client is bound to its DPoP key as the access
 * token is (RFC 9449 5). A token of type Bearer is sent with a proof, or one of type DPoP without.
 */
import http from 'node:http';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { ec, proof, thumbprint } from '../support/mint.js';
import { introspectionAt } from '../support/introspection.js';
import { reasonOf } from '../support/reason-of.js';

const client = ec();
const cnf = { jkt: thumbprint(client) };
let said: Record<string, unknown>;
let asked = 0;
const server = http.createServer((_, response) => response.end(JSON.stringify({ active: true, ...said })));
let fixture: GatewayFixture;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    fixture = await startFixture({
      http2: version === 2,
      change: (config, { dir }) => {
        config.issuers[0] = {
          name: 'as',
          issuer: 'https://as.example',
          introspection: introspectionAt(server, dir),
        };
        const [mcp] = config.routes as [(typeof config.routes)[number]];
        const auth = { issuers: ['as'], audiences: ['all'] };
        config.routes = [
          { ...mcp, name: 'dpop', pathPrefix: '/dpop', auth: { profile: 'dpop', ...auth } },
          { ...mcp, name: 'mixed', pathPrefix: '/mixed', auth: { profile: 'mixed', ...auth } },
        ] as typeof config.routes;
      },
    });
  });
  afterAll(async () => {
    await fixture.stop();
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  /** Why a token of which the server says this was refused, or `ok`. */
  const decision = async (path: string, scheme: 'DPoP' | 'Bearer', about: Record<string, unknown>) => {
    said = { aud: 'all', ...about };
    const token = `opaque-${asked++}`;
    const answer = await fixture.ask({
      method: 'POST',
      path,
      headers: {
        authorization: `${scheme} ${token}`,
        ...(scheme === 'DPoP' ? { dpop: proof(client, 'POST', ORIGIN + path, token) } : {}),
      },
    });
    const { status } = answer;
    const reason = await reasonOf(fixture, answer);
    expect([status, fixture.seen.length]).toEqual(reason === 'ok' ? [200, 1] : [401, 0]);
    return reason;
  };

  it.each([
    ['a token of type Bearer', { token_type: 'Bearer' }, 'token_type_refused'],
    ['a token of another type', { token_type: 'N_A' }, 'token_type_refused'],
    ['a type that is no text', { token_type: ['DPoP'] }, 'token_type_refused'],
    ['a type that is null', { token_type: null }, 'token_type_refused'],
    ['a refresh token, by its type', { token_type: 'refresh_token' }, 'token_type_refused'],
    ['a refresh token of Keycloak', { typ: 'Refresh', token_type: 'Refresh' }, 'token_type_refused'],
    ['an offline token of Keycloak', { typ: 'Offline' }, 'token_type_refused'],
    ['an ID token', { typ: 'ID' }, 'token_type_refused'],
    ['a refresh token of Hydra', { token_use: 'refresh_token', token_type: 'DPoP' }, 'token_type_refused'],
    ['an ID token of Cognito', { token_use: 'id' }, 'token_type_refused'],
    ['a refresh token of OpenIddict', { token_usage: 'refresh_token' }, 'token_type_refused'],
  ])('with a proof, %s does not pass', async (_, about, reason) => {
    expect(await decision('/dpop', 'DPoP', { cnf, ...about })).toBe(reason);
    fixture.seen.length = 0;
    expect(await decision('/mixed', 'DPoP', { cnf, ...about })).toBe(reason);
  });
  it.each([
    ['a token of type DPoP, though it names no key', { token_type: 'DPoP' }, 'token_bound'],
    ['the same in another case', { token_type: 'dpop' }, 'token_bound'],
    ['a bound token', { token_type: 'Bearer', cnf }, 'token_bound'],
    ['a token of another type', { token_type: 'mac' }, 'token_type_refused'],
    ['a refresh token', { token_type: 'Bearer', token_use: 'refresh_token' }, 'token_type_refused'],
  ])('as Bearer, %s does not pass', async (_, about, reason) => {
    expect(await decision('/mixed', 'Bearer', about)).toBe(reason);
  });
  it.each<['DPoP' | 'Bearer', Record<string, unknown>]>([
    ['DPoP', { cnf }],
    ['DPoP', { cnf, token_type: 'dpop' }],
    ['DPoP', { cnf, token_type: 'DPoP', token_use: 'access_token', typ: 'DPoP' }],
    ['Bearer', {}],
    ['Bearer', { token_type: 'bearer', typ: 'Bearer', token_use: 'access' }],
    ['Bearer', { token_type: 'Bearer', token_usage: 'access_token', typ: 'at+jwt' }],
  ])('as %s, an access token with %j passes', async (scheme, about) => {
    expect(await decision('/mixed', scheme, about)).toBe('ok');
  });
});
