/** What the access tokens of known authorization servers look like, and what tells one from their other JWTs. */
import { isDate, isString, isTokenId } from '../checks/claims.js';
import type { JsonObject } from '../checks/strict-json.js';
import type { Issuer, Preset } from '../config/index.js';

interface TokenShape {
  /** Values of the header's `typ` beside `at+jwt`, in lower case; '': it may be absent. */
  readonly types: readonly string[];
  /** Claims that can name the client; the first one that is there does. */
  readonly clientId: readonly string[];
  /**
   * The client stands there, since its claim tells the token from an ID token; else, where `typ` alone does, the
   * client or the subject: some servers name no subject in a token that a client got for itself.
   */
  readonly clientIsRequired: boolean;
  readonly jtiIsRequired: boolean;
  readonly scopeClaim: 'scope' | 'scp';
  /** Whether the scopes may also be a list of strings. */
  readonly scopesMayBeList: boolean;
  /** Whether every token says in a claim `typ` what it is. */
  readonly saysKind: boolean;
}

const tolerant = { clientIsRequired: true, jtiIsRequired: false, scopesMayBeList: true, saysKind: false };

const SHAPES: Readonly<Record<Preset, TokenShape>> = {
  // RFC 9068 2.1, 2.2.
  generic: {
    types: [],
    clientId: ['client_id'],
    clientIsRequired: true,
    jtiIsRequired: true,
    scopeClaim: 'scope',
    scopesMayBeList: false,
    saysKind: false,
  },
  // RFC 9068 2.1: what only names things may be absent, or have another server's name.
  typed: {
    ...tolerant,
    types: [],
    clientId: ['client_id', 'azp', 'cid', 'appid'],
    clientIsRequired: false,
    scopeClaim: 'scope',
  },
  keycloak: {
    ...tolerant,
    types: ['jwt'],
    clientId: ['azp', 'client_id'],
    scopeClaim: 'scope',
    saysKind: true,
  },
  // Version 1.0 has appid, version 2.0 azp; ID tokens have neither.
  entra: { ...tolerant, types: ['jwt'], clientId: ['azp', 'appid'], scopeClaim: 'scp' },
  // ID tokens have no cid.
  okta: { ...tolerant, types: ['', 'jwt'], clientId: ['cid'], scopeClaim: 'scp' },
  // The profile "Auth0" has azp and typ JWT, the profile "RFC 9068" client_id and typ at+jwt.
  auth0: { ...tolerant, types: ['jwt'], clientId: ['azp', 'client_id'], scopeClaim: 'scope' },
};

/** RFC 9068 2.1: with and without the media type's prefix. */
const ACCESS_TYPES = ['at+jwt', 'application/at+jwt'];
/**
 * RFC 8725 3.11, RFC 7515 4.1.9: a type that is written so names a use of JWT: logout, a proof, a grant, a credential,
 * which may be an SD-JWT (RFC 9901). `legacyTyp` lets none of them pass.
 */
const NAMES_USE = /\+(sd-)?jwt$/i;
/**
 * Claims of ID tokens (OpenID Connect Core 2, 3.3.2.11; FAPI), and of logout tokens and other security events
 * (OpenID Connect Back-Channel Logout 2.4, RFC 8417 2.2), which access tokens have not.
 */
const FOREIGN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'];
/**
 * What authorization servers call an access token in claims and in answers to introspection: Hydra, Cognito and
 * OpenIddict, Keycloak.
 */
const KINDS: readonly (readonly [member: string, names: readonly string[]])[] = [
  ['token_use', ['access_token', 'access']],
  ['token_usage', ['access_token']],
  ['typ', ['bearer', 'dpop', ...ACCESS_TYPES]],
];

/** The member of `said` by which it is no access token, if it has one. */
export const foreignKind = (said: JsonObject): string | undefined =>
  KINDS.find(([member, names]) => {
    const value = said[member];
    return value !== undefined && !(typeof value === 'string' && names.includes(value.toLowerCase()));
  })?.[0];

/** What a JWT says of its use: its header's `typ` and its claims. */
export interface JwtUse {
  readonly typ: unknown;
  readonly claims: JsonObject;
}

/** RFC 9068 2.1: the header says that it is an access token. */
const isTyped = (typ: unknown): boolean =>
  typeof typ === 'string' && ACCESS_TYPES.includes(typ.toLowerCase());

