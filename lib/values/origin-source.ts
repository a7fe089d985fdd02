/** What an `htu` must start with. */
export enum OriginSource {
  /** One of the gateway's `publicOrigins`. */
  CONFIG = 'config',
  /**
   * The one of `publicOrigins` that X-Forwarded-Proto and X-Forwarded-Host of one of the `trustedPeers` name;
   * any other is refused.
   */
  FORWARDED = 'forwarded',
}
