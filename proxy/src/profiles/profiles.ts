import type { Clock } from '../clock.js';
import type { Config, Route } from '../config/index.js';
import { resourceOf } from '../http/resource.js';
import type { Introspector, KeySource, NonceKeys } from '../keys/key-source.js';
import type { Caller, Routed } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { createAccessTokenCache } from './access-token.js';
import { dpop } from './dpop.js';
import type { TrustedIssuer } from './issuers.js';
import { mtls } from './mtls.js';
import { createNonces } from './nonces.js';
import { createProofHeaderCache, type RefuseLimited } from './proof.js';
import { selfSigned } from './self-signed.js';
import type { Verify } from './verify-queue.js';

export interface Trust {
  /** By issuer name. */
  readonly keys: ReadonlyMap<string, KeySource>;
  readonly introspectors: ReadonlyMap<string, Introspector>;
  /** By file. */
  readonly nonceKeys: ReadonlyMap<string, NonceKeys>;
  readonly clock: Clock;
  readonly verify: Verify;
  readonly refuseLimited: RefuseLimited;
}

/** The profile of every route, made once. */
export function createProfiles(
  config: Config,
  { keys, introspectors, nonceKeys, clock, verify, refuseLimited }: Trust,
): (route: Route) => Stage<Routed, Caller> {
  const trusted = new Map<string, TrustedIssuer>(
    config.issuers.map((issuer) => [
      issuer.name,
      { issuer, keys: keys.get(issuer.name)!, introspector: introspectors.get(issuer.name) },
    ]),
  );
  const headerCache = createProofHeaderCache();
  const cache = createAccessTokenCache();
  const profileOf = (route: Route): Stage<Routed, Caller> => {
    const { auth } = route;
    const common = { clock, issuers: auth.issuers.map((name) => trusted.get(name)!) };
    if (auth.profile === 'selfSigned') return selfSigned({ ...common, auth });
    // The canonical URI of the route is always one (RFC 8707 2, MCP authorization).
    const audiences = (origins: readonly string[]) => [
      ...auth.audiences,
      ...origins.map((origin) => resourceOf(config, route, origin)),
    ];
    const usual = audiences(config.publicOrigins);
    const audiencesOf = ({ origins }: Routed) =>
      origins === config.publicOrigins ? usual : audiences(origins);
    if (auth.profile === 'mtls') return mtls({ ...common, auth, cache, audiencesOf, tokenType: 'bearer' });
    const nonces =
      auth.nonce === undefined
        ? undefined
        : createNonces(nonceKeys.get(auth.nonce.keys.file)!, auth.nonce.lifetimeSeconds);
    const proofs = { headerCache, nonces, verify, refuseLimited };
    return dpop({ ...common, ...proofs, auth, cache, audiencesOf, tokenType: 'dpop' });
  };
  const table = new Map(config.routes.map((route) => [route, profileOf(route)]));
  return (route) => table.get(route) ?? (() => deny('internal_error', 'no profile for this route'));
}
