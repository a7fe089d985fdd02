/** What agentgateway, behind the proxy, cannot do: each prop that asks for it is refused. */
import { agentgatewayYaml } from '../config/agentgateway-config';
import { configProblems } from '../config/proxy-config';
import { agentgatewayMebibytes, leastAgentgatewayMebibytes } from '../spec/agentgateway-memory';
import { GatewaySpec, mcpRoutes, McpRouteSpec, usesAgentgateway } from '../spec/gateway-spec';
import { inlineKeySets, IssuerEntry, issuersOf } from '../spec/issuers';
import { Violation } from '../support/text';
import { AgentgatewayVersion } from '../values/data-plane';
import { OriginSource } from '../values/origin-source';

/** What of a route it would do otherwise than the proxy. */
const OTHERWISE = {
  endpoints: {
    prop: 'backendEndpoints',
    want: 'must be left out with agentgateway, which leaves no MCP session at its endpoint',
  },
  tokenExchange: {
    prop: 'tokenExchange',
    want: 'must be left out with agentgateway, which calls the backend itself',
  },
} as const;

interface Key {
  readonly kid: string;
  readonly kty: string;
  readonly crv?: string;
}

const NEXT = 'choose DataPlane.direct()';

export function dataPlaneViolations(spec: GatewaySpec): Violation[] {
  if (!usesAgentgateway(spec)) return [];
  const isOld = spec.dataPlane._version === AgentgatewayVersion.V0_12;
  const violations = [
    ...issuersOf(spec).flatMap((entry) => issuerViolations(entry, isOld)),
    ...keyViolations(spec, isOld),
    ...originViolations(spec),
    ...memoryViolations(spec),
    ...mcpRoutes(spec).flatMap((route) => [
      ...propViolations(route),
      ...literalViolations(route),
      ...(isOld ? credentialViolations(route) : []),
    ]),
  ];
  // Only a config that the parser accepts can be rendered.
  return configProblems(spec).length > 0 ? violations : [...violations, ...expansionViolations(spec)];
}

function issuerViolations({ issuer, introspection, jwks }: IssuerEntry, isOld: boolean): Violation[] {
  const { url, options, discover } = jwks._choice;
  const violations: Violation[] = [];
  if (discover) {
    violations.push({
      where: 'jwks',
      want: 'must not be discovered with agentgateway, which takes the URL of a key set',
      got: url,
      next: `${NEXT}, JwksSource.fromUrl or JwksSource.fromFile`,
    });
  }
  if (url !== undefined && isOld) {
    violations.push({
      where: 'jwks',
      want: 'must be a file with agentgateway v0.12, which fetches a URL once and never again',
      got: url,
      next: `${NEXT}, v1.4, or JwksSource.fromFile`,
    });
  }
  if (url !== undefined && options?.ca !== undefined) {
    violations.push({
      where: 'jwks.ca',
      want: 'must not be set with agentgateway, which verifies a key set URL against public roots only',
      got: url,
      next: `${NEXT}, or JwksSource.fromFile`,
    });
  }
  if (url !== undefined && options?.peer === undefined) {
    violations.push({
      where: 'jwks.peer',
      want: 'must be set with agentgateway, which fetches the key set itself and knows no egress proxy',
      got: url,
      next: `name who answers there, ${NEXT}, or JwksSource.fromFile`,
    });
  }
  if (introspection !== undefined) {
    violations.push({
      where: 'auth.introspection',
      want: 'must not be used with agentgateway, which reads JWTs only',
      got: issuer,
      next: NEXT,
    });
  }
  return violations;
}

function keyViolations(spec: GatewaySpec, isOld: boolean): Violation[] {
  const curves = isOld ? ['P-256', 'P-384'] : ['P-256', 'P-384', 'Ed25519'];
  return Object.values(inlineKeySets(spec))
    .flatMap((text) => (JSON.parse(text) as { keys: Key[] }).keys)
    .filter(({ kty, crv }) => kty !== 'RSA' && !curves.includes(crv!))
    .map(({ kid }): Violation => ({
      where: 'jwks',
      want: `must hold only keys that agentgateway loads: RSA, ${curves.join(', ')}`,
      got: kid,
      next: `remove the key, or ${NEXT}`,
    }));
}

function originViolations({ originFrom }: GatewaySpec): Violation[] {
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

/** Less, and it is killed with every stream that is open. */
function memoryViolations(spec: GatewaySpec): Violation[] {
  const [least, got] = [leastAgentgatewayMebibytes(spec), agentgatewayMebibytes(spec)];
  if (got >= least) return [];
  return [
    {
      where: 'dataPlane.memory',
      want: `must be at least ${least} MiB for the streams and requests that the routes may have open`,
      got: `${got} MiB`,
      next: 'give more, lower upstream.maxStreams and upstream.maxSockets, or give routes to another gateway',
    },
  ];
}

function propViolations(route: McpRouteSpec): Violation[] {
  return (['endpoints', 'tokenExchange'] as const)
    .filter((key) => route[key] !== undefined)
    .map((key): Violation => ({
      where: `route "${route.name}" ${OTHERWISE[key].prop}`,
      want: OTHERWISE[key].want,
      got: key === 'tokenExchange' ? route.tokenExchange?.url : route[key],
      next: NEXT,
    }));
}

function literalViolations({ name, backendUrl }: McpRouteSpec): Violation[] {
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

function credentialViolations({ name, credentialHeader, credentialPrefix }: McpRouteSpec): Violation[] {
  if (credentialHeader === undefined && credentialPrefix === undefined) return [];
  return [
    {
      where: `route "${name}" credentialHeader`,
      want: 'must be left out with agentgateway v0.12, which knows "Authorization: Bearer" only',
      next: `${NEXT}, or v1.4`,
    },
  ];
}

function expansionViolations(spec: GatewaySpec): Violation[] {
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
