/** Props -> the gateway's config, in the words of the schema that the proxy parses. No default stands here. */
import type { Config, ConfigInput } from '../../assets/types/config/index';
import {
  authOf,
  GatewaySpec,
  McpRouteSpec,
  RouteSpec,
  SecretsRouteSpec,
  usesAgentgateway,
  maxConnections,
} from '../spec/gateway-spec';
import { directHosts } from '../spec/questions';
import { audienceOf, IssuerEntry, issuerOf, issuersOf } from '../spec/issuers';
import { written } from '../support/fields';
import { canonicalJson } from '../support/json';
import { oncePer } from '../support/memo';
import { parseConfig } from '../support/parser';
import {
  ANSWER_MARK,
  API_SERVER,
  dataPlaneEndpoint,
  DIR,
  PORT,
  PROXY_ADDRESS,
} from '../support/ports-and-paths';
import {
  DPOP,
  DPOP_NONCE,
  DRAIN,
  EGRESS_FIELDS,
  GATEWAY,
  HEARTBEAT,
  INTROSPECTION,
  ISSUER,
  JWKS_DISCOVERY,
  JWKS_URL,
  LIMITS,
  MCP_RULE,
  MEMORY_STORE,
  MTLS,
  OUTLIER,
  RATE_LIMIT,
  REDIS_STORE,
  REFUSALS_PER_ADDRESS,
  REQUESTS_PER_ADDRESS,
  ROUTE_TIMEOUTS,
  SELF_SIGNED,
  TOKEN_EXCHANGE,
  TRACING_FIELDS,
  UPSTREAM,
} from '../values/config-fields';
import { AgentgatewayVersion, DataPlane } from '../values/data-plane';
import { EgressProxy } from '../values/egress-proxy';
import { JwksSource } from '../values/jwks-source';
import { RedisTopology } from '../values/replay-store';
import { TokenExchange } from '../values/token-exchange';
import { Tracing } from '../values/tracing';
import {
  caPath,
  credentialPath,
  EGRESS_PROXY,
  profileSecretPath,
  REDIS_PASSWORD,
  routeFile,
  SENTINEL_PASSWORD,
  TLS_FILES,
  TRACING,
} from './mounted-files';

/**
 * `T` with every key mentioned, down to the leaves: a field added to the schema and forgotten here does not
 * compile.
 */
type Mentioned<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? Mentioned<U>[]
    : { [K in keyof Required<T>]: Mentioned<T[K & keyof T]> };
type Model = Mentioned<ConfigInput>;
type RouteModel = Model['routes'][number];
type Backend<K> = Extract<RouteModel, { kind: K }>['backend'];

/** The values of an enum as the literals that the schema lists. */
const words = <E extends string>(values: E[] | undefined) => values?.map((value) => value as `${E}`);
const inConfig = (path: string) => `${DIR.config}/${path}`;
const file = (path: string) => ({ file: inConfig(path) });

export function modelOf(spec: GatewaySpec): Model {
  const { limits, upstream } = spec;
  return {
    version: 1,
    listen: {
      host: undefined,
      port: PORT.traffic,
      tls: spec.tlsSecretName === undefined ? undefined : certificateOf(TLS_FILES),
    },
    admin: { host: undefined, port: PORT.admin },
    ...written(spec, GATEWAY),
    ...written(spec, DRAIN),
    issuers: issuersOf(spec).map((entry) => issuer(spec, entry)),
    replay: replay(spec),
    routes: spec.routes.map((route) =>
      route.kind === 'mcp' ? mcpRoute(spec, route) : secretsRoute(spec, route),
    ),
    limits: {
      ...written(limits, LIMITS),
      maxConnections: maxConnections(spec),
      requestsPerAddress:
        limits.requestsPerAddress && written(limits.requestsPerAddress, REQUESTS_PER_ADDRESS),
      refusalsPerAddress:
        limits.refusalsPerAddress && written(limits.refusalsPerAddress, REFUSALS_PER_ADDRESS),
    },
    upstream: written(upstream, UPSTREAM),
    // Absent: standard output, which the cluster's log collection already reads.
    audit: { file: undefined },
    tracing: spec.tracing && tracing(spec.tracing),
    egressProxy: spec.egressProxy && egressProxy(spec, spec.egressProxy),
    // preStop sleeps before SIGTERM: kubelet's own way to the same end.
    lameDuckSeconds: undefined,
  };
}

const tracing = (said: Tracing): Model['tracing'] => ({
  ...written(said, TRACING_FIELDS),
  caFile: said.ca && inConfig(caPath(TRACING)),
  authorization: said.authorization && file(credentialPath(TRACING)),
});

