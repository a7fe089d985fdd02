import { Duration } from 'cdk8s';
import { CaBundle } from './ca-bundle';
import { JwksSource } from './jwks-source';
import { Peer } from './peer';
import { SecretSource } from './secret-source';

/** What happens to a request whose credentials are missing or wrong. */
export enum AuthMode {
  /** Authenticated or refused. */
  STRICT = 'strict',
  /** WEAKENS the route: a request without credentials passes as anonymous; wrong ones are refused. */
  OPTIONAL = 'optional',
  /** WEAKENS the route: the verdict is audited and nothing is refused. */
  PERMISSIVE = 'permissive',
}

/** Signature algorithms that can be allowed; `none` and HMAC cannot be named (RFC 8725 section 3.1). */
export enum SigningAlgorithm {
  /** ECDSA on P-256. */
  ES256 = 'ES256',
  /** ECDSA on P-384. */
  ES384 = 'ES384',
  /** RSASSA-PSS with SHA-256. */
  PS256 = 'PS256',
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  RS256 = 'RS256',
  /** Edwards curves under their older, polymorphic name. */
  EDDSA = 'EdDSA',
  /** Edwards curve 25519 under its own name. */
  ED25519 = 'Ed25519',
}

/** Which authorization server signs the access tokens of an issuer: what they look like follows from it. */
export enum IssuerPreset {
  /** RFC 9068 to the letter: `typ: at+jwt`, `client_id`, `jti`, `scope` as one string. */
  GENERIC = 'generic',
  /**
   * Any server whose access tokens say `typ: at+jwt`: `jti` and either client or subject may be absent, scopes a string
   * or a list.
   */
  TYPED = 'typed',
  /** Keycloak: also `typ: JWT`, where the claim `typ` is `Bearer` or `DPoP`; the client in `azp`. */
  KEYCLOAK = 'keycloak',
  /** Microsoft Entra ID: also `typ: JWT`; the client in `azp` or `appid`, scopes in `scp`, no `jti`. */
  ENTRA = 'entra',
  /** Okta: also `typ: JWT` or none; the client in `cid`, scopes in `scp`. */
  OKTA = 'okta',
  /** Auth0, in both of its token profiles: also `typ: JWT`; the client in `azp` or `client_id`. */
  AUTH0 = 'auth0',
}

/** What all profiles have. */
export interface AuthProfileOptions {
  /**
   * Exact value of the token's `iss` claim.
   *
   * @default - the gateway's issuer
   */
  readonly issuer?: string;

  /**
   * Keys of this issuer.
   *
   * @default - the gateway's keys
   */
  readonly jwks?: JwksSource;

  /**
   * Value that the token's `aud` claim must have or contain.
   *
   * @default - the gateway's audience
   */
  readonly audience?: string;

  /**
   * What happens to a request without valid credentials.
   *
   * @default AuthMode.STRICT
   */
  readonly mode?: AuthMode;

  /**
   * How far a client's clock may differ; at most 60 seconds.
   *
   * @default - 60 seconds for dpop, 5 seconds for selfSigned
   */
  readonly clockSkew?: Duration;
}

/** How an authorization server is asked about tokens that are not JWTs. */
export interface IntrospectionOptions {
  /** The server's introspection endpoint. */
  readonly url: string;

  /**
   * Who answers there; the NetworkPolicy lets the gateway reach nobody else for this.
   *
   * @default - who answers there is reached through the gateway's `egressProxy`
   */
  readonly peer?: Peer;

  /** Client id that the gateway authenticates with. */
  readonly clientId: string;

  /**
   * Ask about JWTs too, after they verified under the issuer's keys: for issuers that revoke them. One question per
   * token and `cache`; while nobody answers, no token passes.
   *
   * @default false - only about tokens that are not JWTs
   */
  readonly always?: boolean;

  /** Client secret, as a mounted file. */
  readonly clientSecret: SecretSource;

  /**
   * Certificates that the server is verified against.
   *
   * @default - Node's own roots
   */
  readonly ca?: CaBundle;

  /**
   * Patience with one question; 100 milliseconds to 60 seconds. After it the request is refused with 503.
   *
   * @default Duration.seconds(2)
   */
  readonly timeout?: Duration;

  /**
   * An answer is used again this long, and never past the token's `exp`: how long a revoked token may still
   * pass. At most 1 hour.
   *
   * @default Duration.seconds(30)
   */
  readonly cache?: Duration;

  /**
   * Answers kept; 1 to 1 000 000.
   *
   * @default 10000
   */
  readonly maxEntries?: number;
}

