/** What a gateway asks others on its own account: whoever answers may be reached through its egress proxy. */
import { Peer } from '../values/peer';
import { GatewaySpec, mcpRoutes } from './gateway-spec';
import { issuersOf } from './issuers';

export interface Question {
  /** The prop that names the URL, as its user calls it. */
  readonly prop: string;
  readonly url: string;
  /** Absent: it goes through the egress proxy. */
  readonly peer?: Peer;
}

export function questionsOf(spec: GatewaySpec): readonly Question[] {
  const issuers = issuersOf(spec).flatMap(({ jwks: { _choice: jwks }, introspection }) => [
    ...(jwks.url === undefined ? [] : [{ prop: 'jwks', url: jwks.url, peer: jwks.options?.peer }]),
    ...(introspection === undefined ? [] : [{ prop: 'auth.introspection', ...introspection }]),
  ]);
  const exchanges = mcpRoutes(spec).flatMap(({ name, tokenExchange }) =>
    tokenExchange === undefined ? [] : [{ prop: `route "${name}" tokenExchange`, ...tokenExchange }],
  );
  const traces = spec.tracing === undefined ? [] : [{ prop: 'tracing', ...spec.tracing }];
  return [...issuers, ...exchanges, ...traces].map(({ prop, url, peer }) => ({ prop, url, peer }));
}

/** Hosts of those that have a peer. One that is no URL is refused by the parser, in its own place. */
export function directHosts(spec: GatewaySpec): string[] {
  const direct = questionsOf(spec).filter(({ url, peer }) => peer !== undefined && URL.canParse(url));
  return [...new Set(direct.map(({ url }) => new URL(url).hostname))].sort();
}