const egressProxy = (spec: GatewaySpec, said: EgressProxy): Model['egressProxy'] => ({
  ...written(said, EGRESS_FIELDS),
  caFile: said.ca && inConfig(caPath(EGRESS_PROXY)),
  credentials: said.credentials && file(credentialPath(EGRESS_PROXY)),
  direct: directHosts(spec),
});

function issuer(
  spec: GatewaySpec,
  {
    name,
    issuer: iss,
    jwks,
    file: jwksFile,
    introspection,
    introspectionOf,
    issuerPreset,
    legacyTyp,
  }: IssuerEntry,
): Model['issuers'][number] {
  return {
    name,
    algorithms: words(spec.algorithms),
    ...written({ issuer: iss, issuerPreset, legacyTyp }, ISSUER),
    introspection: introspection && {
      ...written(introspection, INTROSPECTION),
      clientSecret: file(profileSecretPath(introspectionOf, 'introspection')),
      caFile: introspection.ca && inConfig(caPath(`introspection-${name}`)),
    },
    jwks: keySet(name, jwks, jwksFile),
  };
}

function keySet(
  name: string,
  { _choice: choice }: JwksSource,
  path: string,
): Model['issuers'][number]['jwks'] {
  if (choice.url === undefined) return file(path);
  const { url, discover, options } = choice;
  const caFile = options?.ca && inConfig(caPath(`jwks-${name}`));
  return discover
    ? { discover: true, ...written(options, JWKS_DISCOVERY), caFile }
    : { ...written({ url, ...options! }, JWKS_URL), caFile };
}

function replay({ replayStore: { _memory, _redis } }: GatewaySpec): Model['replay'] {
  if (_redis === undefined) {
    return { store: 'memory', ...written(_memory, MEMORY_STORE) };
  }
  return {
    store: 'redis',
    url:
      `redis${_redis.tls === false ? '' : 's'}://` +
      `${_redis.host.includes(':') ? `[${_redis.host}]` : _redis.host}:${_redis.port ?? PORT.redis}`,
    ...written(_redis, REDIS_STORE),
    password: _redis.password && file(credentialPath(REDIS_PASSWORD)),
    caFile: _redis.ca && inConfig(caPath('redis')),
    topology: topology(_redis.topology),
  };
}

function topology(
  chosen: RedisTopology | undefined,
): Extract<Model['replay'], { store: 'redis' }>['topology'] {
  if (chosen === undefined || chosen._kind === 'single') return undefined;
  if (chosen._kind === 'cluster') return { kind: 'cluster', nodes: chosen._addresses };
  const { master, password } = chosen._sentinel!;
  return {
    kind: 'sentinel',
    master,
    sentinels: chosen._addresses,
    password: password && file(credentialPath(SENTINEL_PASSWORD)),
  };
}

function mcpRoute(spec: GatewaySpec, route: McpRouteSpec): RouteModel {
  return {
    kind: 'mcp',
    name: route.name,
    pathPrefix: route.pathPrefix,
    methods: route.methods as ('GET' | 'POST' | 'DELETE')[] | undefined,
    auth: auth(spec, route),
    rateLimit: rateLimit(spec, route),
    timeouts: route.timeouts && written(route.timeouts, ROUTE_TIMEOUTS),
    ...written(route, HEARTBEAT),
    allowedOrigins: route.allowedOrigins,
    revisions: words(route.revisions),
    allow: route.allow?.map((rule) => written(rule, MCP_RULE)),
    backend: usesAgentgateway(spec) ? throughAgentgateway(spec, route) : direct(route),
  };
}

/**
 * The path stays as it is: agentgateway matches the same prefixes and does the rewriting. It takes what comes from
 * one address, and gets no token of a caller: what the proxy admits, it admits (decision 33). One that the proxy got
 * in exchange is the backend's, and goes through it.
 */
const throughAgentgateway = (spec: GatewaySpec, route: McpRouteSpec): Backend<'mcp'> => ({
  url: `http://127.0.0.1:${PORT.dataPlane}`,
  localAddress: PROXY_ADDRESS,
  // v0.12 has no way to set it.
  answerMark: spec.dataPlane._version === AgentgatewayVersion.V1_4 ? ANSWER_MARK : undefined,
  host: undefined,
  redirectBases: redirectBases(route),
  endpoints: route.endpoints?.map((_, i) => `http://${dataPlaneEndpoint(i)}:${PORT.dataPlane}`),
  outlier: route.outlier && written(route.outlier, OUTLIER),
  caFile: undefined,
  clientCertificate: undefined,
  serverName: undefined,
  credential: route.tokenExchange && exchange(route, route.tokenExchange),
});

/** The URLs that MCP servers have of themselves, by the Host and the path that agentgateway asks them with. */
function redirectBases({ backendUrl, backendHost, endpoints = [backendUrl] }: McpRouteSpec): string[] {
  const { protocol, pathname } = new URL(backendUrl);
  const hosts = backendHost === undefined ? endpoints.map((each) => new URL(each).host) : [backendHost];
  return hosts.map((host) => `${protocol}//${host}${pathname}`);
}

