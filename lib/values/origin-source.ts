/** What an `htu` must start with. */
export enum OriginSource {
  /** One of the gateway's `publicOrigins`. */
  CONFIG = 'config',
  /** The one of `publicOrigins` that the `forwardedHeader` of one of the `trustedPeers` names; any other is refused. */
  FORWARDED = 'forwarded',
}
