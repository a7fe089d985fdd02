/**
 * Which files each container sees, and where they come from. A container gets no credential that it does not
 * send itself.
 */
import { GatewaySpec, McpRouteSpec, mcpRoutes, RouteSpec, usesAgentgateway } from '../spec/gateway-spec';
import { issuersOf } from '../spec/issuers';
import { AuthProfile } from '../values/auth-profile';
import { CaBundle } from '../values/ca-bundle';
import { SecretSource } from '../values/secret-source';

export interface MountedFile {
  readonly path: string;
  readonly from: 'configMap' | 'secret';
  readonly object: string;
  readonly key: string;
}

/** A credential of the gateway and what it is for. */
export interface SecretUse {
  /** What its Secret is called after, where it has no name of its own. */
  readonly purpose: string;
  readonly source: SecretSource;
  readonly secretName: string;
  readonly path: string;
}

export const REDIS_PASSWORD = 'redis-password';
export const SENTINEL_PASSWORD = 'sentinel-password';
/** What the files of the collector are called after. */
export const TRACING = 'tracing';
/** What the files of the egress proxy are called after. */
export const EGRESS_PROXY = 'egress-proxy';
export const credentialPath = (purpose: string) => `credentials/${purpose}`;
export const caPath = (purpose: string) => `ca/${purpose}.crt`;
export const TLS_FILES = { cert: 'tls/tls.crt', key: 'tls/tls.key' } as const;

/** What is a route's own lies in a directory of its own: a route may be called as anything else is. */
export const routeFile = (route: { readonly name: string }, name: RouteFile) =>
  `routes/${route.name}/${name}`;
type RouteFile =
  | 'credential'
  | 'ca.crt'
  | 'client.crt'
  | 'client.key'
  | 'exchange-secret'
  | 'exchange-ca.crt'
  | ProfileSecret;

/** Secrets that belong to a profile: the gateway's has them once, a route's own has its own. */
export type ProfileSecret = 'nonce-keys' | 'introspection';
export const profileSecretPath = (route: RouteSpec | undefined, name: ProfileSecret) =>
  route?.auth === undefined ? credentialPath(name) : routeFile(route, name);

export function secretUses(spec: GatewaySpec): SecretUse[] {
  return [...gatewayUses(spec), ...spec.routes.flatMap((route) => routeSecretUses(spec.name, route))];
}

/** Those that a route brings with it. */
export const routeSecretUses = (gateway: string, route: RouteSpec): SecretUse[] => [
  ...backendUses(gateway, route),
  ...exchangeUses(gateway, route),
  ...ownProfileUses(gateway, route),
];

function gatewayUses({ name, replayStore, tracing, egressProxy, auth }: GatewaySpec): SecretUse[] {
  const { password, topology } = replayStore._redis ?? {};
  const own = (purpose: string, source: SecretSource | undefined) =>
    use(name, purpose, source, credentialPath(purpose));
  return [
    ...own(REDIS_PASSWORD, password),
    ...own(SENTINEL_PASSWORD, topology?._sentinel?.password),
    ...own(TRACING, tracing?.authorization),
    ...own(EGRESS_PROXY, egressProxy?.credentials),
    ...profileUses(name, auth, undefined),
  ];
}

const backendUses = (gateway: string, route: RouteSpec) =>
  route.kind === 'mcp' ? use(gateway, route.name, route.credential, routeFile(route, 'credential')) : [];
const exchangeUses = (gateway: string, route: RouteSpec) =>
  route.kind === 'mcp'
    ? use(
        gateway,
        `${route.name}-exchange`,
        route.tokenExchange?.clientSecret,
        routeFile(route, 'exchange-secret'),
      )
    : [];

const ownProfileUses = (gateway: string, route: RouteSpec) =>
  route.auth === undefined ? [] : profileUses(gateway, route.auth, route);

function profileUses(
  gateway: string,
  { _dpop, _common }: AuthProfile,
  route: RouteSpec | undefined,
): SecretUse[] {
  const secret = (name: ProfileSecret, source: SecretSource | undefined) =>
    use(
      gateway,
      route === undefined ? name : `${route.name}-${name}`,
      source,
      profileSecretPath(route, name),
    );
  return [
    ...secret('nonce-keys', _dpop?.nonce?.keys),
    ...secret('introspection', _common.introspection?.clientSecret),
  ];
}

