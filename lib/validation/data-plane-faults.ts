/** What agentgateway, behind the proxy, cannot do: each prop that asks for it is refused. */
import { agentgatewayYaml } from '../config/agentgateway-config';
import { configProblems } from '../config/proxy-config';
import { GatewaySpec, mcpRoutes, McpRouteSpec, usesAgentgateway } from '../spec/gateway-spec';
import { inlineKeySets, IssuerEntry, issuersOf } from '../spec/issuers';
import { Fault } from '../support/text';
import { AgentgatewayVersion } from '../values/data-plane';
import { OriginSource } from '../values/origin-source';

const PROP = {
  endpoints: 'backendEndpoints',
  serverName: 'backendServerName',
  certificateSecret: 'backendCertificateSecret',
  tokenExchange: 'tokenExchange',
} as const;

interface Key {
  readonly kid: string;
  readonly kty: string;
  readonly crv?: string;
}

const NEXT = 'choose DataPlane.direct()';

export function dataPlaneFaults(spec: GatewaySpec): Fault[] {
  if (!usesAgentgateway(spec)) return [];
  const isOld = spec.dataPlane._version === AgentgatewayVersion.V0_12;
  const faults = [
    ...issuersOf(spec).flatMap((entry) => issuerFaults(entry, isOld)),
    ...keyFaults(spec, isOld),
    ...originFaults(spec),
    ...mcpRoutes(spec).flatMap((route) => [
      ...propFaults(route),
      ...literalFaults(route),
      ...(isOld ? credentialFaults(route) : []),
    ]),
  ];
  // Only a config that the parser accepts can be rendered.
  return configProblems(spec).length > 0 ? faults : [...faults, ...expansionFaults(spec)];
}

function issuerFaults({ issuer, introspection, jwks }: IssuerEntry, isOld: boolean): Fault[] {
  const { url, options } = jwks._choice;
  const faults: Fault[] = [];
  if (url !== undefined && isOld) {
    faults.push({
      where: 'jwks',
      want: 'must be a file with agentgateway v0.12, which fetches a URL once and never again',
      got: url,
      next: `${NEXT}, v1.4, or JwksSource.fromFile`,
    });
  }
  if (url !== undefined && options?.ca !== undefined) {
    faults.push({
      where: 'jwks.ca',
      want: 'must not be set with agentgateway, which verifies a key set URL against public roots only',
      got: url,
      next: `${NEXT}, or JwksSource.fromFile`,
    });
  }
  if (introspection !== undefined) {
    faults.push({
      where: 'auth.introspection',
      want: 'must not be used with agentgateway, which reads JWTs only',
      got: issuer,
      next: NEXT,
    });
  }
  return faults;
}

function keyFaults(spec: GatewaySpec, isOld: boolean): Fault[] {
  const curves = isOld ? ['P-256', 'P-384'] : ['P-256', 'P-384', 'Ed25519'];
  return Object.values(inlineKeySets(spec))
    .flatMap((text) => (JSON.parse(text) as { keys: Key[] }).keys)
    .filter(({ kty, crv }) => kty !== 'RSA' && !curves.includes(crv!))
    .map(({ kid }): Fault => ({
      where: 'jwks',
      want: `must hold only keys that agentgateway loads: RSA, ${curves.join(', ')}`,
      got: kid,
      next: `remove the key, or ${NEXT}`,
    }));
}

function originFaults({ originFrom }: GatewaySpec): Fault[] {
  if (originFrom !== OriginSource.FORWARDED) return [];
  return [
    {
      where: 'originFrom',
      want: 'must be CONFIG with agentgateway, whose accepted audiences are written at synth',
      got: originFrom,
      next: `name the publicOrigins, or ${NEXT}`,
    },
  ];
}

function propFaults(route: McpRouteSpec): Fault[] {
  return (['endpoints', 'serverName', 'certificateSecret', 'tokenExchange'] as const)
    .filter((key) => route[key] !== undefined)
    .map((key): Fault => ({
      where: `route "${route.name}" ${PROP[key]}`,
      want: 'must be left out with agentgateway, which calls the backend itself',
      got: key === 'tokenExchange' ? route.tokenExchange?.url : route[key],
      next: NEXT,
    }));
}

function literalFaults({ name, backendUrl }: McpRouteSpec): Fault[] {
  if (!new URL(backendUrl).hostname.startsWith('[')) return [];
  return [
    {
      where: `route "${name}" backend`,
      want: 'must not be an IPv6 literal with agentgateway',
      got: backendUrl,
      next: `name a host, or ${NEXT}`,
    },
  ];
}

function credentialFaults({ name, credentialHeader, credentialPrefix }: McpRouteSpec): Fault[] {
  if (credentialHeader === undefined && credentialPrefix === undefined) return [];
  return [
    {
      where: `route "${name}" credentialHeader`,
      want: 'must be left out with agentgateway v0.12, which knows "Authorization: Bearer" only',
      next: `${NEXT}, or v1.4`,
    },
  ];
}

function expansionFaults(spec: GatewaySpec): Fault[] {
  const line = agentgatewayYaml(spec)
    .split('\n')
    .find((text) => text.includes('$'));
  if (line === undefined) return [];
  return [
    {
      where: 'dataPlane',
      want: 'must have no "$" in any value: agentgateway expands it with its environment',
      got: line.trim(),
      next: `rename the value, or ${NEXT}`,
    },
  ];
}
