import { IntrospectionOptions } from '../auth-profile-options';
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
  readonly introspection?: IntrospectionOptions;
  /** Where the introspection client's secret is mounted. */
  readonly introspectionPurpose: string;
  readonly legacyTyp?: boolean;
}

/** Every issuer that a route trusts, the gateway's own first. */
export function issuersOf(spec: GatewaySpec): IssuerEntry[] {
  const own = spec.auth._common;
  const entries: IssuerEntry[] = [{
    name: 'default', issuer: own.issuer ?? spec.issuer, jwks: own.jwks ?? spec.jwks, file: 'jwks.json', introspection: own.introspection, introspectionPurpose: 'introspection', legacyTyp: own.legacyTyp,
  }];
  for (const route of spec.routes) {
    const { issuer = spec.issuer, jwks = spec.jwks, introspection, legacyTyp } = authOf(spec, route)._common;
    if (entries.some((entry) => entry.issuer === issuer)) continue;
    const at = entries.length + 1;
    entries.push({ name: `issuer-${at}`, issuer, jwks, file: `jwks-${at}.json`, introspection, introspectionPurpose: `${route.name}-introspection`, legacyTyp });
  }
  return entries.map((entry) => ({ ...entry, ...uses(spec, entry) }));
}

/** What a profile other than the one that named the issuer first says of it. */
function uses(spec: GatewaySpec, { issuer, introspection, introspectionPurpose }: IssuerEntry): Pick<IssuerEntry, 'introspection' | 'introspectionPurpose'> {
  if (introspection !== undefined) return { introspection, introspectionPurpose };
  const route = spec.routes.find((r) => (authOf(spec, r)._common.issuer ?? spec.issuer) === issuer && r.auth?._common.introspection !== undefined);
  return { introspection: route?.auth?._common.introspection, introspectionPurpose: `${route?.name ?? ''}-introspection` };
}

export function issuerOf(spec: GatewaySpec, route: RouteSpec): IssuerEntry {
  const issuer = authOf(spec, route)._common.issuer ?? spec.issuer;
  return issuersOf(spec).find((entry) => entry.issuer === issuer)!;
}

export const audienceOf = (spec: GatewaySpec, route: RouteSpec) => authOf(spec, route)._common.audience ?? spec.audience;

/** What else a token may name: the route itself, under each origin (RFC 8707), where tokens come from an authorization server. */
export const resourcesOf = (spec: GatewaySpec, route: RouteSpec) => (authOf(spec, route)._profile === 'selfSigned' ? []
  : spec.publicOrigins.map((origin) => `${origin}${spec.publicPathPrefix ?? ''}${route.pathPrefix}`));

/** One issuer has one key set: a second one would be ignored in silence. */
export function issuerFaults(spec: GatewaySpec): Fault[] {
  return spec.routes.flatMap((route): Fault[] => {
    const legacy = authOf(spec, route)._common.legacyTyp ?? false;
    if (legacy !== (issuerOf(spec, route).legacyTyp ?? false)) {
      return [{ where: `route "${route.name}" auth.legacyTyp`, want: 'must be the same for every use of an issuer', got: legacy, next: 'set it in all profiles of the issuer, or in none' }];
    }
    const { issuer = spec.issuer, jwks } = authOf(spec, route)._common;
    if (jwks === undefined || JSON.stringify(issuerOf(spec, route).jwks._choice) === JSON.stringify(jwks._choice)) return [];
    return [{ where: `route "${route.name}" auth.jwks`, want: 'must be the same for every use of an issuer', got: issuer, next: 'give the profile an issuer of its own, or remove its jwks' }];
  });
}

/** Key sets that travel inside our own ConfigMaps: file name to text. */
export function inlineKeySets(spec: GatewaySpec): Record<string, string> {
  return Object.fromEntries(issuersOf(spec).flatMap(({ file, jwks }) => (jwks._choice.inline === undefined ? [] : [[file, jwks._choice.inline]])));
}
