/** Props -> the gateway's config, in the words of the schema that the proxy parses. No default stands here. */
import { Duration } from 'cdk8s';
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
import { audienceOf, IssuerEntry, issuerOf, issuersOf } from '../spec/issuers';
import { canonicalJson } from '../support/json';
import { oncePer } from '../support/memo';
import { parseConfig } from '../support/parser';
import { API_SERVER, DIR, PORT } from '../support/ports-and-paths';
import { AuthProfile } from '../values/auth-profile';
import { DataPlane } from '../values/data-plane';
import { RedisTopology } from '../values/replay-store';
import { TokenExchange } from '../values/token-exchange';
import { Tracing } from '../values/tracing';
import {
  caPath,
  credentialPath,
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

/** The value of an enum as the literal that the schema lists. */
const word = <E extends string>(value: E) => value as `${E}`;
const words = <E extends string>(values: E[] | undefined) => values?.map(word);
const seconds = (duration: Duration | undefined) => duration?.toSeconds({ integral: false });
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
    publicOrigins: spec.publicOrigins,
    publicPathPrefix: spec.publicPathPrefix,
    trustedPeers: spec.trustedPeers,
    originFrom: spec.originFrom && word(spec.originFrom),
    replicas: spec.replicas,
    workers: spec.workers,
    issuers: issuersOf(spec).map((entry) => issuer(spec, entry)),
    replay: replay(spec),
    routes: spec.routes.map((route) =>
      route.kind === 'mcp' ? mcpRoute(spec, route) : secretsRoute(spec, route),
    ),
    limits: {
      maxHeaderBytes: limits.maxHeaderBytes,
      maxHeaderCount: limits.maxHeaderCount,
      maxUrlBytes: limits.maxUrlBytes,
      maxBodyBytes: limits.maxBody === undefined ? undefined : limits.maxBody.toKibibytes() * 1024,
      headersTimeoutSeconds: seconds(limits.headersTimeout),
      bodyIdleTimeoutSeconds: seconds(limits.bodyIdleTimeout),
      minBodyBytesPerSecond: limits.minBodyRate,
      answerIdleTimeoutSeconds: seconds(limits.answerIdleTimeout),
      maxConnections: maxConnections(spec),
      maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
      maxUnverified: limits.maxUnverified,
      requestsPerAddress: limits.requestsPerAddress,
      refusalsPerAddress: limits.refusalsPerAddress,
    },
    upstream: {
      connectTimeoutSeconds: seconds(upstream.connect),
      firstByteTimeoutSeconds: seconds(upstream.firstByte),
      idleTimeoutSeconds: seconds(upstream.idle),
      totalTimeoutSeconds: seconds(upstream.total),
      expiryGraceSeconds: seconds(upstream.expiryGrace),
      maxSockets: upstream.maxSockets,
      maxStreams: upstream.maxStreams,
      maxQueued: upstream.maxQueued,
      maxQueueSeconds: seconds(upstream.maxQueueTime),
      maxIdleSeconds: seconds(upstream.maxIdleTime),
      maxConnectionAgeSeconds: seconds(upstream.maxConnectionAge),
    },
    // Absent: standard output, which the cluster's log collection already reads.
    audit: { file: undefined },
    tracing: spec.tracing && tracing(spec.tracing),
    // preStop sleeps before SIGTERM: kubelet's own way to the same end.
    lameDuckSeconds: undefined,
    drainSeconds: seconds(spec.drain),
  };
}

const tracing = ({
  url,
  ca,
  authorization,
  sampleRatio,
  serviceName,
  timeout,
  exportInterval,
  maxQueue,
}: Tracing): Model['tracing'] => ({
  url,
  caFile: ca && inConfig(caPath(TRACING)),
  authorization: authorization && file(credentialPath(TRACING)),
  sampleRatio,
  serviceName,
  timeoutSeconds: seconds(timeout),
  exportIntervalSeconds: seconds(exportInterval),
  maxQueue,
});