const certificateOf = ({ cert, key }: { cert: string; key: string }) => ({
  certFile: inConfig(cert),
  keyFile: inConfig(key),
});

const direct = (route: McpRouteSpec): Backend<'mcp'> => ({
  url: route.backendUrl,
  localAddress: undefined,
  answerMark: undefined,
  endpoints: route.endpoints,
  outlier: route.outlier && written(route.outlier, OUTLIER),
  caFile: route.ca && inConfig(routeFile(route, 'ca.crt')),
  clientCertificate:
    route.certificateSecret === undefined
      ? undefined
      : certificateOf({ cert: routeFile(route, 'client.crt'), key: routeFile(route, 'client.key') }),
  serverName: route.serverName,
  host: route.backendHost,
  redirectBases: undefined,
  credential: route.tokenExchange ? exchange(route, route.tokenExchange) : credentialFile(route),
});

const credentialFile = (route: McpRouteSpec): Backend<'mcp'>['credential'] =>
  route.credential && {
    kind: 'file',
    file: inConfig(routeFile(route, 'credential')),
    header: route.credentialHeader,
    prefix: route.credentialPrefix,
  };

const exchange = (route: McpRouteSpec, said: TokenExchange): Backend<'mcp'>['credential'] => ({
  kind: 'exchange',
  ...written(said, TOKEN_EXCHANGE),
  clientSecret: file(routeFile(route, 'exchange-secret')),
  caFile: said.ca && inConfig(routeFile(route, 'exchange-ca.crt')),
});

function secretsRoute(spec: GatewaySpec, route: SecretsRouteSpec): RouteModel {
  return {
    kind: 'secrets',
    name: route.name,
    pathPrefix: route.pathPrefix,
    methods: route.methods as ('GET' | 'HEAD')[] | undefined,
    auth: auth(spec, route),
    rateLimit: rateLimit(spec, route),
    timeouts: route.timeouts && written(route.timeouts, ROUTE_TIMEOUTS),
    backend: {
      url: API_SERVER,
      caFile: `${DIR.apiToken}/ca.crt`,
      tokenFile: `${DIR.apiToken}/token`,
      namespace: spec.namespace,
      secretNames: route.secretNames,
      secretKeys: route.secretKeys,
    },
  };
}

function auth(spec: GatewaySpec, route: RouteSpec): RouteModel['auth'] {
  const profile = authOf(spec, route);
  const common = { issuers: [issuerOf(spec, route).name], audiences: [audienceOf(spec, route)] };
  switch (profile._profile) {
    case 'selfSigned':
      return { profile: 'selfSigned', ...common, ...written(profile._selfSigned, SELF_SIGNED) };
    case 'mtls':
      return { profile: 'mtls', ...common, ...written(profile._mtls, MTLS) };
    default:
      return {
        profile: profile._profile,
        ...common,
        ...written(profile._dpop, DPOP),
        nonce: profile._dpop?.nonce && {
          keys: file(profileSecretPath(route, 'nonce-keys')),
          ...written(profile._dpop.nonce, DPOP_NONCE),
        },
      };
  }
}

const rateLimit = (spec: GatewaySpec, route: RouteSpec): RouteModel['rateLimit'] =>
  written((route.rateLimit ?? spec.rateLimit)._options, RATE_LIMIT);

/** The text of config.json. */
export const configText = oncePer((spec: GatewaySpec) => canonicalJson(modelOf(spec)));

const parsedConfig = oncePer((spec: GatewaySpec) => parseConfig(JSON.parse(configText(spec))));

/**
 * What the proxy would refuse at start; `routes[i]` counts as `spec.routes` does. Backends that agentgateway
 * calls are checked as if the proxy did: nobody else checks them before they are used.
 */
export function configProblems(spec: GatewaySpec): readonly string[] {
  const problems = problemsOf(spec);
  if (!usesAgentgateway(spec)) return problems;
  const ofBackends = problemsOf({ ...spec, dataPlane: DataPlane.direct() }).filter((problem) =>
    /^routes\[\d+\]\.backend\b/.test(problem),
  );
  return [...new Set([...problems, ...ofBackends])];
}

function problemsOf(spec: GatewaySpec): readonly string[] {
  const parsed = parsedConfig(spec);
  return parsed.ok ? [] : parsed.problems;
}

/** The config with every default filled in, as the proxy will see it; for a config without problems only. */
export function effectiveConfig(spec: GatewaySpec): Config {
  const parsed = parsedConfig(spec);
  if (!parsed.ok) {
    throw new Error(`config of "${spec.name}" is not valid:\n  ${parsed.problems.join('\n  ')}`);
  }
  return parsed.config;
}
