/**
 * Props and the fields of the proxy's config that they become. Each pair stands here once: the config is
 * written by it, the factory of a value checks by it, and test/docs holds the docstrings of props to it.
 */
import { fields } from '../support/fields';

const token = { mode: 'mode', requiredScopes: 'requiredScopes', clockSkew: 'clockSkewSeconds' } as const;
const proof = {
  ...token,
  proofMaxAge: 'proofMaxAgeSeconds',
  proofAlgorithms: 'proofAlgorithms',
  strictHtu: 'strictHtu',
} as const;
const nonce = { lifetime: 'lifetimeSeconds', timeFromNonce: 'timeFromNonce' } as const;
const bucket = { maxTokens: 'maxTokens', tokensPerSecond: 'tokensPerSecond' } as const;

export const DPOP = fields('routes[]{mcp}.auth{dpop}', proof);
export const DPOP_NONCE = fields('routes[]{mcp}.auth{dpop}.nonce', nonce);
export const MIXED = fields('routes[]{mcp}.auth{mixed}', proof);
export const MIXED_NONCE = fields('routes[]{mcp}.auth{mixed}.nonce', nonce);
export const MTLS = fields('routes[]{mcp}.auth{mtls}', { ...token, certificateFrom: 'certificateFrom' });
export const SELF_SIGNED = fields('routes[]{mcp}.auth{selfSigned}', {
  mode: 'mode',
  clockSkew: 'clockSkewSeconds',
  maxTokenAge: 'maxTokenAgeSeconds',
  enforceHtuHtm: 'enforceHtuHtm',
  strictHtu: 'strictHtu',
});
/** What a profile says of its issuer, and whom a token must be for. */
export const ISSUER = fields('issuers[]', {
  issuer: 'issuer',
  issuerPreset: 'preset',
  legacyTyp: 'legacyTyp',
});
export const AUDIENCE = fields('routes[]{mcp}.auth{selfSigned}', { audience: 'audiences[]' });

export const INTROSPECTION = fields('issuers[].introspection', {
  url: 'url',
  always: 'always',
  clientId: 'clientId',
  timeout: 'timeoutSeconds',
  cache: 'cacheSeconds',
  maxEntries: 'maxEntries',
});
const fetched = {
  refresh: 'refreshSeconds',
  cooldown: 'cooldownSeconds',
  maxStale: 'maxStaleSeconds',
  timeout: 'timeoutSeconds',
} as const;
export const JWKS_URL = fields('issuers[].jwks', { url: 'url', ...fetched });
export const JWKS_DISCOVERY = fields('issuers[].jwks{true}', fetched);
export const RATE_LIMIT = fields('routes[]{mcp}.rateLimit', {
  maxTokens: 'maxTokens',
  tokensPerFill: 'tokensPerFill',
  fillInterval: 'fillIntervalSeconds',
  per: 'per',
  shared: 'shared',
});
export const MEMORY_STORE = fields('replay{memory}', {
  maxEntries: 'maxEntries',
  epochMargin: 'epochMarginSeconds',
});
export const REDIS_STORE = fields('replay{redis}', {
  username: 'username',
  keyPrefix: 'keyPrefix',
  timeout: 'timeoutSeconds',
  onFailure: 'onStoreFailure',
  epochMargin: 'epochMarginSeconds',
});
/** Of a Valkey that is deployed beside the gateway. */
export const VALKEY_STORE = fields('replay{redis}', {
  timeout: 'timeoutSeconds',
  onFailure: 'onStoreFailure',
  epochMargin: 'epochMarginSeconds',
});
export const REDIS_CLUSTER = fields('replay{redis}.topology{cluster}', { nodes: 'nodes' });
export const REDIS_SENTINEL = fields('replay{redis}.topology{sentinel}', {
  master: 'master',
  sentinels: 'sentinels',
});

export const LIMITS = fields('limits', {
  maxHeaderBytes: 'maxHeaderBytes',
  maxHeaderCount: 'maxHeaderCount',
  maxUrlBytes: 'maxUrlBytes',
  maxBody: 'maxBodyBytes',
  headersTimeout: 'headersTimeoutSeconds',
  keepAliveTimeout: 'keepAliveTimeoutSeconds',
  maxIdleConnections: 'maxIdleConnections',
  bodyIdleTimeout: 'bodyIdleTimeoutSeconds',
  minBodyRate: 'minBodyBytesPerSecond',
  answerIdleTimeout: 'answerIdleTimeoutSeconds',
  maxConnections: 'maxConnections',
  maxConnectionsPerAddress: 'maxConnectionsPerAddress',
  maxUnverified: 'maxUnverified',
});
export const REQUESTS_PER_ADDRESS = fields('limits.requestsPerAddress', bucket);
export const REFUSALS_PER_ADDRESS = fields('limits.refusalsPerAddress', bucket);
export const UPSTREAM = fields('upstream', {
  connect: 'connectTimeoutSeconds',
  firstByte: 'firstByteTimeoutSeconds',
  idle: 'idleTimeoutSeconds',
  total: 'totalTimeoutSeconds',
  expiryGrace: 'expiryGraceSeconds',
  maxSockets: 'maxSockets',
  maxStreams: 'maxStreams',
  maxQueued: 'maxQueued',
  maxQueueTime: 'maxQueueSeconds',
  maxIdleTime: 'maxIdleSeconds',
  maxConnectionAge: 'maxConnectionAgeSeconds',
});
export const EGRESS_FIELDS = fields('egressProxy', { url: 'url' });

export const TRACING_FIELDS = fields('tracing', {
  url: 'url',
  sampleRatio: 'sampleRatio',
  serviceName: 'serviceName',
  timeout: 'timeoutSeconds',
  exportInterval: 'exportIntervalSeconds',
  maxQueue: 'maxQueue',
});

export const ROUTE_TIMEOUTS = fields('routes[]{mcp}.timeouts', {
  connect: 'connectTimeoutSeconds',
  firstByte: 'firstByteTimeoutSeconds',
  idle: 'idleTimeoutSeconds',
  total: 'totalTimeoutSeconds',
});
export const HEARTBEAT = fields('routes[]{mcp}', { heartbeat: 'heartbeatSeconds' });
export const BACKEND = fields('routes[]{mcp}.backend', {
  backendHost: 'host',
  backendServerName: 'serverName',
  backendEndpoints: 'endpoints',
});

export const OUTLIER = fields('routes[]{mcp}.backend.outlier', {
  consecutiveFailures: 'consecutiveFailures',
  ejectFor: 'ejectSeconds',
});
export const MCP_RULE = fields('routes[]{mcp}.allow[]', {
  method: 'method',
  names: 'names',
  requiredScopes: 'requiredScopes',
  when: 'when',
});
export const TOKEN_EXCHANGE = fields('routes[]{mcp}.backend.credential{exchange}', {
  url: 'url',
  clientId: 'clientId',
  audience: 'audience',
  resource: 'resource',
  scopes: 'scopes',
  timeout: 'timeoutSeconds',
  maxEntries: 'maxEntries',
});

export const DRAIN = fields('', { drain: 'drainSeconds' });
/** Props of the gateway that synth checks: its report names the construct. */
export const GATEWAY = fields('', {
  publicOrigins: 'publicOrigins',
  publicPathPrefix: 'publicPathPrefix',
  trustedPeers: 'trustedPeers',
  originFrom: 'originFrom',
  forwardedHeader: 'forwardedHeader',
  replicas: 'replicas',
  workers: 'workers',
});
