/** What one value cannot say alone: rules between the parts of a gateway, beyond those that the proxy's parser knows. */
import { AgentgatewayVersion } from '../data-plane';
import { OriginSource } from '../origin-source';
import { agentgatewayYaml } from './agentgateway-config';
import { ownSecrets, secretUses } from './files';
import { GatewaySpec, mcpRoutes, secretsRoutes, usesAgentgateway } from './gateway-spec';
import { issuerFaults, issuersOf } from './issuers';
import { configProblems } from './model';
import { Fault, say } from './text';

export function gatewayFaults(spec: GatewaySpec): string[] {
  return [...budgetFaults(spec), ...secretsFaults(spec), ...purposeFaults(spec), ...issuerFaults(spec), ...dataPlaneFaults(spec)].map(say);
}

function budgetFaults({ podDisruptionBudget, replicas }: GatewaySpec): Fault[] {
  if (!podDisruptionBudget || replicas > 1) return [];
  return [{
    where: 'podDisruptionBudget',
    want: 'must go with at least 2 replicas: with one it either blocks every node drain or protects nothing',
    got: replicas,
    next: 'choose ReplayStore.redis and more replicas, or leave podDisruptionBudget out',
  }];
}

/** A credential's file is called after what it is for: a route must not be called like another one's. */
function purposeFaults(spec: GatewaySpec): Fault[] {
  const purposes = secretUses(spec).map(({ purpose }) => purpose);
  return purposes.filter((purpose, i) => purposes.indexOf(purpose) !== i).map((purpose) => ({ where: 'route name', want: 'must not be what another credential of the gateway is called', got: purpose, next: 'rename the route' }));
}

function secretsFaults(spec: GatewaySpec): Fault[] {
  const routes = secretsRoutes(spec);
  const own = ownSecrets(spec);
  const unreachable: Fault = {
    where: 'apiServer',
    want: 'is required with a SecretsRoute: the NetworkPolicy admits the API server by address',
    next: 'pass ApiServerAccess.of({ serviceIp, endpoints }); "kubectl get endpointslices -l kubernetes.io/service-name=kubernetes" prints both',
  };
  return [
    ...(routes.length > 0 && spec.apiServer === undefined ? [unreachable] : []),
    ...routes.flatMap(({ name, secretNames }) => secretNames.filter((secret) => own.includes(secret)).map((secret): Fault => ({
      where: `route "${name}" secretNames`,
      want: "must not name a credential of the gateway itself: a caller could then speak to the backend in the gateway's name",
      got: secret,
      next: 'remove it',
    }))),
  ];
}

const PROP = { endpoints: 'backendEndpoints', serverName: 'backendServerName', certificateSecret: 'backendCertificateSecret', tokenExchange: 'tokenExchange' } as const;

function dataPlaneFaults(spec: GatewaySpec): Fault[] {
  if (!usesAgentgateway(spec)) return [];
  const next = 'choose DataPlane.direct()';
  const old = spec.dataPlane._version === AgentgatewayVersion.V0_12;
  const faults = [
    ...issuersOf(spec).flatMap(({ jwks: { _choice: { url, options } } }): Fault[] => [
      ...(url !== undefined && old ? [{ where: 'jwks', want: 'must be a file with agentgateway v0.12, which fetches a URL once and never again', got: url, next: `${next}, v1.4, or JwksSource.fromFile` }] : []),
      ...(url !== undefined && options?.ca !== undefined ? [{ where: 'jwks.ca', want: 'must not be set with agentgateway, which verifies a key set URL against public roots only', got: url, next: `${next}, or JwksSource.fromFile` }] : []),
    ]),
    ...issuersOf(spec).flatMap(({ issuer, introspection }): Fault[] => (introspection === undefined ? []
      : [{ where: 'auth.introspection', want: 'must not be used with agentgateway, which reads JWTs only', got: issuer, next }])),
    ...(spec.originFrom === OriginSource.FORWARDED
      ? [{ where: 'originFrom', want: 'must be CONFIG with agentgateway, whose accepted audiences are written at synth', got: spec.originFrom, next: `name the publicOrigins, or ${next}` }] : []),
    ...mcpRoutes(spec).flatMap((route): Fault[] => [
      ...(['endpoints', 'serverName', 'certificateSecret', 'tokenExchange'] as const).filter((key) => route[key] !== undefined).map((key): Fault => (
        { where: `route "${route.name}" ${PROP[key]}`, want: 'must be left out with agentgateway, which calls the backend itself', got: key === 'tokenExchange' ? route.tokenExchange?.url : route[key], next })),
      ...(new URL(route.backendUrl).hostname.startsWith('[') ? [{ where: `route "${route.name}" backend`, want: 'must not be an IPv6 literal with agentgateway', got: route.backendUrl, next: `name a host, or ${next}` }] : []),
      ...(old && (route.credentialHeader !== undefined || route.credentialPrefix !== undefined)
        ? [{ where: `route "${route.name}" credentialHeader`, want: 'must be left out with agentgateway v0.12, which knows "Authorization: Bearer" only', next: `${next}, or v1.4` }] : []),
    ]),
  ];
  // Only a config that the parser accepts can be rendered.
  if (configProblems(spec).length > 0) return faults;
  const line = agentgatewayYaml(spec).split('\n').find((text) => text.includes('$'));
  return line === undefined ? faults : [...faults, { where: 'dataPlane', want: 'must have no "$" in any value: agentgateway expands it with its environment', got: line.trim(), next: `rename the value, or ${next}` }];
}
