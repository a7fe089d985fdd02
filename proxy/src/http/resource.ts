import type { PublicPlace } from '../checks/location.js';
import type { Config, McpRoute, Route } from '../config/index.js';

/** A path without the "/" at its end; of the root nothing is left. */
const trimmed = (path: string): string => path.replace(/\/$/, '');

/** Path of a route as clients see it; of a route at "/" empty, as RFC 3986 6.2.3 takes both for the same. */
export const publicPathOf = (
  config: Pick<Config, 'publicPathPrefix'>,
  route: Pick<Route, 'pathPrefix'>,
): string => (config.publicPathPrefix ?? '') + trimmed(route.pathPrefix);

/** Path that takes the place of `pathPrefix` in requests to `url`; a URL without a path changes none. */
const pathAt = (url: string, { pathPrefix }: Pick<Route, 'pathPrefix'>): string => {
  const { pathname } = new URL(url);
  return trimmed(pathname === '/' ? pathPrefix : pathname);
};

/** Under which names and path the backend of a route speaks of itself, and where clients reach it. */
export function publicPlaceOf(config: Pick<Config, 'publicPathPrefix'>, route: McpRoute): PublicPlace {
  const { url, endpoints = [], host, redirectBases = [url] } = route.backend;
  const urls = [url, ...redirectBases, ...endpoints].map((each) => new URL(each));
  const names = urls.flatMap((each) => [each.host, each.hostname]);
  return {
    authorities: new Set(host === undefined ? names : [...names, host, hostNameOf(host)]),
    sentPath: pathAt(url, route),
    backendPath: pathAt(redirectBases[0]!, route),
    publicPath: publicPathOf(config, route),
  };
}

/** Of `host:port`, without the port. */
export const hostNameOf = (host: string): string => host.replace(/:\d+$/, '');

/** The canonical URI of a route: its `resource` of RFC 9728 and RFC 8707, and the audience of tokens for it (MCP). */
export const resourceOf = (
  config: Pick<Config, 'publicPathPrefix'>,
  route: Pick<Route, 'pathPrefix'>,
  origin: string,
): string => origin + publicPathOf(config, route);

/** RFC 9728 3: the well-known string stands before the path of the resource. */
export const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** Whether access tokens come from an authorization server, which clients then want to discover. */
export const hasMetadata = (route: Route): boolean => route.auth.profile !== 'selfSigned';

export const metadataUrl = (
  config: Pick<Config, 'publicPathPrefix'>,
  route: Route,
  origin: string,
): string | undefined => (hasMetadata(route) ? origin + WELL_KNOWN + publicPathOf(config, route) : undefined);

/** RFC 9728 2, from the same config that checks the tokens. */
export function resourceMetadata(
  config: Pick<Config, 'publicPathPrefix' | 'issuers'>,
  route: Route,
  origin: string,
): Readonly<Record<string, unknown>> {
  const { auth } = route;
  if (auth.profile === 'selfSigned') throw new TypeError('self-signed tokens have no authorization server');
  const rules = route.kind === 'mcp' ? (route.allow ?? []) : [];
  const scopes = [...new Set([...auth.requiredScopes, ...rules.flatMap((rule) => rule.requiredScopes)])];
  const proofs =
    auth.profile === 'mtls'
      ? {}
      : {
          dpop_signing_alg_values_supported: auth.proofAlgorithms,
          dpop_bound_access_tokens_required: auth.profile === 'dpop',
        };
  return {
    resource: resourceOf(config, route, origin),
    authorization_servers: config.issuers
      .filter((i) => auth.issuers.includes(i.name) && URL.canParse(i.issuer))
      .map((i) => i.issuer),
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    bearer_methods_supported: ['header'],
    ...proofs,
    ...(auth.profile === 'mtls' ? { tls_client_certificate_bound_access_tokens: true } : {}),
  };
}
