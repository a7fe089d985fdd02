import { checkFields, Fields } from '../support/fields';
import { Kind } from '../support/kinds';
import { refuse } from '../support/text';
import {
  AccessTokenOptions,
  DpopOptions,
  IssuerPreset,
  MtlsOptions,
  SelfSignedOptions,
} from './auth-profile-options';
import { DPOP, MTLS, SELF_SIGNED } from './auth-profile-shapes';
import * as fields from './config-fields';

/** How a caller proves that it holds the key. */
export class AuthProfile {
  /**
   * An access token bound to a key (`cnf.jkt`) and a fresh proof by that key for this method and URI, each used once.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9449
   */
  public static dpop(options: DpopOptions = {}): AuthProfile {
    return new AuthProfile('dpop', checkedOptions(options, DPOP, fields.DPOP, fields.DPOP_NONCE), {
      dpop: options,
    });
  }

  /**
   * As `dpop`, and tokens that are bound to nothing pass as Bearer. WEAKENS the route, for the time of a
   * migration: who steals an unbound token can use it. A bound token never passes as Bearer. Refused on a
   * SecretsRoute.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9449#section-7.2
   */
  public static mixed(options: DpopOptions = {}): AuthProfile {
    return new AuthProfile('mixed', checkedOptions(options, DPOP, fields.MIXED, fields.MIXED_NONCE), {
      dpop: options,
    });
  }

  /**
   * An access token bound to the client's TLS certificate (`cnf.x5t#S256`). The token may be used again: the
   * handshake is the proof.
   *
   * @see https://www.rfc-editor.org/rfc/rfc8705#section-3
   */
  public static mtls(options: MtlsOptions = {}): AuthProfile {
    return new AuthProfile('mtls', checkedOptions(options, MTLS, fields.MTLS), { mtls: options });
  }

  /**
   * One token per request, signed by the client itself, with `htm`, `htu` and a `jti` that is accepted once.
   * For clients without an authorization server. Not RFC 9449: whoever holds the key in the JWKS is the issuer.
   */
  public static selfSigned(options: SelfSignedOptions = {}): AuthProfile {
    return new AuthProfile('selfSigned', checkedOptions(options, SELF_SIGNED, fields.SELF_SIGNED), {
      selfSigned: options,
    });
  }

  /** @internal */
  public readonly _profile: 'dpop' | 'mixed' | 'mtls' | 'selfSigned';

  /** @internal what `selfSigned` has none of is undefined there */
  public readonly _common: AccessTokenOptions;

  /** @internal */
  public readonly _dpop?: DpopOptions;

  /** @internal */
  public readonly _mtls?: MtlsOptions;

  /** @internal */
  public readonly _selfSigned?: SelfSignedOptions;

  private constructor(
    profile: 'dpop' | 'mixed' | 'mtls' | 'selfSigned',
    common: AccessTokenOptions,
    own: { dpop?: DpopOptions; mtls?: MtlsOptions; selfSigned?: SelfSignedOptions },
  ) {
    this._profile = profile;
    this._common = common;
    this._dpop = own.dpop;
    this._mtls = own.mtls;
    this._selfSigned = own.selfSigned;
  }
}

/** The kind of every option, then each value by itself. */
function checkedOptions<T extends AccessTokenOptions & Pick<DpopOptions, 'nonce'>>(
  options: T,
  kind: Kind<T>,
  own: Fields<object>,
  ofNonce?: Fields<object>,
): T {
  kind.check('auth', options);
  const { introspection, nonce } = options;
  for (const group of [own, fields.ISSUER, fields.AUDIENCE]) checkFields('auth', options, group);
  if (introspection !== undefined) checkFields('auth.introspection', introspection, fields.INTROSPECTION);
  if (nonce !== undefined && ofNonce !== undefined) checkFields('auth.nonce', nonce, ofNonce);
  checkPreset(options);
  return options;
}

function checkPreset({ issuerPreset = IssuerPreset.GENERIC, legacyTyp }: AccessTokenOptions): void {
  if (!legacyTyp || issuerPreset === IssuerPreset.GENERIC) return;
  refuse({
    where: 'auth.legacyTyp',
    want: `must not go with issuerPreset "${issuerPreset}", which says which typ its tokens have`,
    got: legacyTyp,
    next: 'leave legacyTyp out',
  });
}
