import type { Clock } from '../clock.js';
import type { Config, Route } from '../config/index.js';
import type { KeySource } from '../keys/key-source.js';
import type { Caller, Routed } from '../pipeline/evidence.js';
import { deny } from '../pipeline/reason.js';
import type { Stage } from '../pipeline/stage.js';
import { createAccessTokenCache } from './access-token.js';
import { dpop } from './dpop.js';
import type { TrustedIssuer } from './issuers.js';
import { createProofHeaderCache } from './proof.js';
import { selfSigned } from './self-signed.js';

/** The profile of every route, made once. */
export function createProfiles({ routes, issuers, publicOrigins }: Config, keys: ReadonlyMap<string, KeySource>, clock: Clock): (route: Route) => Stage<Routed, Caller> {
  const trusted = new Map<string, TrustedIssuer>(issuers.map((issuer) => [issuer.name, { issuer, keys: keys.get(issuer.name)! }]));
  const headerCache = createProofHeaderCache();
  const cache = createAccessTokenCache();
  const table = new Map<Route, Stage<Routed, Caller>>(routes.map((route) => {
    const common = { publicOrigins, clock, issuers: route.auth.issuers.map((name) => trusted.get(name)!) };
    return [route, route.auth.profile === 'dpop' ? dpop({ ...common, auth: route.auth, headerCache, cache }) : selfSigned({ ...common, auth: route.auth })];
  }));
  return (route) => table.get(route) ?? (() => deny('internal_error', 'no profile for this route'));
}
