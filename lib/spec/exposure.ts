/** How a gateway is reached from outside, derived from what it serves. */
import { PORT } from '../support/ports-and-paths';
import { Violation } from '../support/text';
import { AuthProfile } from '../values/auth-profile';
import { CaBundle } from '../values/ca-bundle';
import { authOf, GatewaySpec, RouteSpec } from './gateway-spec';

/** RFC 9728 3: it stands before the path of the resource. */
const WELL_KNOWN = '/.well-known/oauth-protected-resource';
/** An HTTPRoute has at most 16 rules, one of which is for metadata. */
const MAX_ROUTES = 15;
const NO_LIMIT = { timeouts: { request: '0s' } };

/** Those of these names; where none are given, every MCP route. */
export const exposed = (spec: GatewaySpec, names: readonly string[] | undefined): RouteSpec[] =>
  spec.routes.filter(({ kind, name }) => names?.includes(name) ?? kind === 'mcp');

const hasMetadata = (auth: AuthProfile) => auth._profile !== 'selfSigned';

/** Where the RFC 9728 metadata of these routes is, without a prefix that a front cuts off. */
export const metadataPaths = (spec: GatewaySpec, routes: readonly RouteSpec[]): string[] =>
  routes
    .filter((route) => hasMetadata(authOf(spec, route)))
    .map(({ pathPrefix }) => WELL_KNOWN + (spec.publicPathPrefix ?? '') + pathPrefix);

/**
 * Names of the Service that contain its namespace; not the bare one, which means another gateway in another
 * namespace.
 */
export const serviceHosts = ({
  name,
  namespace,
}: {
  readonly name: string;
  readonly namespace: string;
}): string[] => ['.svc.cluster.local', '.svc', ''].map((domain) => `${name}.${namespace}${domain}`);

/** Host names of the origins that clients outside use: https unless it is said, and not the Service's own. */
export function publicHosts(spec: GatewaySpec, scheme: 'http' | 'https' = 'https'): string[] {
  const urls = spec.publicOrigins.filter((origin) => URL.canParse(origin)).map((origin) => new URL(origin));
  const hosts = urls.filter(({ protocol }) => protocol === `${scheme}:`).map(({ hostname }) => hostname);
  return [...new Set(hosts)].filter(
    (host) => !serviceHosts(spec).includes(host) && !/^[\d.]+$|^\[/.test(host),
  );
}

/** `hostnames` and `rules` of the HTTPRoute. */
export function httpRouteSpec(spec: GatewaySpec, names: readonly string[] | undefined): object {
  // What the API server fills in is written here too: a second `kubectl apply` then finds nothing to change.
  const backendRefs = [{ group: '', kind: 'Service', name: spec.name, port: PORT.traffic, weight: 1 }];
  const routes = exposed(spec, names);
  const prefix = spec.publicPathPrefix ?? '';
  const rewrite = (path: string) =>
    prefix === ''
      ? {}
      : {
          filters: [
            {
              type: 'URLRewrite',
              urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: path } },
            },
          ],
        };
  const described = metadataPaths(spec, routes);
  return {
    hostnames: publicHosts(spec),
    rules: [
      ...routes.map(({ pathPrefix }) => ({
        matches: [{ path: { type: 'PathPrefix', value: prefix + pathPrefix } }],
        ...rewrite(pathPrefix),
        backendRefs,
        ...NO_LIMIT,
      })),
      ...(described.length === 0
        ? []
        : [
            {
              matches: described.map((value) => ({ path: { type: 'Exact', value } })),
              backendRefs,
            },
          ]),
    ],
  };
}

/** `spec` of the BackendTLSPolicy by which those in front verify the pods. */
export const backendTlsPolicySpec = (spec: GatewaySpec, ca: CaBundle): object => ({
  targetRefs: [{ group: '', kind: 'Service', name: spec.name, sectionName: 'http' }],
  validation: {
    caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: ca._name }],
    hostname: `${spec.name}.${spec.namespace}.svc`,
  },
});

export function exposureViolations(
  spec: GatewaySpec,
  names: readonly string[] | undefined,
  gatewayCa: CaBundle | undefined,
): Violation[] {
  const count = exposed(spec, names).length;
  return [
    ...originViolations(spec, 'https'),
    ...tlsViolations(spec, gatewayCa),
    ...(count <= MAX_ROUTES
      ? []
      : [
          {
            where: 'routes',
            want: `must be 1 to ${MAX_ROUTES} routes of the gateway`,
            got: count,
            next: 'expose some of them by another GatewayExposure of another name',
          },
        ]),
    ...routeViolations(spec, names),
  ];
}

/** Those in front must know whom they speak to, where they speak TLS. */
function tlsViolations({ tlsSecretName }: GatewaySpec, gatewayCa: CaBundle | undefined): Violation[] {
  if (gatewayCa === undefined) {
    if (tlsSecretName === undefined) return [];
    return [
      {
        where: 'gatewayCa',
        want: 'must be given where the gateway ends TLS itself: those in front verify it by its CA',
        got: tlsSecretName,
        next: 'for example CaBundle.fromConfigMap("gateway-ca"); or leave gateway.tlsSecretName out',
      },
    ];
  }
  if (tlsSecretName === undefined) {
    return [
      {
        where: 'gatewayCa',
        want: 'must go with gateway.tlsSecretName: without it the gateway speaks HTTP, and has no certificate',
        got: gatewayCa._name,
        next: 'give the gateway a tlsSecretName, for example with a GatewayCertificate, or leave gatewayCa out',
      },
    ];
  }
  if (gatewayCa._kind === 'configMap' && gatewayCa._key === 'ca.crt') return [];
  return [
    {
      where: 'gatewayCa',
      want: 'must be "ca.crt" of a ConfigMap, which every implementation of BackendTLSPolicy reads',
      got: `${gatewayCa._kind} ${gatewayCa._name}, ${gatewayCa._key}`,
      next: 'CaBundle.fromConfigMap("gateway-ca"), which trust-manager can write',
    },
  ];
}

/** Clients outside put one of the origins into htu. */
export function originViolations(spec: GatewaySpec, scheme: 'http' | 'https'): Violation[] {
  if (publicHosts(spec, scheme).length > 0) return [];
  return [
    {
      where: 'gateway.publicOrigins',
      want: `must name an ${scheme} origin with a host name, which is what clients outside put into htu`,
      got: spec.publicOrigins,
      next: `for example ["${scheme}://gateway.example.com"]`,
    },
  ];
}

/** There is something to reach, and nothing is reached that was not named. */
export function routeViolations(spec: GatewaySpec, names: readonly string[] | undefined): Violation[] {
  const routes = exposed(spec, names);
  if (routes.length === 0) {
    return [
      {
        where: 'routes',
        want: 'must be at least one route of the gateway',
        got: 0,
        next: 'a SecretsRoute must be named',
      },
    ];
  }
  const under = spec.routes.flatMap((route) =>
    routes
      .filter(({ pathPrefix }) => !routes.includes(route) && route.pathPrefix.startsWith(`${pathPrefix}/`))
      .map((over) => [route, over] as const),
  );
  return under.map(([route, over]): Violation => ({
    where: 'routes',
    want: `must name "${route.name}", whose prefix lies under that of "${over.name}" and would be reached with it`,
    got: route.pathPrefix,
    next: 'name it, or give it a prefix of its own',
  }));
}
