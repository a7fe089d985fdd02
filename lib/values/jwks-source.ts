import { readFileSync } from 'node:fs';
import { Duration } from 'cdk8s';
import { checkFields } from '../support/fields';
import { DURATION, instanceOf, optional, Shape, struct } from '../support/kinds';
import { checkKey, checkObjectName, checkText, refuse } from '../support/text';
import { CaBundle } from './ca-bundle';
import { JWKS_DISCOVERY, JWKS_URL } from './config-fields';
import { canonicalJwks } from './key-set';
import { Peer } from './peer';

/** How a key set is fetched. */
export interface JwksUrlOptions {
  /**
   * Who answers the URL, and has the issuer's keys; the NetworkPolicy lets the gateway reach nobody else for keys.
   *
   * @default - who answers there is reached through the gateway's `egressProxy`
   */
  readonly peer?: Peer;

  /**
   * Certificates that the server is verified against.
   *
   * @default - Node's own roots
   */
  readonly ca?: CaBundle;

  /**
   * A set is used this long before it is fetched again; 30 seconds to 1 day.
   *
   * @default Duration.minutes(10)
   */
  readonly refresh?: Duration;

  /**
   * At most one fetch per this time, whatever key ids the callers send; 1 second to 1 hour.
   *
   * @default Duration.seconds(30)
   */
  readonly cooldown?: Duration;

  /**
   * A set that cannot be refreshed stays in use this long; at most 7 days.
   *
   * @default Duration.days(1)
   */
  readonly maxStale?: Duration;

  /**
   * Patience with one fetch; 100 milliseconds to 60 seconds.
   *
   * @default Duration.seconds(5)
   */
  readonly timeout?: Duration;
}

const SHAPE: Shape<JwksUrlOptions> = {
  peer: optional(instanceOf(Peer)),
  ca: optional(instanceOf(CaBundle)),
  refresh: optional(DURATION),
  cooldown: optional(DURATION),
  maxStale: optional(DURATION),
  timeout: optional(DURATION),
};
const OPTIONS = struct('JwksUrlOptions', SHAPE);

const HOW_TO_MAKE_ONE = [
  'download what the jwks_uri of your issuer answers, or make one to try:',
  '"npx agw keys generate --out private.pem --public public.pem" and then',
  '"npx agw jwks create --key public.pem --kid my-key-1 --out jwks.json"',
].join(' ');

/**
 * Where the public keys of an issuer come from. Private keys have no way in: a set that holds one is refused at synth.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7517
 */
export class JwksSource {
  /** A JWKS file on disk, read at synth; a rotated key is a new ConfigMap and so a rollout. */
  public static fromFile(path: string): JwksSource {
    // A number would be read as a file descriptor.
    checkText('jwks', path);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const next = code === 'ENOENT' ? `it is not there; ${HOW_TO_MAKE_ONE}` : message;
      return refuse({ where: 'jwks', want: 'must be a readable file', got: path, next });
    }
    return new JwksSource({ inline: canonicalJwks(path, text) });
  }

  /** A JWKS as JSON text. */
  public static inline(json: string): JwksSource {
    if (typeof json !== 'string') {
      refuse({
        where: 'jwks',
        want: 'must be a string',
        got: typeof json,
        next: 'JSON.stringify the key set',
      });
    }
    return new JwksSource({ inline: canonicalJwks('jwks', json) });
  }

  /** The issuer's own `jwks_uri`, fetched and cached by the proxy. */
  public static fromUrl(url: string, options: JwksUrlOptions): JwksSource {
    checkText('jwks.url', url);
    OPTIONS.check('jwks', options);
    checkFields('jwks', { url, ...options }, JWKS_URL);
    return new JwksSource({ url, options });
  }

  /**
   * The key set that the issuer's own metadata names (RFC 8414, else OpenID Connect Discovery), looked up anew with
   * each refresh. Metadata of another issuer is not used: the names are compared exactly.
   *
   * @param issuer exact `iss` of its tokens, an http(s) URL; the profile must name the same issuer
   * @see https://www.rfc-editor.org/rfc/rfc8414
   */
  public static discover(issuer: string, options: JwksUrlOptions): JwksSource {
    checkText('jwks.issuer', issuer);
    OPTIONS.check('jwks', options);
    checkFields('jwks', { url: issuer }, JWKS_URL);
    checkFields('jwks', { ...options }, JWKS_DISCOVERY);
    return new JwksSource({ url: issuer, discover: true, options });
  }

  /** A ConfigMap of the gateway's namespace that somebody else keeps; changes arrive without a restart. */
  public static fromConfigMap(name: string, key: string = 'jwks.json'): JwksSource {
    return new JwksSource({
      object: { kind: 'configMap', name: checkObjectName('jwks.name', name), key: checkKey('jwks.key', key) },
    });
  }

  /** A Secret of the gateway's namespace that somebody else keeps; changes arrive without a restart. */
  public static fromSecret(name: string, key: string = 'jwks.json'): JwksSource {
    return new JwksSource({
      object: { kind: 'secret', name: checkObjectName('jwks.name', name), key: checkKey('jwks.key', key) },
    });
  }

  /** @internal */
  public readonly _choice: JwksChoice;

  private constructor(choice: JwksChoice) {
    this._choice = choice;
  }
}

/** @internal exactly one of `inline`, `url` and `object` is set */
interface JwksChoice {
  readonly inline?: string;
  /** Of the set; with `discover` of the issuer. */
  readonly url?: string;
  readonly discover?: boolean;
  readonly options?: JwksUrlOptions;
  readonly object?: { readonly kind: 'configMap' | 'secret'; readonly name: string; readonly key: string };
}