/** What profiles with an authorization server have. */
export interface AccessTokenOptions extends AuthProfileOptions {
  /**
   * Scopes that a token must have, all of them.
   *
   * @default - none
   * @see https://www.rfc-editor.org/rfc/rfc6750#section-3.1
   */
  readonly requiredScopes?: string[];

  /**
   * Which authorization server signs the access tokens of this issuer. It changes the names of claims that are
   * read and which `typ` passes; an ID, refresh or logout token passes under none.
   *
   * @default IssuerPreset.GENERIC
   * @see https://www.rfc-editor.org/rfc/rfc9068#section-2
   */
  readonly issuerPreset?: IssuerPreset;

  /**
   * Accept bound access tokens of this issuer without `typ: at+jwt`, for servers that have no `issuerPreset`;
   * not beside one. WEAKENS the route: another JWT of the issuer that is bound, and has no claim of another use,
   * then passes as one.
   *
   * @default false
   * @see https://www.rfc-editor.org/rfc/rfc9068#section-2.1
   */
  readonly legacyTyp?: boolean;

  /**
   * Who is asked about tokens of this issuer that are not JWTs.
   *
   * @default - such tokens are refused
   * @see https://www.rfc-editor.org/rfc/rfc7662
   */
  readonly introspection?: IntrospectionOptions;
}

/** Server-provided nonces. */
export interface NonceOptions {
  /**
   * Secrets of at least 32 characters, one a line. The first makes nonces, all are accepted. To rotate, append
   * one, wait until every replica has it, then delete the first.
   */
  readonly keys: SecretSource;

  /**
   * How long a nonce is good; 10 seconds to 1 hour.
   *
   * @default Duration.minutes(5)
   */
  readonly lifetime?: Duration;

  /**
   * Let the nonce alone say when a proof was made, for clients with wrong clocks.
   *
   * @default false
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-11.1
   */
  readonly timeFromNonce?: boolean;
}

/** Options of the RFC 9449 profile. */
export interface DpopOptions extends AccessTokenOptions {
  /**
   * A proof older than this is refused; 1 second to 1 hour.
   *
   * @default Duration.minutes(5)
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-4.3
   */
  readonly proofMaxAge?: Duration;

  /**
   * Algorithms accepted for the proof; also what the challenge offers.
   *
   * @default - ES256, ES384, PS256, EdDSA, Ed25519, RS256
   */
  readonly proofAlgorithms?: SigningAlgorithm[];

  /**
   * Refuse an `htu` that carries a query or a fragment instead of ignoring them.
   *
   * @default false
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-4.2
   */
  readonly strictHtu?: boolean;

  /**
   * Require a nonce of ours in every proof: a proof made in advance, on a device that was taken over for a
   * while, is then worthless.
   *
   * @default - no nonces
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-9
   */
  readonly nonce?: NonceOptions;
}

/** Where the client's certificate is seen. */
export enum CertificateSource {
  /** On the connection itself, which the gateway ends with `tlsSecretName`. */
  TLS = 'tls',
  /** In `Client-Cert` of one of the gateway's `trustedPeers`, which ends TLS. */
  HEADER = 'header',
  /**
   * In `X-Forwarded-Client-Cert` of one of the gateway's `trustedPeers`, as Envoy writes it with `SANITIZE_SET`: one
   * element with `Hash` or `Cert`. One of several is refused: it may be the client's own.
   */
  XFCC = 'xfcc',
}

/** Options of the RFC 8705 profile. */
export interface MtlsOptions extends AccessTokenOptions {
  /**
   * Where the client's certificate is seen.
   *
   * @default CertificateSource.TLS
   * @see https://www.rfc-editor.org/rfc/rfc9440
   */
  readonly certificateFrom?: CertificateSource;
}

/** Options of the profile of the reference architecture. */
export interface SelfSignedOptions extends AuthProfileOptions {
  /**
   * Bound on the age and on the lifetime of a token; 1 second to 1 hour.
   *
   * @default Duration.minutes(5)
   */
  readonly maxTokenAge?: Duration;

  /**
   * Require that `htu` and `htm` name this request. `false` WEAKENS the route: a token is then good for any
   * method and path. Refused on a SecretsRoute.
   *
   * @default true
   */
  readonly enforceHtuHtm?: boolean;

  /**
   * Refuse an `htu` that carries a query or a fragment instead of ignoring them.
   *
   * @default false
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-4.2
   */
  readonly strictHtu?: boolean;
}
