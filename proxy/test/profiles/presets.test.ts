/** The access tokens of known providers: each passes under its preset, and a refusal names the presets that fit. */
import { ORIGIN, type GatewayFixture } from '../support/gateway.js';
import { accessToken } from '../support/mint.js';
import { cnf, LEGACY, startProviderFixture, decisionOf } from '../support/provider-fixture.js';
import {
  mint,
  PROVIDERS,
  SHAPES,
  soundShape,
  TYPED_SHAPES,
  type Provider,
  type TokenShape,
} from '../support/provider-tokens.js';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startProviderFixture();
});
afterAll(() => fixture.stop());

const aud = (path: string) => ORIGIN + path;
const cases = PROVIDERS.flatMap((provider) =>
  Object.entries(SHAPES[provider]).map(([name, shape]) => [provider, name, shape] as const),
);
const sound = (provider: Provider, claims: Record<string, unknown>, header?: Record<string, unknown>) =>
  mint(fixture.as, soundShape(provider), { cnf, aud: 'api://tools', ...claims }, header);

describe('an access token of a provider', () => {
  it.each(cases)('%s, %s: passes under its preset', async (provider, _, shape) => {
    const path = `/dpop/${provider}`;
    for (const audience of ['api://tools', aud(path), ['account', aud(path)]]) {
      const token = mint(fixture.as, shape(), { cnf, aud: audience });
      expect(await decisionOf(fixture, path, token)).toMatchObject({ reason: 'ok' });
    }
  });
  it.each(cases)('%s, %s: is refused under generic, which names the preset', async (provider, _, shape) => {
    const token = mint(fixture.as, shape(), { cnf, aud: 'api://tools', iss: 'https://as.example' });
    const { reason, detail, answer } = await decisionOf(fixture, '/dpop/generic', token);
    const { typ } = shape().header;
    // What Auth0 calls its profile RFC 9068 is one.
    if (provider === 'auth0' && typ === 'at+jwt') return expect(reason).toBe('ok');
    expect(reason).toBe(typ === 'at+jwt' ? 'token_claim_missing' : 'token_type_refused');
    expect(detail).toMatch(new RegExp(`; preset .*\\b${provider}\\b.* of issuer generic would take it$`));
    expect(answer.text + JSON.stringify(answer.headers)).not.toMatch(/preset|keycloak|entra|okta|auth0/i);
  });
  it.each(PROVIDERS)('%s: must have who, for whom and until when', async (provider) => {
    const path = `/dpop/${provider}`;
    for (const name of ['exp', 'iat', 'sub'])
      expect(await decisionOf(fixture, path, sound(provider, { [name]: undefined }))).toMatchObject({
        reason: 'token_claim_missing',
        detail: `lacks ${name}, or not of its type`,
      });
    const nobody = { client_id: undefined, azp: undefined, cid: undefined, appid: undefined };
    expect((await decisionOf(fixture, path, sound(provider, nobody))).reason).toBe('token_claim_missing');
  });
  it.each(PROVIDERS)('%s: need not have a jti, but not one that is none', async (provider) => {
    const path = `/dpop/${provider}`;
    expect((await decisionOf(fixture, path, sound(provider, { jti: undefined }))).reason).toBe('ok');
    for (const jti of [7, '', null, 'a'.repeat(257)])
      expect((await decisionOf(fixture, path, sound(provider, { jti }))).reason).toBe('token_claim_missing');
  });
});

describe('an access token of a server without a preset, of typ at+jwt', () => {
  const decided = (shape: TokenShape, path = '/dpop/typed', claims: Record<string, unknown> = {}) =>
    decisionOf(fixture, path, mint(fixture.as, shape, { cnf, aud: 'api://tools', ...claims }));
  it.each(Object.entries(TYPED_SHAPES))('%s: passes under typed', async (_, shape) => {
    expect((await decided(shape)).reason).toBe('ok');
    const { typ: _typ, ...header } = shape.header;
    for (const typ of [{}, { typ: 'JWT' }])
      expect((await decided({ ...shape, header: { ...header, ...typ } })).reason).toBe('token_type_refused');
  });
  it.each(Object.entries(TYPED_SHAPES))(
    '%s: is refused under generic, which names typed',
    async (_, shape) => {
      const { reason, detail } = await decided(shape, '/dpop/generic', { iss: 'https://as.example' });
      expect(['token_claim_missing', 'scope_insufficient']).toContain(reason);
      expect(detail).toMatch(/; preset typed\b.* of issuer generic would take it$/);
    },
  );
  it('names a subject, or at least a client', async () => {
    const shape = TYPED_SHAPES['PingOne, client credentials']!;
    const refused = { reason: 'token_claim_missing', detail: 'lacks sub, or not of its type' };
    expect(await decided(shape, '/dpop/typed', { client_id: undefined })).toMatchObject(refused);
    for (const sub of [7, null, ''])
      expect(await decided(shape, '/dpop/typed', { sub })).toMatchObject(refused);
  });
});

