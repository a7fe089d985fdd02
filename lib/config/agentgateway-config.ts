/**
 * agentgateway's own config. No dollar sign may stand in it: the whole text is expanded with the environment
 * before it is parsed.
 *
 * @see https://agentgateway.dev/docs/
 */
import { isIP } from 'node:net';
import { Yaml } from 'cdk8s';
import { GatewaySpec, McpRouteSpec, mcpRoutes } from '../spec/gateway-spec';
import { oncePer } from '../support/memo';
import { ANSWER_MARK, dataPlaneEndpoint, DIR, PORT, PROXY_ADDRESS } from '../support/ports-and-paths';
import { AgentgatewayVersion } from '../values/data-plane';
import { routeFile } from './mounted-files';
import { effectiveConfig } from './proxy-config';

/** All that it asks of who calls it: which tokens and proofs are good the proxy alone decides (decision 33). */
const FROM_PROXY = `source.address == "${PROXY_ADDRESS}"`;
const mounted = (path: string) => `${DIR.dataPlane}/${path}`;

export const agentgatewayYaml = oncePer((spec: GatewaySpec) => Yaml.stringify(agentgatewayConfig(spec)));

export function agentgatewayConfig(spec: GatewaySpec): object {
  return spec.dataPlane._version === AgentgatewayVersion.V0_12 ? v0(spec) : v1(spec);
}

function v1(spec: GatewaySpec): object {
  return {
    config: { adminAddr: 'off', ...processConfig(spec, 'off') },
    frontendPolicies: {
      ...FRONTEND,
      connect: { mode: 'deny' },
      networkAuthorization: { rules: [FROM_PROXY] },
      tracing: NO_SPANS,
    },
    gateways: { default: { port: PORT.dataPlane, protocol: 'HTTP' } },
    routes: endpointsOf(spec).map(({ route, url, names }) => ({
      ...names,
      gateways: 'default',
      matches: matches(spec, route),
      policies: { ...urlRewrite(route), ...MARK_ANSWERS },
      backends: [backend(route, url, credentialV1)],
    })),
  };
}

function v0(spec: GatewaySpec): object {
  return {
    config: {
      adminAddr: 'localhost:15000',
      ...processConfig(spec, `localhost:${PORT.dataPlaneStats}`),
    },
    frontendPolicies: FRONTEND,
    binds: [
      {
        port: PORT.dataPlane,
        listeners: [
          {
            name: 'http',
            protocol: 'HTTP',
            routes: endpointsOf(spec).map(({ route, url, names }) => ({
              ...names,
              matches: matches(spec, route),
              // It cannot restrict the listener, and it knows no variable that only a backend's answer has.
              policies: { ...urlRewrite(route), authorization: { rules: [FROM_PROXY] } },
              backends: [backend(route, url, credentialV0)],
            })),
          },
        ],
      },
    ],
  };
}

interface Endpoint {
  readonly route: McpRouteSpec;
  readonly url: URL;
  /** By what agentgateway knows it. Without `hostnames` it is asked under any Host. */
  readonly names: { readonly name: string; readonly hostnames?: readonly string[] };
}

/**
 * What becomes a route of agentgateway: the backend of one of ours, or each of its endpoints. Which endpoint has a
 * request the proxy says by the address that it calls: it alone knows where a session of MCP began. A dot stands in no
 * name of a route, so that none is given twice.
 */
function endpointsOf(spec: GatewaySpec): Endpoint[] {
  return mcpRoutes(spec).flatMap((route): Endpoint[] => {
    const { name, backendUrl, endpoints } = route;
    if (endpoints === undefined) return [{ route, url: new URL(backendUrl), names: { name } }];
    return endpoints.map((endpoint, i) => ({
      route,
      url: new URL(endpoint),
      names: { name: `${name}.${i}`, hostnames: [dataPlaneEndpoint(i)] },
    }));
  });
}

const FRONTEND = {
  http: { maxBufferSize: 1_048_576, http1IdleTimeout: '60s' },
  accessLog: {
    add: {
      // By itself it logs the path with its query, in which clients put secrets.
      'http.path': 'request.path',
      // As the proxy's audit line has it.
      'request.id': 'request.headers["x-request-id"]',
    },
  },
};

/**
 * Without it every `traceparent` is replaced by one that names a span of agentgateway's, which nobody exports. The
 * proxy's span stays the backend's parent. A policy must name a collector; of nothing sampled nothing is sent to it.
 */
const NO_SPANS = { host: '127.0.0.1:4317', randomSampling: false, clientSampling: false };

/**
 * Without a minimum (`connectionMinTerminationDeadline`) it ends as soon as it is told to: by then the proxy, its only
 * client, has ended. With one it would wait that long even where nothing is open.
 * @param noStats where metrics are that nobody may scrape
 */