function use(gateway: string, purpose: string, source: SecretSource | undefined, path: string): SecretUse[] {
  return source === undefined
    ? []
    : [{ purpose, source, secretName: source._name ?? `${gateway}-${purpose}`, path }];
}

/** Every Secret that is the gateway's own, and so never readable through it. */
export function ownSecrets(spec: GatewaySpec): string[] {
  return [
    ...secretUses(spec).map(({ secretName }) => secretName),
    ...[...proxyFiles(spec), ...dataPlaneFiles(spec)].filter((f) => f.from === 'secret').map((f) => f.object),
    ...(spec.scheduling.imagePullSecrets ?? []),
    ...Object.values(spec.extraVolumes).flatMap(({ _source }) =>
      'secret' in _source ? [_source.secret] : [],
    ),
  ];
}

/** Files of the proxy, relative to its config directory. */
export function proxyFiles(spec: GatewaySpec): MountedFile[] {
  const tls = spec.tlsSecretName;
  return [
    ...keySetFiles(spec),
    ...issuersOf(spec).flatMap(({ name, jwks, introspection }) => [
      ...caFile(`jwks-${name}`, jwks._choice.options?.ca),
      ...caFile(`introspection-${name}`, introspection?.ca),
    ]),
    ...caFile('redis', spec.replayStore._redis?.ca),
    ...caFile(TRACING, spec.tracing?.ca),
    ...caFile(EGRESS_PROXY, spec.egressProxy?.ca),
    ...[...gatewayUses(spec), ...spec.routes.flatMap((route) => ownProfileUses(spec.name, route))].map(
      credentialFile,
    ),
    ...(tls === undefined
      ? []
      : [
          { path: TLS_FILES.cert, from: 'secret' as const, object: tls, key: 'tls.crt' },
          { path: TLS_FILES.key, from: 'secret' as const, object: tls, key: 'tls.key' },
        ]),
    ...exchangeFiles(spec),
    ...(usesAgentgateway(spec) ? [] : backendFiles(spec)),
  ];
}

/** Files of agentgateway, relative to its config directory. */
export function dataPlaneFiles(spec: GatewaySpec): MountedFile[] {
  return usesAgentgateway(spec) ? backendFiles(spec) : [];
}

function backendFiles(spec: GatewaySpec): MountedFile[] {
  return mcpRoutes(spec).flatMap((route) => [
    ...caFileAt(routeFile(route, 'ca.crt'), route.ca),
    ...clientCertificate(route),
    ...backendUses(spec.name, route).map(credentialFile),
  ]);
}

/** The proxy exchanges tokens whoever calls the backend. */
function exchangeFiles(spec: GatewaySpec): MountedFile[] {
  return mcpRoutes(spec).flatMap((route) => [
    ...caFileAt(routeFile(route, 'exchange-ca.crt'), route.tokenExchange?.ca),
    ...exchangeUses(spec.name, route).map(credentialFile),
  ]);
}

function clientCertificate(route: McpRouteSpec): MountedFile[] {
  const { certificateSecret: object } = route;
  return object === undefined
    ? []
    : [
        { path: routeFile(route, 'client.crt'), from: 'secret', object, key: 'tls.crt' },
        { path: routeFile(route, 'client.key'), from: 'secret', object, key: 'tls.key' },
      ];
}

function keySetFiles(spec: GatewaySpec): MountedFile[] {
  return issuersOf(spec).flatMap(
    ({
      file,
      jwks: {
        _choice: { object },
      },
    }): MountedFile[] =>
      object === undefined ? [] : [{ path: file, from: object.kind, object: object.name, key: object.key }],
  );
}

const caFile = (purpose: string, ca: CaBundle | undefined) => caFileAt(caPath(purpose), ca);

function caFileAt(path: string, ca: CaBundle | undefined): MountedFile[] {
  return ca === undefined ? [] : [{ path, from: ca._kind, object: ca._name, key: ca._key }];
}

const credentialFile = ({ path, secretName, source }: SecretUse): MountedFile => ({
  path,
  from: 'secret',
  object: secretName,
  key: source._key,
});
