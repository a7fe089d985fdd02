/** In which field `trustedPeers` say for whom they speak. The other one is not read. */
export enum ForwardedHeader {
  /** X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host. */
  X_FORWARDED = 'x-forwarded',
  /** The one of RFC 7239, with `for`, `proto` and `host`. */
  FORWARDED = 'forwarded',
}
