import { Duration } from 'cdk8s';
import { JwksSource } from './jwks-source';

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

/** What both profiles have. */
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

  /**
   * Refuse an `htu` that carries a query or a fragment instead of ignoring them.
   *
   * @default false
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-4.2
   */
  readonly strictHtu?: boolean;
}

/** Options of the RFC 9449 profile. */
export interface DpopOptions extends AuthProfileOptions {
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
   * Require that `htu` and `htm` name this request. `false` WEAKENS the route: a token is then good for any method and path.
   *
   * @default true
   */
  readonly enforceHtuHtm?: boolean;
}

/** How a caller proves that it holds the key. */
export class AuthProfile {
  /**
   * An access token bound to a key (`cnf.jkt`) and a fresh proof by that key for this method and URI, each used once.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9449
   */
  public static dpop(options: DpopOptions = {}): AuthProfile {
    return new AuthProfile(options, 'dpop', options);
  }

  /**
   * One token per request, signed by the client itself, with `htm`, `htu` and a `jti` that is accepted once. For clients without
   * an authorization server. Not RFC 9449: whoever holds the key in the JWKS is the issuer.
   */
  public static selfSigned(options: SelfSignedOptions = {}): AuthProfile {
    return new AuthProfile(options, 'selfSigned', undefined, options);
  }

  /** @internal */
  public readonly _profile: 'dpop' | 'selfSigned';

  /** @internal */
  public readonly _common: AuthProfileOptions;

  /** @internal */
  public readonly _dpop?: DpopOptions;

  /** @internal */
  public readonly _selfSigned?: SelfSignedOptions;

  private constructor(common: AuthProfileOptions, profile: 'dpop' | 'selfSigned', dpop?: DpopOptions, selfSigned?: SelfSignedOptions) {
    this._common = common;
    this._profile = profile;
    this._dpop = dpop;
    this._selfSigned = selfSigned;
  }
}
