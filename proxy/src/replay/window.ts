import type { Route } from '../config/index.js';

/** For how long after it was made some route takes a proof. */
export function longestWindowSeconds(routes: readonly Pick<Route, 'auth'>[]): number {
  return Math.max(0, ...routes.map(({ auth }) => windowSeconds(auth)));
}

function windowSeconds(auth: Route['auth']): number {
  switch (auth.profile) {
    case 'selfSigned':
      return auth.maxTokenAgeSeconds;
    case 'mtls':
      return 0;
    default:
      return auth.nonce?.timeFromNonce === true ? auth.nonce.lifetimeSeconds : auth.proofMaxAgeSeconds;
  }
}
