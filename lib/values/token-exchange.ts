import { Duration } from 'cdk8s';
import { CaBundle } from './ca-bundle';
import { Peer } from './peer';
import { SecretSource } from './secret-source';

/**
 * How a caller's token becomes one of the backend's, at the authorization server. Name the backend by
 * `audience` or by `resource`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8693
 */
export interface TokenExchange {
  /** The server's token endpoint. */
  readonly url: string;

  /**
   * Who answers there; the NetworkPolicy lets the gateway reach nobody else for this.
   *
   * @default - who answers there is reached through the gateway's `egressProxy`
   */
  readonly peer?: Peer;

  /** Client id that the gateway authenticates with. */
  readonly clientId: string;

  /** Client secret, as a mounted file. */
  readonly clientSecret: SecretSource;

  /**
   * Logical name of the backend.
   *
   * @default - `resource` names it
   */
  readonly audience?: string;

  /**
   * URI of the backend.
   *
   * @default - `audience` names it
   */
  readonly resource?: string;

  /**
   * Scopes to ask for.
   *
   * @default - none: what the server gives
   */
  readonly scopes?: string[];

  /**
   * Certificates that the server is verified against.
   *
   * @default - Node's own roots
   */
  readonly ca?: CaBundle;

  /**
   * Patience with one exchange; 100 milliseconds to 60 seconds. After it the request is refused with 503.
   *
   * @default Duration.seconds(2)
   */
  readonly timeout?: Duration;

  /**
   * Exchanged tokens that are kept, each until it expires; 1 to 1 000 000.
   *
   * @default 10000
   */
  readonly maxEntries?: number;
}
