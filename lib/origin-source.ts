/** What an `htu` must start with. */
export enum OriginSource {
  /** One of the gateway's `publicOrigins`. */
  CONFIG = 'config',
  /** X-Forwarded-Proto and X-Forwarded-Host of one of the `trustedPeers`, which must overwrite what clients send. */
  FORWARDED = 'forwarded',
}