function processConfig(spec: GatewaySpec, noStats: string): object {
  const everywhere = (port: number) => `${spec.dataPlane._ipv6 ? '[::]' : '0.0.0.0'}:${port}`;
  return {
    statsAddr: spec.metricsPeer === undefined ? noStats : everywhere(PORT.dataPlaneStats),
    // For kubelet, which asks the pod's address.
    readinessAddr: everywhere(PORT.dataPlaneReadiness),
    ...(spec.dataPlane._ipv6 ? {} : { enableIpv6: false }),
    workerThreads: `${threadsOf(spec)}`,
    backend: connections(spec),
    logging: { level: 'info', format: 'json' },
  };
}

/**
 * What the props of the gateway say of connections to backends holds for those that agentgateway makes; it has one
 * time to connect for all of them, so it has the longest. By itself it would keep one for 90 s without a request: a
 * server that closes earlier would be asked on a connection that is closing.
 */
function connections(spec: GatewaySpec): object {
  const { upstream, routes } = effectiveConfig(spec);
  const ofRoutes = routes.flatMap((route) =>
    route.kind === 'mcp' ? [route.timeouts.connectTimeoutSeconds ?? upstream.connectTimeoutSeconds] : [],
  );
  return {
    // A gateway without MCP routes calls no backend through it.
    connectTimeout: duration(ofRoutes.length > 0 ? Math.max(...ofRoutes) : upstream.connectTimeoutSeconds),
    poolIdleTimeout: duration(upstream.maxIdleSeconds),
  };
}

const duration = (seconds: number) =>
  Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`;

function matches(spec: GatewaySpec, route: McpRouteSpec): object[] {
  const { methods } = effectiveConfig(spec).routes.find((r) => r.name === route.name)!;
  return methods.map((method) => ({ path: { pathPrefix: route.pathPrefix }, method }));
}

/**
 * The variable is there only when a backend answered. Where it is not, the field is taken off: a backend's own never
 * passes.
 */
const MARK_ANSWERS = {
  transformations: { response: { set: { [ANSWER_MARK]: 'string(proxy.upstreamDuration)' } } },
};

/**
 * By itself it has one for each core of the node, and memory for each. It takes a third of the CPU that the proxy takes
 * for a request; 2 are what its memory was measured with.
 */
const threadsOf = ({ workers = 1 }: GatewaySpec) => Math.max(2, Math.ceil(workers / 2));

/** Without it agentgateway asks with the backend's name, without a port, and the path that the client sent. */
function urlRewrite({ backendUrl, backendHost }: McpRouteSpec): object {
  const { pathname } = new URL(backendUrl);
  const rewrite = {
    ...(backendHost === undefined ? {} : { authority: { full: backendHost } }),
    ...(pathname === '/' ? {} : { path: { prefix: pathname } }),
  };
  return Object.keys(rewrite).length === 0 ? {} : { urlRewrite: rewrite };
}

function backend(
  route: McpRouteSpec,
  url: URL,
  credential: (route: McpRouteSpec, file: string) => object,
): object {
  const policies = {
    ...(url.protocol === 'https:' ? { backendTLS: backendTls(route) } : {}),
    ...(route.credential === undefined
      ? {}
      : { backendAuth: { key: credential(route, mounted(routeFile(route, 'credential'))) } }),
    ...(route.backendHeaders === undefined ? {} : { requestHeaderModifier: { set: route.backendHeaders } }),
  };
  return {
    host: `${url.hostname}:${route.backendPort}`,
    ...(Object.keys(policies).length === 0 ? {} : { policies }),
  };
}

/** Without a name SNI is the backend's host, and the certificate must have that. */
function backendTls(route: McpRouteSpec): object {
  const { ca, certificateSecret } = route;
  const name = serverName(route);
  const file = (of: Parameters<typeof routeFile>[1]) => mounted(routeFile(route, of));
  return {
    ...(name === undefined ? {} : { hostname: name }),
    ...(ca === undefined ? {} : { root: file('ca.crt') }),
    ...(certificateSecret === undefined ? {} : { cert: file('client.crt'), key: file('client.key') }),
  };
}

/** As the proxy has it where it calls the backend itself. */
function serverName({ serverName: said, backendHost }: McpRouteSpec): string | undefined {
  const host = backendHost?.replace(/:\d+$/, '');
  if (said !== undefined || host === undefined) return said;
  return isIP(host.replace(/^\[|\]$/g, '')) === 0 ? host : undefined;
}

const credentialV0 = (_: McpRouteSpec, file: string) => ({ file });
const credentialV1 = (route: McpRouteSpec, file: string) => {
  if (route.credentialHeader === undefined && route.credentialPrefix === undefined) return { file };
  return {
    value: { file },
    location: {
      header: {
        name: route.credentialHeader ?? 'authorization',
        prefix: route.credentialPrefix ?? 'Bearer ',
      },
    },
  };
};
