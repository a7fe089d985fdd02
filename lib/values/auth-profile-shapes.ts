/** The props of authentication profiles, and the kind of each. */
import {
  DURATION,
  FLAG,
  instanceOf,
  listOf,
  NUMBER,
  oneOf,
  optional,
  Shape,
  struct,
  TEXT,
} from '../support/kinds';
import {
  AccessTokenOptions,
  AuthMode,
  AuthProfileOptions,
  CertificateSource,
  DpopOptions,
  IntrospectionOptions,
  IssuerPreset,
  MtlsOptions,
  NonceOptions,
  SelfSignedOptions,
  SigningAlgorithm,
} from './auth-profile-options';
import { CaBundle } from './ca-bundle';
import { JwksSource } from './jwks-source';
import { Peer } from './peer';
import { SecretSource } from './secret-source';

const COMMON: Shape<AuthProfileOptions> = {
  issuer: optional(TEXT),
  jwks: optional(instanceOf(JwksSource)),
  audience: optional(TEXT),
  mode: optional(oneOf(AuthMode)),
  clockSkew: optional(DURATION),
};

const INTROSPECTION: Shape<IntrospectionOptions> = {
  url: TEXT,
  peer: optional(instanceOf(Peer)),
  clientId: TEXT,
  clientSecret: instanceOf(SecretSource),
  ca: optional(instanceOf(CaBundle)),
  timeout: optional(DURATION),
  cache: optional(DURATION),
  maxEntries: optional(NUMBER),
  always: optional(FLAG),
};

const ACCESS_TOKEN: Shape<AccessTokenOptions> = {
  ...COMMON,
  requiredScopes: optional(listOf(TEXT)),
  issuerPreset: optional(oneOf(IssuerPreset)),
  legacyTyp: optional(FLAG),
  introspection: optional(struct('IntrospectionOptions', INTROSPECTION)),
};

const NONCE: Shape<NonceOptions> = {
  keys: instanceOf(SecretSource),
  lifetime: optional(DURATION),
  timeFromNonce: optional(FLAG),
};

const DPOP_SHAPE: Shape<DpopOptions> = {
  ...ACCESS_TOKEN,
  proofMaxAge: optional(DURATION),
  proofAlgorithms: optional(listOf(oneOf(SigningAlgorithm))),
  strictHtu: optional(FLAG),
  nonce: optional(struct('NonceOptions', NONCE)),
};
export const DPOP = struct('DpopOptions', DPOP_SHAPE);

const MTLS_SHAPE: Shape<MtlsOptions> = {
  ...ACCESS_TOKEN,
  certificateFrom: optional(oneOf(CertificateSource)),
};
export const MTLS = struct('MtlsOptions', MTLS_SHAPE);

const SELF_SIGNED_SHAPE: Shape<SelfSignedOptions> = {
  ...COMMON,
  maxTokenAge: optional(DURATION),
  enforceHtuHtm: optional(FLAG),
  strictHtu: optional(FLAG),
};
export const SELF_SIGNED = struct('SelfSignedOptions', SELF_SIGNED_SHAPE);