describe('scopes', () => {
  const scopes = (provider: Provider, claims: Record<string, unknown>) =>
    decisionOf(
      fixture,
      `/dpop/${provider}`,
      sound(provider, { scope: undefined, scp: undefined, ...claims }),
    );
  it.each<[Provider, 'scope' | 'scp']>([
    ['keycloak', 'scope'],
    ['auth0', 'scope'],
    ['entra', 'scp'],
    ['okta', 'scp'],
  ])('of %s stand in %s, as a string or a list, and nowhere else', async (provider, claim) => {
    for (const value of ['mcp:read', 'a mcp:read', ['a', 'mcp:read']])
      expect((await scopes(provider, { [claim]: value })).reason).toBe('ok');
    for (const value of [
      undefined,
      'mcp:reader',
      ['mcp:reader'],
      ['a mcp:read'],
      ['mcp:read', 7],
      { 0: 'mcp:read' },
    ])
      expect((await scopes(provider, { [claim]: value })).reason).toBe('scope_insufficient');
    const other = claim === 'scope' ? 'scp' : 'scope';
    expect((await scopes(provider, { [other]: 'mcp:read' })).reason).toBe('scope_insufficient');
  });
  it('are not the roles of Entra, which are given to users too', async () => {
    expect((await scopes('entra', { roles: ['mcp:read'] })).reason).toBe('scope_insufficient');
  });
  it('that another preset would have read are said to be there', async () => {
    const entra = mint(fixture.as, soundShape('entra'), {
      cnf,
      aud: 'api://tools',
      iss: 'https://tools.eu.auth0.com/',
    });
    expect(await decisionOf(fixture, '/dpop/auth0', entra)).toMatchObject({
      reason: 'scope_insufficient',
      detail: 'lacks mcp:read; preset entra of issuer auth0 would take it',
    });
  });
  it('of generic are one string', async () => {
    const token = accessToken(fixture.as, { cnf, aud: 'api://tools', scope: ['mcp:read'] });
    expect((await decisionOf(fixture, '/dpop/generic', token)).reason).toBe('scope_insufficient');
  });
});

describe('typ', () => {
  it.each<[Provider, readonly unknown[], readonly unknown[]]>([
    ['keycloak', ['JWT', 'jwt', 'at+jwt', 'application/at+jwt'], [undefined, '', 7, null, 'foo', 'JOSE']],
    ['entra', ['JWT', 'at+jwt'], [undefined, '', 7, 'foo']],
    ['auth0', ['JWT', 'at+jwt'], [undefined, '', 7, 'foo']],
    ['okta', [undefined, 'JWT', 'at+jwt'], ['', 7, null, 'foo', 'application/okta-internal-at+jwt']],
  ])('of %s is one that it writes', async (provider, good, bad) => {
    for (const typ of good)
      expect([
        typ,
        (await decisionOf(fixture, `/dpop/${provider}`, sound(provider, {}, { typ }))).reason,
      ]).toEqual([typ, 'ok']);
    for (const typ of bad)
      expect([
        typ,
        (await decisionOf(fixture, `/dpop/${provider}`, sound(provider, {}, { typ }))).reason,
      ]).toEqual([typ, 'token_type_refused']);
  });
  it('with legacyTyp is any, or none, that is of no other use', async () => {
    const legacy = (typ: unknown) =>
      accessToken(fixture.as, { cnf, iss: LEGACY, aud: 'api://tools', scope: 'mcp:read' }, { typ });
    for (const typ of [undefined, 'JWT', 'foo', 'at+jwt'])
      expect((await decisionOf(fixture, '/dpop/legacy', legacy(typ))).reason).toBe('ok');
    // Of other uses, some of which an issuer signs with the key of its access tokens.
    const others = [
      'id',
      'logout',
      'dpop',
      'application/logout',
      'oauth-id-jag',
      'oauth-authz-req',
      'kb',
      'Secevent',
    ];
    for (const typ of ['', 7, ...others.map((use) => `${use}+jwt`), 'dc+sd-jwt', 'vc+SD-JWT'])
      expect((await decisionOf(fixture, '/dpop/legacy', legacy(typ))).reason).toBe('token_type_refused');
  });
});
