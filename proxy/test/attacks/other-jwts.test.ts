/**
 * The attack: another JWT of the same issuer, signed with the same key, sent as an access token. Where the
 * issuer signs access tokens as `typ: JWT` the header does not tell them apart. The worst case is a token that
 * is bound to the attacker's own key, as refresh tokens of public clients are (RFC 9449 5), and names an
 * audience that the route takes.
 */
import { type GatewayFixture } from '../support/gateway.js';
import { cnf, LEGACY, startProviderFixture, decisionOf } from '../support/provider-fixture.js';
import { CLIENT, ISSUERS, mint, PROVIDERS, soundShape, type TokenShape } from '../support/provider-tokens.js';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startProviderFixture();
});
afterAll(() => fixture.stop());

type Claims = Record<string, unknown>;
const issuers = [...PROVIDERS, 'legacy'] as const;
type Issuer = (typeof issuers)[number];
const issOf = (issuer: Issuer) => (issuer === 'legacy' ? LEGACY : ISSUERS[issuer]);
/** An access token that passes. */
const good = (issuer: Issuer): TokenShape =>
  issuer === 'legacy'
    ? {
        header: { typ: 'JWT' },
        claims: { iss: LEGACY, sub: 'ada', client_id: CLIENT, jti: 'x', scope: 'mcp:read' },
      }
    : soundShape(issuer);
/** An ID token as OpenID Connect Core 2 has it: for the client, with no claim that would give it away. */
const idToken = (issuer: Issuer): TokenShape => ({
  header: good(issuer).header,
  claims: {
    iss: issOf(issuer),
    sub: 'ada',
    aud: CLIENT,
    jti: 'ID.x',
    auth_time: 1,
    email: 'ada@tools.example',
    scope: 'mcp:read',
    scp: 'mcp:read',
    ...(issuer === 'keycloak' ? { typ: 'ID', azp: CLIENT } : {}),
  },
});
const decision = async (issuer: Issuer, shape: TokenShape, claims: Claims = {}, header: Claims = {}) =>
  (await decisionOf(fixture, `/dpop/${issuer}`, mint(fixture.as, shape, { cnf, ...claims }, header))).reason;
const aud = 'api://tools';

describe.each(issuers)('of %s, bound to the key of the proof', (issuer) => {
  it('an access token passes', async () => {
    expect(await decision(issuer, good(issuer), { aud })).toBe('ok');
  });
  it.each([
    ['an ID token, by its nonce', { nonce: 'n-1' }],
    ['an ID token, by its at_hash', { at_hash: 'MTIzNDU2Nzg5MDEyMzQ1Ng' }],
    ['an ID token, by its c_hash', { c_hash: 'MTIzNDU2Nzg5MDEyMzQ1Ng' }],
    ['an ID token, by its s_hash', { s_hash: 'MTIzNDU2Nzg5MDEyMzQ1Ng' }],
    ['an ID token that says so', { typ: 'ID' }],
    ['an ID token of Cognito', { token_use: 'id' }],
    ['a refresh token', { typ: 'Refresh' }],
    ['an offline token', { typ: 'Offline' }],
    ['a refresh token of OpenIddict', { token_usage: 'refresh_token' }],
    ['a logout token that says so', { typ: 'Logout' }],
    [
      'a logout token, by its events',
      { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    ],
    ['a security event', { events: {} }],
    ['a token whose typ is no text', { typ: ['Bearer'] }],
    ['a nonce that is null', { nonce: null }],
  ])('%s does not pass, whatever else it has of an access token', async (_, claims) => {
    expect(await decision(issuer, good(issuer), { aud, ...claims })).toBe('token_type_refused');
  });
  it.each(['logout+jwt', 'id+jwt', 'dpop+jwt', 'secevent+jwt', 'token-introspection+jwt', 'jwk+jwt'])(
    'one with typ %s does not pass',
    async (typ) => {
      expect(await decision(issuer, good(issuer), { aud }, { typ })).toBe('token_type_refused');
    },
  );
  it('a plain ID token does not pass, even for an audience that the route takes', async () => {
    const reason = issuer === 'keycloak' ? 'token_type_refused' : 'token_claim_missing';
    for (const audience of [CLIENT, aud, [CLIENT, aud]])
      expect(await decision(issuer, idToken(issuer), { aud: audience })).toBe(reason);
  });
  it.each(['azp', 'appid', 'cid', 'client_id'])(
    'one for its own client, whose id stands in %s, does not pass where the route takes that id',
    async (name) => {
      const token = { aud: CLIENT, [name]: CLIENT };
      // Of Keycloak the claim typ says what a token is, and an access token may be for the client that asked.
      const reason = issuer === 'keycloak' ? 'ok' : 'token_audience_refused';
      expect(await decision(issuer, good(issuer), token)).toBe(reason);
    },
  );
});

describe('bound to nothing', () => {
  it.each(issuers)('no token of %s passes with a proof', async (issuer) => {
    expect(await decision(issuer, good(issuer), { aud, cnf: undefined })).toBe('token_not_bound');
  });
  it.each(issuers)(
    'none of %s passes as Bearer on a mixed route without saying what it is',
    async (issuer) => {
      const bearer = async (claims: Claims) => {
        const token = mint(fixture.as, good(issuer), { aud, ...claims });
        return (await decisionOf(fixture, `/mixed/${issuer}`, token, 'Bearer')).reason;
      };
      expect(await bearer({ typ: undefined })).toBe('token_type_refused');
      expect(await bearer({ typ: 'ID' })).toBe('token_type_refused');
      expect(await bearer({ typ: 'Bearer' })).toBe(issuer === 'keycloak' ? 'ok' : 'token_type_refused');
      expect(await bearer({ typ: 'Bearer', cnf })).toBe('token_bound');
      expect(await bearer({ typ: 'DPoP' })).toBe('token_bound');
    },
  );
});

it('of Keycloak, a token that does not say what it is does not pass', async () => {
  expect(await decision('keycloak', good('keycloak'), { aud, typ: undefined })).toBe('token_type_refused');
});