function issuer(
  spec: GatewaySpec,
  {
    name,
    issuer: iss,
    jwks: {
      _choice: { url, options },
    },
    file: jwksFile,
    introspection,
    introspectionOf,
    legacyTyp,
  }: IssuerEntry,
): Model['issuers'][number] {
  return {
    name,
    issuer: iss,
    algorithms: words(spec.algorithms),
    legacyTyp,
    introspection: introspection && {
      url: introspection.url,
      clientId: introspection.clientId,
      clientSecret: file(profileSecretPath(introspectionOf, 'introspection')),
      caFile: introspection.ca && inConfig(caPath(`introspection-${name}`)),
      timeoutSeconds: seconds(introspection.timeout),
      cacheSeconds: seconds(introspection.cache),
      maxEntries: introspection.maxEntries,
    },
    jwks:
      url === undefined
        ? file(jwksFile)
        : {
            url,
            caFile: options?.ca && inConfig(caPath(`jwks-${name}`)),
            refreshSeconds: seconds(options?.refresh),
            cooldownSeconds: seconds(options?.cooldown),
            maxStaleSeconds: seconds(options?.maxStale),
            timeoutSeconds: seconds(options?.timeout),
          },
  };
}

function replay({ replayStore: { _memory, _redis } }: GatewaySpec): Model['replay'] {
  if (_redis === undefined) {
    return {
      store: 'memory',
      maxEntries: _memory?.maxEntries,
      epochMarginSeconds: seconds(_memory?.epochMargin),
    };
  }
  return {
    store: 'redis',
    url: `redis${_redis.tls === false ? '' : 's'}://${_redis.host.includes(':') ? `[${_redis.host}]` : _redis.host}:${_redis.port ?? PORT.redis}`,
    username: _redis.username,
    password: _redis.password && file(credentialPath(REDIS_PASSWORD)),
    caFile: _redis.ca && inConfig(caPath('redis')),
    keyPrefix: _redis.keyPrefix,
    timeoutSeconds: seconds(_redis.timeout),
    topology: topology(_redis.topology),
    onStoreFailure: _redis.onFailure && word(_redis.onFailure),
    epochMarginSeconds: seconds(_redis.epochMargin),
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
    allowedOrigins: route.allowedOrigins,
    revisions: words(route.revisions),
    allow: route.allow?.map(({ method, names, requiredScopes }) => ({ method, names, requiredScopes })),
    backend: usesAgentgateway(spec) ? throughAgentgateway() : direct(route),
  };
}

/**
 * The path stays as it is: agentgateway matches the same prefixes and does the rewriting. It wants the token,
 * and is in the pod.
 */
const throughAgentgateway = (): Backend<'mcp'> => ({
  url: `http://127.0.0.1:${PORT.dataPlane}`,
  endpoints: undefined,
  outlier: undefined,
  caFile: undefined,
  clientCertificate: undefined,
  serverName: undefined,
  credential: { kind: 'verifiedToken' },
});

const certificateOf = ({ cert, key }: { cert: string; key: string }) => ({
  certFile: inConfig(cert),
  keyFile: inConfig(key),
});

const direct = (route: McpRouteSpec): Backend<'mcp'> => ({
  url: route.backendUrl,
  endpoints: route.endpoints,
  outlier: route.outlier && {
    consecutiveFailures: route.outlier.consecutiveFailures,
    ejectSeconds: seconds(route.outlier.ejectFor),
  },
  caFile: route.ca && inConfig(routeFile(route, 'ca.crt')),
  clientCertificate:
    route.certificateSecret === undefined
      ? undefined
      : certificateOf({ cert: routeFile(route, 'client.crt'), key: routeFile(route, 'client.key') }),
  serverName: route.serverName,
  credential: route.tokenExchange ? exchange(route, route.tokenExchange) : credentialFile(route),
});

