import { CaBundle } from './ca-bundle';
import { Peer } from './peer';
import { SecretSource } from './secret-source';

/**
 * The HTTP proxy through which the gateway's own questions leave the cluster: key sets and metadata of issuers,
 * introspection, token exchange and traces. What of these has a `peer` of its own is asked directly; what has none goes
 * through the proxy, and needs no egress of its own. Backends and Redis never go through it.
 *
 * An https target is reached through a tunnel (CONNECT) and verified as without a proxy; an http one is asked for by
 * its absolute URL, which the proxy reads.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */
export interface EgressProxy {
  /** Scheme, host and port: `http://proxy.example.com:3128`. With https the proxy itself is spoken to by TLS. */
  readonly url: string;

  /** Who answers there; the NetworkPolicy lets the gateway reach it. */
  readonly peer: Peer;

  /**
   * Certificates that an https proxy is verified against.
   *
   * @default - Node's own roots
   */
  readonly ca?: CaBundle;

  /**
   * `user:password` for the proxy, as a mounted file.
   *
   * @default - the proxy asks for none
   * @see https://www.rfc-editor.org/rfc/rfc7617
   */
  readonly credentials?: SecretSource;
}
