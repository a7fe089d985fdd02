import { oncePer } from '../support/memo';
import { Violation } from '../support/text';
import { IntrospectionOptions, IssuerPreset } from '../values/auth-profile-options';
import { JwksSource } from '../values/jwks-source';
import { authOf, GatewaySpec, RouteSpec } from './gateway-spec';

export interface IssuerEntry {
  /** What routes call it in the config. */
  readonly name: string;
  readonly issuer: string;
  readonly jwks: JwksSource;
  /** Name of the mounted key set, where it is not fetched. */
  readonly file: string;
  readonly introspection?: IntrospectionOptions;
  /** Whose profile brought the introspection: a route's own, or the gateway's. */
  readonly introspectionOf?: RouteSpec;
  readonly issuerPreset?: IssuerPreset;
  readonly legacyTyp?: boolean;
}

const DEFAULT = 'default';

/**
 * Every issuer that a route trusts: as the first of its routes has it, since the others must agree
 * (`issuerViolations`).
 */
export const issuersOf = oncePer((spec: GatewaySpec): readonly IssuerEntry[] => {
  const entries: IssuerEntry[] = [];
  const own = spec.auth._common.issuer ?? spec.issuer;
  for (const route of [...spec.routes].sort((a, b) => rank(a) - rank(b))) {
    const { issuer, jwks, introspection, issuerPreset, legacyTyp } = saidOf(spec, route);
    if (entries.some((entry) => entry.issuer === issuer)) continue;
    const at = entries.filter(({ name }) => name !== DEFAULT).length + 2;
    const called =
      issuer === own
        ? { name: DEFAULT, file: 'jwks.json' }
        : { name: `issuer-${at}`, file: `jwks-${at}.json` };
    entries.push({
      ...called,
      issuer,
      jwks,
      introspection,
      introspectionOf: route.auth === undefined ? undefined : route,
      issuerPreset,
      legacyTyp,
    });
  }
  return entries.sort((a, b) => Number(b.name === DEFAULT) - Number(a.name === DEFAULT));
});

/** A self-signed token is never opaque and has no `typ`: what it says of those holds last. */
const rank = (route: RouteSpec) => (route.auth?._profile === 'selfSigned' ? 1 : 0);

/** What the profile of a route says of its issuer. */
function saidOf(spec: GatewaySpec, route: RouteSpec) {
  const {
    issuer = spec.issuer,
    jwks = spec.jwks,
    introspection,
    issuerPreset,
    legacyTyp,
  } = authOf(spec, route)._common;
  return { issuer, jwks, introspection, issuerPreset, legacyTyp };
}

export function issuerOf(spec: GatewaySpec, route: RouteSpec): IssuerEntry {
  const { issuer } = saidOf(spec, route);
  return issuersOf(spec).find((entry) => entry.issuer === issuer)!;
}

export const audienceOf = (spec: GatewaySpec, route: RouteSpec) =>
  authOf(spec, route)._common.audience ?? spec.audience;

/**
 * What else a token may name: the route itself, under each origin (RFC 8707), where tokens come from an
 * authorization server.
 */
export const resourcesOf = (spec: GatewaySpec, route: RouteSpec) =>
  authOf(spec, route)._profile === 'selfSigned'
    ? []
    : spec.publicOrigins.map((origin) => `${origin}${spec.publicPathPrefix ?? ''}${route.pathPrefix}`);

/**
 * What is said of an issuer holds for all of its routes: a second key set would be ignored in silence, and one
 * route's introspection would open the others to opaque tokens.
 */
export function issuerViolations(spec: GatewaySpec): Violation[] {
  return spec.routes.flatMap((route) => {
    const said = saidOf(spec, route);
    const entry = issuerOf(spec, route);
    const differs = (
      prop: 'jwks' | 'introspection' | 'issuerPreset' | 'legacyTyp',
      got: unknown,
    ): Violation[] =>
      JSON.stringify(said[prop] || null) === JSON.stringify(entry[prop] || null)
        ? []
        : [
            {
              where: `route "${route.name}" auth.${prop}`,
              want: 'must be the same for every use of an issuer',
              got,
              next:
                `give it to all profiles of ${JSON.stringify(said.issuer)}, or give the profile an issuer of ` +
                'its own',
            },
          ];
    return [
      ...discoveredElsewhere(route.name, entry),
      ...differs('jwks', said.jwks._choice.url ?? said.jwks._choice.object?.name ?? 'another key set'),
      ...(authOf(spec, route)._profile === 'selfSigned'
        ? []
        : [
            ...differs('issuerPreset', said.issuerPreset ?? 'none'),
            ...differs('legacyTyp', said.legacyTyp),
            ...differs('introspection', said.introspection?.url ?? 'none'),
          ]),
    ];
  });
}

/** Metadata is of the issuer that it names: tokens of another one have other keys. */
function discoveredElsewhere(route: string, { issuer, jwks }: IssuerEntry): Violation[] {
  const { discover, url } = jwks._choice;
  if (!discover || url === issuer) return [];
  return [
    {
      where: `route "${route}" auth.jwks`,
      want: `must be discovered from the issuer of its tokens, ${JSON.stringify(issuer)}`,
      got: url,
      next: 'give the profile and JwksSource.discover the same issuer',
    },
  ];
}

/** Key sets that travel inside our own ConfigMaps: file name to text. */
export function inlineKeySets(spec: GatewaySpec): Record<string, string> {
  return Object.fromEntries(
    issuersOf(spec).flatMap(({ file, jwks }) =>
      jwks._choice.inline === undefined ? [] : [[file, jwks._choice.inline]],
    ),
  );
}