const credentialFile = (route: McpRouteSpec): Backend<'mcp'>['credential'] =>
  route.credential && {
    kind: 'file',
    file: inConfig(routeFile(route, 'credential')),
    header: route.credentialHeader,
    prefix: route.credentialPrefix,
  };

const exchange = (
  route: McpRouteSpec,
  { url, clientId, audience, resource, scopes, ca, timeout, maxEntries }: TokenExchange,
): Backend<'mcp'>['credential'] => ({
  kind: 'exchange',
  url,
  clientId,
  clientSecret: file(routeFile(route, 'exchange-secret')),
  caFile: ca && inConfig(routeFile(route, 'exchange-ca.crt')),
  audience,
  resource,
  scopes,
  timeoutSeconds: seconds(timeout),
  maxEntries,
});

function secretsRoute(spec: GatewaySpec, route: SecretsRouteSpec): RouteModel {
  return {
    kind: 'secrets',
    name: route.name,
    pathPrefix: route.pathPrefix,
    methods: route.methods as ('GET' | 'HEAD')[] | undefined,
    auth: auth(spec, route),
    rateLimit: rateLimit(spec, route),
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
  const common = {
    mode: profile._common.mode && word(profile._common.mode),
    issuers: [issuerOf(spec, route).name],
    audiences: [audienceOf(spec, route)],
    clockSkewSeconds: seconds(profile._common.clockSkew),
  };
  const { requiredScopes } = profile._common;
  switch (profile._profile) {
    case 'selfSigned':
      return { profile: 'selfSigned', ...common, ...selfSigned(profile) };
    case 'mtls':
      return { profile: 'mtls', ...common, requiredScopes, ...mtls(profile) };
    default:
      return { profile: profile._profile, ...common, requiredScopes, ...dpop(profile, route) };
  }
}

const selfSigned = ({ _selfSigned }: AuthProfile) => ({
  maxTokenAgeSeconds: seconds(_selfSigned?.maxTokenAge),
  enforceHtuHtm: _selfSigned?.enforceHtuHtm,
  strictHtu: _selfSigned?.strictHtu,
});

const mtls = ({ _mtls }: AuthProfile) => ({
  certificateFrom: _mtls?.certificateFrom && word(_mtls.certificateFrom),
});

const dpop = ({ _dpop }: AuthProfile, route: RouteSpec) => ({
  proofAlgorithms: words(_dpop?.proofAlgorithms),
  proofMaxAgeSeconds: seconds(_dpop?.proofMaxAge),
  strictHtu: _dpop?.strictHtu,
  nonce: _dpop?.nonce && {
    keys: file(profileSecretPath(route, 'nonce-keys')),
    lifetimeSeconds: seconds(_dpop.nonce.lifetime),
    timeFromNonce: _dpop.nonce.timeFromNonce,
  },
});

function rateLimit(spec: GatewaySpec, route: RouteSpec): RouteModel['rateLimit'] {
  const { maxTokens, tokensPerFill, fillInterval, per, shared } = (route.rateLimit ?? spec.rateLimit)
    ._options;
  return {
    maxTokens,
    tokensPerFill,
    fillIntervalSeconds: seconds(fillInterval),
    per: per && word(per),
    shared,
  };
}

/** The text of config.json. */
export const configText = oncePer((spec: GatewaySpec) => canonicalJson(modelOf(spec)));

const parsedConfig = oncePer((spec: GatewaySpec) => parseConfig(JSON.parse(configText(spec))));

/**
 * What the proxy would refuse at start; `routes[i]` counts as `spec.routes` does. Backends that agentgateway
 * calls are judged as if the proxy did: nobody else judges them before they are used.
 */
export function configProblems(spec: GatewaySpec): readonly string[] {
  const problems = problemsOf(spec);
  if (!usesAgentgateway(spec)) return problems;
  return [
    ...problems,
    ...problemsOf({ ...spec, dataPlane: DataPlane.direct() }).filter((problem) =>
      /^routes\[\d+\]\.backend\b/.test(problem),
    ),
  ];
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