/** Why a JWT is no access token of such an issuer; `undefined`: it may be one. */
export function kindProblem(
  { typ, claims }: JwtUse,
  { preset, legacyTyp }: Pick<Issuer, 'preset' | 'legacyTyp'>,
): string | undefined {
  if (isTyped(typ)) return undefined;
  const { types, saysKind } = SHAPES[preset];
  if (!typeFits(typ, types, legacyTyp)) return `typ must be ${typesOf(types)}`;
  const foreign = foreignKind(claims);
  if (foreign !== undefined) return `the claim ${foreign} says that it is no access token`;
  if (saysKind && claims.typ === undefined) return 'a claim typ must say that it is an access token';
  const claim = FOREIGN_CLAIMS.find((name) => claims[name] !== undefined);
  return claim === undefined ? undefined : `access tokens have no claim ${claim}, which is one of other JWTs`;
}

const typesOf = (types: readonly string[]): string =>
  ['at+jwt', ...types.map((type) => (type === '' ? 'absent' : type.toUpperCase()))].join(' or ');

function typeFits(typ: unknown, types: readonly string[], legacy: boolean): boolean {
  if (typ === undefined) return legacy || types.includes('');
  if (typeof typ !== 'string' || typ === '') return false;
  return types.includes(typ.toLowerCase()) || (legacy && !NAMES_USE.test(typ));
}

/** An access token as its issuer writes it. */
export interface ReadToken {
  /** Who got it; absent where the token does not say. */
  readonly client: string | undefined;
  readonly scopes: readonly string[];
  /**
   * The issuer says that it is an access token: by `typ`, by a claim, or by its answer to introspection. Of
   * others only their binding and their audience tell.
   */
  readonly isDeclared: boolean;
}

export function readToken({ typ, claims }: JwtUse, preset: Preset): ReadToken {
  const { clientId, scopeClaim, scopesMayBeList, saysKind } = SHAPES[preset];
  return {
    client: clientId.map((name) => claims[name]).find(isString),
    scopes: scopesIn(claims[scopeClaim], scopesMayBeList),
    isDeclared: isTyped(typ) || saysKind,
  };
}

/** RFC 7662 2.2 has names of its own for what it says; it answers for access tokens (4). */
export const readIntrospection = (said: JsonObject): ReadToken => ({
  client: isString(said.client_id) ? said.client_id : undefined,
  scopes: scopesIn(said.scope, false),
  isDeclared: true,
});

/** RFC 9068 2.2.3, RFC 7662 2.2: a string of scopes with spaces between. */
function scopesIn(value: unknown, mayBeList: boolean): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : value.split(' ');
  return mayBeList && Array.isArray(value) && value.every(isString) ? value : [];
}

/** RFC 9068 2.2: the claims that a token of such an issuer must have. */
export function claimsProblem(claims: JsonObject, preset: Preset): string | undefined {
  const { clientId, clientIsRequired, jtiIsRequired } = SHAPES[preset];
  const hasClient = clientId.some((name) => isString(claims[name]));
  const hasSubject = isString(claims.sub) || (!clientIsRequired && hasClient && claims.sub === undefined);
  const missing = [
    ...['exp', 'iat'].filter((name) => !isDate(claims[name])),
    ...(hasSubject ? [] : ['sub']),
    ...(hasClient || !clientIsRequired ? [] : [clientId.join(' or ')]),
    ...(isTokenId(claims.jti) || (claims.jti === undefined && !jtiIsRequired) ? [] : ['jti']),
  ];
  return missing.length === 0 ? undefined : `lacks ${missing.join(', ')}, or not of its type`;
}

/** Whether a value is the id of the client, by any claim that has it at one of these servers. */
export const isClient = (value: string, { client_id, azp, cid, appid }: JsonObject): boolean =>
  [client_id, azp, cid, appid].includes(value);

/** The presets under which the token is one, has the required claims, and has the scopes. */
export const presetsThatTake = (use: JwtUse, scopes: readonly string[]): readonly Preset[] =>
  (Object.keys(SHAPES) as Preset[]).filter((preset) => {
    if (kindProblem(use, { preset, legacyTyp: false }) !== undefined) return false;
    if (claimsProblem(use.claims, preset) !== undefined) return false;
    const has = readToken(use, preset).scopes;
    return scopes.every((scope) => has.includes(scope));
  });
