/** Which files each container sees, and where they come from. A container gets no credential that it does not send itself. */
import { CaBundle } from '../ca-bundle';
import { SecretSource } from '../secret-source';
import { GatewaySpec, McpRouteSpec, mcpRoutes, usesAgentgateway } from './gateway-spec';
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
export const credentialPath = (purpose: string) => `credentials/${purpose}`;
export const caPath = (purpose: string) => `ca/${purpose}.crt`;
const credentialPurpose = (route: McpRouteSpec) => route.name;

export function secretUses(spec: GatewaySpec): SecretUse[] {
  const { password } = spec.replayStore._redis ?? {};
  return [
    ...(password === undefined ? [] : [secretUse(spec.name, REDIS_PASSWORD, password)]),
    ...mcpRoutes(spec).flatMap((route) => (route.credential === undefined ? [] : [secretUse(spec.name, credentialPurpose(route), route.credential)])),
  ];
}

export function secretUse(gateway: string, purpose: string, source: SecretSource): SecretUse {
  return { purpose, source, secretName: source._name ?? `${gateway}-${purpose}` };
}

/** Every Secret that is the gateway's own, and so never readable through it. */
export function ownSecrets(spec: GatewaySpec): string[] {
  return [...secretUses(spec).map((use) => use.secretName), ...[...proxyFiles(spec), ...dataPlaneFiles(spec)].filter((f) => f.from === 'secret').map((f) => f.object)];
}

/** Files of the proxy, relative to its config directory. */
export function proxyFiles(spec: GatewaySpec): MountedFile[] {
  const redis = spec.replayStore._redis;
  return [
    ...keySetFiles(spec),
    ...issuersOf(spec).flatMap(({ name, jwks }) => caFile(`jwks-${name}`, jwks._choice.options?.ca)),
    ...caFile('redis', redis?.ca),
    ...(redis?.password === undefined ? [] : [credentialFile(spec, REDIS_PASSWORD, redis.password)]),
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
    ...(route.credential === undefined ? [] : [credentialFile(spec, credentialPurpose(route), route.credential)]),
  ]);
}

function keySetFiles(spec: GatewaySpec): MountedFile[] {
  return issuersOf(spec).flatMap(({ file, jwks: { _choice: { object } } }): MountedFile[] =>
    (object === undefined ? [] : [{ path: file, from: object.kind, object: object.name, key: object.key }]));
}

function caFile(purpose: string, ca: CaBundle | undefined): MountedFile[] {
  return ca === undefined ? [] : [{ path: caPath(purpose), from: ca._kind, object: ca._name, key: ca._key }];
}

function credentialFile(spec: GatewaySpec, purpose: string, source: SecretSource): MountedFile {
  return { path: credentialPath(purpose), from: 'secret', object: secretUse(spec.name, purpose, source).secretName, key: source._key };
}
