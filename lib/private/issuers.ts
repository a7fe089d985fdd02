import { JwksSource } from '../jwks-source';
import { authOf, GatewaySpec, RouteSpec } from './gateway-spec';
import { Fault } from './text';

export interface IssuerEntry {
  /** What routes call it in the config. */
  readonly name: string;
  readonly issuer: string;
  readonly jwks: JwksSource;
  /** Name of the mounted key set, where it is not fetched. */
  readonly file: string;
}

/** Every issuer that a route trusts, the gateway's own first. */
export function issuersOf(spec: GatewaySpec): IssuerEntry[] {
  const entries = [{ name: 'default', issuer: spec.issuer, jwks: spec.jwks, file: 'jwks.json' }];
  for (const route of spec.routes) {
    const { issuer = spec.issuer, jwks = spec.jwks } = authOf(spec, route)._common;
    if (entries.some((entry) => entry.issuer === issuer)) continue;
    entries.push({ name: `issuer-${entries.length + 1}`, issuer, jwks, file: `jwks-${entries.length + 1}.json` });
  }
  return entries;
}

export function issuerOf(spec: GatewaySpec, route: RouteSpec): IssuerEntry {
  const issuer = authOf(spec, route)._common.issuer ?? spec.issuer;
  return issuersOf(spec).find((entry) => entry.issuer === issuer)!;
}

export const audienceOf = (spec: GatewaySpec, route: RouteSpec) => authOf(spec, route)._common.audience ?? spec.audience;

/** One issuer has one key set: a second one would be ignored in silence. */
export function issuerFaults(spec: GatewaySpec): Fault[] {
  return spec.routes.flatMap((route): Fault[] => {
    const { issuer = spec.issuer, jwks } = authOf(spec, route)._common;
    if (jwks === undefined || JSON.stringify(issuerOf(spec, route).jwks._choice) === JSON.stringify(jwks._choice)) return [];
    return [{ where: `route "${route.name}" auth.jwks`, want: 'must be the same for every use of an issuer', got: issuer, next: 'give the profile an issuer of its own, or remove its jwks' }];
  });
}

/** Key sets that travel inside our own ConfigMaps: file name to text. */
export function inlineKeySets(spec: GatewaySpec): Record<string, string> {
  return Object.fromEntries(issuersOf(spec).flatMap(({ file, jwks }) => (jwks._choice.inline === undefined ? [] : [[file, jwks._choice.inline]])));
}
