/** Which files each container sees, and where they come from. A container gets no credential that it does not send itself. */
import { AuthProfile } from '../auth-profile';
import { CaBundle } from '../ca-bundle';
import { SecretSource } from '../secret-source';
import { GatewaySpec, McpRouteSpec, mcpRoutes, RouteSpec, usesAgentgateway } from './gateway-spec';
import { issuersOf } from './issuers';

export interface MountedFile {
  readonly path: string;
  readonly from: 'configMap' | 'secret';
  readonly object: string;
  readonly key: string;
}

/** A credential of the gateway and what it is for. */
export interface SecretUse {
  readonly purpose: string;
  readonly source: SecretSource;
  readonly secretName: string;
}

export const REDIS_PASSWORD = 'redis-password';
export const SENTINEL_PASSWORD = 'sentinel-password';
/** What the files of the collector are called after. */
export const TRACING = 'tracing';
export const credentialPath = (purpose: string) => `credentials/${purpose}`;
export const caPath = (purpose: string) => `ca/${purpose}.crt`;
export const TLS_FILES = { cert: 'tls/tls.crt', key: 'tls/tls.key' } as const;
export const clientCertificateFiles = (route: McpRouteSpec) => ({ cert: `client-tls/${route.name}.crt`, key: `client-tls/${route.name}.key` });
const credentialPurpose = (route: McpRouteSpec) => route.name;
export const exchangePurpose = (route: McpRouteSpec) => `${route.name}-exchange`;

/** What the secrets of a profile are for: the gateway's profile has them once, a route's own has its own. */
export const noncePurpose = (route: RouteSpec) => (route.auth === undefined ? 'nonce-keys' : `${route.name}-nonce-keys`);
export const introspectionPurpose = (route: RouteSpec | undefined) => (route?.auth === undefined ? 'introspection' : `${route.name}-introspection`);

export function secretUses(spec: GatewaySpec): SecretUse[] {
  const { password, topology } = spec.replayStore._redis ?? {};
  return [
    ...use(spec.name, REDIS_PASSWORD, password),
    ...use(spec.name, SENTINEL_PASSWORD, topology?._sentinel?.password),
    ...use(spec.name, TRACING, spec.tracing?.authorization),
    ...profileUses(spec.name, spec.auth, ''),
    ...spec.routes.flatMap((route) => routeSecretUses(spec.name, route)),
  ];
}

/** Those that a route brings with it. */
export function routeSecretUses(gateway: string, route: RouteSpec): SecretUse[] {
  return [
    ...(route.kind === 'mcp' ? [...use(gateway, credentialPurpose(route), route.credential), ...use(gateway, exchangePurpose(route), route.tokenExchange?.clientSecret)] : []),
    ...(route.auth === undefined ? [] : profileUses(gateway, route.auth, `${route.name}-`)),
  ];
}

function profileUses(gateway: string, { _dpop, _common }: AuthProfile, prefix: string): SecretUse[] {
  return [...use(gateway, `${prefix}nonce-keys`, _dpop?.nonce?.keys), ...use(gateway, `${prefix}introspection`, _common.introspection?.clientSecret)];
}

function use(gateway: string, purpose: string, source: SecretSource | undefined): SecretUse[] {
  return source === undefined ? [] : [{ purpose, source, secretName: source._name ?? `${gateway}-${purpose}` }];
}

/** Every Secret that is the gateway's own, and so never readable through it. */
export function ownSecrets(spec: GatewaySpec): string[] {
  return [...secretUses(spec).map(({ secretName }) => secretName), ...[...proxyFiles(spec), ...dataPlaneFiles(spec)].filter((f) => f.from === 'secret').map((f) => f.object)];
}

/** Files of the proxy, relative to its config directory. */
export function proxyFiles(spec: GatewaySpec): MountedFile[] {
  const backends = mcpRoutes(spec).map(credentialPurpose);
  const tls = spec.tlsSecretName;
  return [
    ...keySetFiles(spec),
    ...issuersOf(spec).flatMap(({ name, jwks, introspection }) => [...caFile(`jwks-${name}`, jwks._choice.options?.ca), ...caFile(`introspection-${name}`, introspection?.ca)]),
    ...caFile('redis', spec.replayStore._redis?.ca),
    ...caFile(TRACING, spec.tracing?.ca),
    ...secretUses(spec).filter(({ purpose }) => !backends.includes(purpose)).map(credentialFile),
    ...(tls === undefined ? [] : [{ path: TLS_FILES.cert, from: 'secret' as const, object: tls, key: 'tls.crt' }, { path: TLS_FILES.key, from: 'secret' as const, object: tls, key: 'tls.key' }]),
    ...(usesAgentgateway(spec) ? [] : backendFiles(spec)),
  ];
}

/** Files of agentgateway, relative to its config directory. */
export function dataPlaneFiles(spec: GatewaySpec): MountedFile[] {
  return usesAgentgateway(spec) ? [...keySetFiles(spec), ...backendFiles(spec)] : [];
}

function backendFiles(spec: GatewaySpec): MountedFile[] {
  return mcpRoutes(spec).flatMap((route) => [
    ...caFile(route.name, route.ca),
    ...clientCertificate(route),
    ...caFile(exchangePurpose(route), route.tokenExchange?.ca),
    ...use(spec.name, credentialPurpose(route), route.credential).map(credentialFile),
  ]);
}

function clientCertificate(route: McpRouteSpec): MountedFile[] {
  const { certificateSecret: object } = route;
  const { cert, key } = clientCertificateFiles(route);
  return object === undefined ? [] : [{ path: cert, from: 'secret', object, key: 'tls.crt' }, { path: key, from: 'secret', object, key: 'tls.key' }];
}

function keySetFiles(spec: GatewaySpec): MountedFile[] {
  return issuersOf(spec).flatMap(({ file, jwks: { _choice: { object } } }): MountedFile[] =>
    (object === undefined ? [] : [{ path: file, from: object.kind, object: object.name, key: object.key }]));
}

function caFile(purpose: string, ca: CaBundle | undefined): MountedFile[] {
  return ca === undefined ? [] : [{ path: caPath(purpose), from: ca._kind, object: ca._name, key: ca._key }];
}

function credentialFile({ purpose, secretName, source }: SecretUse): MountedFile {
  return { path: credentialPath(purpose), from: 'secret', object: secretName, key: source._key };
}
