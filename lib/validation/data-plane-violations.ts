/** What agentgateway, behind the proxy, cannot do: each prop that asks for it is refused. */
import { agentgatewayYaml } from '../config/agentgateway-config';
import { configProblems } from '../config/proxy-config';
import { agentgatewayMebibytes, leastAgentgatewayMebibytes } from '../spec/agentgateway-memory';
import { GatewaySpec, mcpRoutes, McpRouteSpec, usesAgentgateway } from '../spec/gateway-spec';
import { MAX_DATA_PLANE_ENDPOINTS } from '../support/ports-and-paths';
import { Violation } from '../support/text';
import { AgentgatewayVersion } from '../values/data-plane';

const NEXT = 'choose DataPlane.direct()';

export function dataPlaneViolations(spec: GatewaySpec): Violation[] {
  if (!usesAgentgateway(spec)) return mcpRoutes(spec).flatMap(headerViolations);
  const isOld = spec.dataPlane._version === AgentgatewayVersion.V0_12;
  const violations = [
    ...memoryViolations(spec),
    ...mcpRoutes(spec).flatMap((route) => [
      ...endpointViolations(route),
      ...literalViolations(route),
      ...(isOld ? credentialViolations(route) : []),
    ]),
  ];
  // Only a config that the parser accepts can be rendered.
  return configProblems(spec).length > 0 ? violations : [...violations, ...expansionViolations(spec)];
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

function endpointViolations({ name, endpoints = [] }: McpRouteSpec): Violation[] {
  if (endpoints.length <= MAX_DATA_PLANE_ENDPOINTS) return [];
  return [
    {
      where: `route "${name}" backendEndpoints`,
      want: `must be at most ${MAX_DATA_PLANE_ENDPOINTS} with agentgateway`,
      got: endpoints.length,
      next: NEXT,
    },
  ];
}

function literalViolations({ name, backendUrl, endpoints = [] }: McpRouteSpec): Violation[] {
  const isLiteral = (url: string) => URL.canParse(url) && new URL(url).hostname.startsWith('[');
  const named: (readonly [string, string])[] = [
    ['backend', backendUrl],
    ...endpoints.map((endpoint, i) => [`backendEndpoints[${i}]`, endpoint] as const),
  ];
  return named
    .filter(([, url]) => isLiteral(url))
    .map(([prop, got]) => ({
      where: `route "${name}" ${prop}`,
      want: 'must not be an IPv6 literal with agentgateway',
      got,
      next: `name a host, or ${NEXT}`,
    }));
}

/** It is agentgateway that sets them. */
function headerViolations({ name, backendHeaders }: McpRouteSpec): Violation[] {
  if (backendHeaders === undefined) return [];
  return [
    {
      where: `route "${name}" backendHeaders`,
      want: 'must be left out without agentgateway, which sets them',
      got: Object.keys(backendHeaders),
      next: 'choose DataPlane.agentgateway()',
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
