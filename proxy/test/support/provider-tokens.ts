/**
 * Access tokens as providers write them, made by us from their public documentation: the claims that it
 * names, with values of ours. They are bound to a key where `cnf` is given.
 */
import { randomUUID } from 'node:crypto';
import { jws, seconds, type Pair } from './mint.js';

export type Provider = 'keycloak' | 'entra' | 'okta' | 'auth0';
type Claims = Record<string, unknown>;

/** Header without alg and kid, and claims without times, audience and binding. */
export interface TokenShape {
  readonly header: Claims;
  readonly claims: Claims;
}

export const ISSUERS: Readonly<Record<Provider, string>> = {
  keycloak: 'https://sso.example/realms/tools',
  entra: 'https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0',
  okta: 'https://tools.okta.com/oauth2/default',
  auth0: 'https://tools.eu.auth0.com/',
};
/** The client that all of them are for. */
export const CLIENT = 'agent';
const TENANT = 'aaaabbbb-0000-cccc-1111-dddd2222eeee';

const keycloak = (): Claims => ({
  jti: `trrtcc:${randomUUID()}`,
  iss: ISSUERS.keycloak,
  sub: randomUUID(),
  typ: 'DPoP',
  azp: CLIENT,
  acr: '1',
  realm_access: { roles: ['offline_access', 'uma_authorization'] },
  resource_access: { account: { roles: ['view-profile'] } },
  scope: 'email mcp:read profile',
  email_verified: false,
  clientHost: '10.0.0.7',
  preferred_username: 'service-account-agent',
  clientAddress: '10.0.0.7',
  client_id: CLIENT,
});
const keycloakOfUser = (): Claims => ({
  jti: `onrtac:${randomUUID()}`,
  iss: ISSUERS.keycloak,
  sub: randomUUID(),
  typ: 'DPoP',
  azp: CLIENT,
  sid: randomUUID(),
  auth_time: seconds() - 5,
  'allowed-origins': ['https://app.example'],
  scope: 'openid mcp:read profile',
  preferred_username: 'ada',
});
const entra = (): Claims => ({
  iss: ISSUERS.entra,
  aio: 'E2ZgYPi-jvOq',
  name: 'Ada',
  oid: randomUUID(),
  preferred_username: 'ada@tools.example',
  rh: '0.AAAA.',
  scp: 'mcp:read mcp:write',
  sub: 'pairwise-AAAA',
  tid: TENANT,
  uti: 'bVJNAAAA',
});
const okta = (): Claims => ({
  ver: 1,
  jti: `AT.${randomUUID()}`,
  iss: ISSUERS.okta,
  cid: CLIENT,
  uid: '00u1AAAA',
  scp: ['openid', 'mcp:read'],
  auth_time: seconds() - 5,
  sub: 'ada@tools.example',
});
const auth0 = (): Claims => ({
  iss: ISSUERS.auth0,
  sub: `${CLIENT}@clients`,
  scope: 'mcp:read',
});

/** Every shape that has the scope `mcp:read`, by what the provider's documentation calls it. */
export const SHAPES: Readonly<Record<Provider, Readonly<Record<string, () => TokenShape>>>> = {
  keycloak: {
    'client credentials': () => ({ header: { typ: 'JWT' }, claims: keycloak() }),
    'authorization code': () => ({ header: { typ: 'JWT' }, claims: keycloakOfUser() }),
    'a client that has typ at+jwt switched on': () => ({
      header: { typ: 'at+jwt' },
      claims: keycloakOfUser(),
    }),
  },
  entra: {
    'version 2.0': () => ({
      header: { typ: 'JWT' },
      claims: { ...entra(), azp: CLIENT, azpacr: '1', ver: '2.0' },
    }),
    'version 1.0': () => ({
      header: { typ: 'JWT', x5t: 'AAAA' },
      claims: { ...entra(), appid: CLIENT, appidacr: '1', ver: '1.0' },
    }),
  },
  okta: {
    'custom authorization server': () => ({ header: {}, claims: okta() }),
    'the same with typ JWT': () => ({ header: { typ: 'JWT' }, claims: okta() }),
  },
  auth0: {
    'profile Auth0': () => ({
      header: { typ: 'JWT' },
      claims: { ...auth0(), azp: CLIENT, gty: 'client-credentials' },
    }),
    'profile RFC 9068': () => ({
      header: { typ: 'at+jwt' },
      claims: { ...auth0(), client_id: CLIENT, jti: '73WakrfVbNJBaAmhQtEeDv' },
    }),
  },
};

/** Of servers without a preset of their own, whose tokens have `typ: at+jwt`: what the preset `typed` is for. */
export const TYPED = 'https://typed.example';
const typed = { iss: TYPED, client_id: CLIENT };
export const TYPED_SHAPES: Readonly<Record<string, TokenShape>> = {
  'Duende IdentityServer, for a user': {
    header: { typ: 'at+jwt' },
    claims: { ...typed, sub: 'ada', jti: 'A1', scope: ['openid', 'mcp:read'], sid: 'B2', idp: 'local' },
  },
  'Duende IdentityServer, client credentials': {
    header: { typ: 'at+jwt' },
    claims: { ...typed, jti: 'A1', scope: ['mcp:read'] },
  },
  'PingOne, client credentials': {
    header: { typ: 'at+jwt' },
    claims: { ...typed, scope: 'mcp:read' },
  },
  'Spring Authorization Server, typ set by a customizer': {
    header: { typ: 'at+jwt' },
    claims: { iss: TYPED, sub: CLIENT, jti: 'A1', scope: ['mcp:read'], nbf: seconds() },
  },
};
export const PROVIDERS = Object.keys(SHAPES) as Provider[];
export const soundShape = (provider: Provider): TokenShape => Object.values(SHAPES[provider])[0]!();

/** Signs a shape; `undefined` in `claims` or `header` removes a member. */
export const mint = (as: Pair, shape: TokenShape, claims: Claims = {}, header: Claims = {}): string =>
  jws(
    defined({ alg: 'RS256', kid: 'as-1', ...shape.header, ...header }),
    defined({ iat: seconds(), exp: seconds() + 300, ...shape.claims, ...claims }),
    as.privateKey,
  );
const defined = (members: Claims): Claims =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
