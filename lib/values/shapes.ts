/** The props of values that are plain objects, and the kind of each. */
import {
  DURATION,
  instanceOf,
  listOf,
  NUMBER,
  oneOf,
  optional,
  recordOf,
  Shape,
  SIZE,
  struct,
  TEXT,
} from '../support/kinds';
import { AddedMetadata } from './added-metadata';
import { Autoscaling } from './autoscaling';
import { CaBundle } from './ca-bundle';
import { EgressProxy } from './egress-proxy';
import { AddressLimit, GatewayLimits, RouteTimeouts, UpstreamTimeouts } from './limits';
import { McpClaimCondition, McpRule, OutlierEjection } from './mcp';
import { Peer } from './peer';
import {
  NodeAffinity,
  NodeOperator,
  NodePreference,
  NodeRequirement,
  Scheduling,
  TaintEffect,
  Toleration,
  TolerationOperator,
  TopologySpread,
} from './scheduling';
import { SecretSource } from './secret-source';
import { TokenExchange } from './token-exchange';
import { Tracing } from './tracing';

const ADDRESS_LIMIT: Shape<AddressLimit> = { maxTokens: NUMBER, tokensPerSecond: NUMBER };

const LIMITS_SHAPE: Shape<GatewayLimits> = {
  maxHeaderBytes: optional(NUMBER),
  maxHeaderCount: optional(NUMBER),
  maxUrlBytes: optional(NUMBER),
  maxBody: optional(SIZE),
  headersTimeout: optional(DURATION),
  keepAliveTimeout: optional(DURATION),
  maxIdleConnections: optional(NUMBER),
  bodyIdleTimeout: optional(DURATION),
  minBodyRate: optional(NUMBER),
  answerIdleTimeout: optional(DURATION),
  maxConnectionsPerAddress: optional(NUMBER),
  maxConnections: optional(NUMBER),
  maxUnverified: optional(NUMBER),
  requestsPerAddress: optional(struct('AddressLimit', ADDRESS_LIMIT)),
  refusalsPerAddress: optional(struct('AddressLimit', ADDRESS_LIMIT)),
};
export const LIMITS = struct('GatewayLimits', LIMITS_SHAPE);

const UPSTREAM_SHAPE: Shape<UpstreamTimeouts> = {
  connect: optional(DURATION),
  firstByte: optional(DURATION),
  idle: optional(DURATION),
  total: optional(DURATION),
  expiryGrace: optional(DURATION),
  maxSockets: optional(NUMBER),
  maxStreams: optional(NUMBER),
  maxQueued: optional(NUMBER),
  maxQueueTime: optional(DURATION),
  maxIdleTime: optional(DURATION),
  maxConnectionAge: optional(DURATION),
};
export const UPSTREAM = struct('UpstreamTimeouts', UPSTREAM_SHAPE);

const TIMEOUTS_SHAPE: Shape<RouteTimeouts> = {
  connect: optional(DURATION),
  firstByte: optional(DURATION),
  idle: optional(DURATION),
  total: optional(DURATION),
};
export const TIMEOUTS = struct('RouteTimeouts', TIMEOUTS_SHAPE);

const OUTLIER_SHAPE: Shape<OutlierEjection> = {
  consecutiveFailures: optional(NUMBER),
  ejectFor: optional(DURATION),
};
export const OUTLIER = struct('OutlierEjection', OUTLIER_SHAPE);

const CONDITION_SHAPE: Shape<McpClaimCondition> = { claim: TEXT, oneOf: listOf(TEXT) };
const RULE_SHAPE: Shape<McpRule> = {
  method: TEXT,
  names: optional(listOf(TEXT)),
  requiredScopes: optional(listOf(TEXT)),
  when: optional(struct('McpClaimCondition', CONDITION_SHAPE)),
};
export const RULE = struct('McpRule', RULE_SHAPE);

const EXCHANGE_SHAPE: Shape<TokenExchange> = {
  url: TEXT,
  peer: optional(instanceOf(Peer)),
  clientId: TEXT,
  clientSecret: instanceOf(SecretSource),
  audience: optional(TEXT),
  resource: optional(TEXT),
  scopes: optional(listOf(TEXT)),
  ca: optional(instanceOf(CaBundle)),
  timeout: optional(DURATION),
  maxEntries: optional(NUMBER),
};
export const EXCHANGE = struct('TokenExchange', EXCHANGE_SHAPE);

const TRACING_SHAPE: Shape<Tracing> = {
  url: TEXT,
  peer: optional(instanceOf(Peer)),
  ca: optional(instanceOf(CaBundle)),
  authorization: optional(instanceOf(SecretSource)),
  sampleRatio: optional(NUMBER),
  serviceName: optional(TEXT),
  timeout: optional(DURATION),
  exportInterval: optional(DURATION),
  maxQueue: optional(NUMBER),
};
export const TRACING = struct('Tracing', TRACING_SHAPE);

const EGRESS_SHAPE: Shape<EgressProxy> = {
  url: TEXT,
  peer: instanceOf(Peer),
  ca: optional(instanceOf(CaBundle)),
  credentials: optional(instanceOf(SecretSource)),
};
export const EGRESS = struct('EgressProxy', EGRESS_SHAPE);

const TOLERATION_SHAPE: Shape<Toleration> = {
  key: optional(TEXT),
  operator: optional(oneOf(TolerationOperator)),
  value: optional(TEXT),
  effect: optional(oneOf(TaintEffect)),
  tolerationSeconds: optional(NUMBER),
};
const REQUIREMENT_SHAPE: Shape<NodeRequirement> = {
  key: TEXT,
  operator: oneOf(NodeOperator),
  values: optional(listOf(TEXT)),
};
const REQUIREMENTS = listOf(struct('NodeRequirement', REQUIREMENT_SHAPE));
const PREFERENCE_SHAPE: Shape<NodePreference> = { weight: NUMBER, requirements: REQUIREMENTS };
const AFFINITY_SHAPE: Shape<NodeAffinity> = {
  required: optional(REQUIREMENTS),
  preferred: optional(listOf(struct('NodePreference', PREFERENCE_SHAPE))),
};
const SCHEDULING_SHAPE: Shape<Scheduling> = {
  tolerations: optional(listOf(struct('Toleration', TOLERATION_SHAPE))),
  nodeSelector: optional(recordOf(TEXT)),
  nodeAffinity: optional(struct('NodeAffinity', AFFINITY_SHAPE)),
  priorityClassName: optional(TEXT),
  runtimeClassName: optional(TEXT),
  imagePullSecrets: optional(listOf(TEXT)),
  topologySpread: optional(oneOf(TopologySpread)),
};
export const SCHEDULING = struct('Scheduling', SCHEDULING_SHAPE);

const METADATA_SHAPE: Shape<AddedMetadata> = {
  labels: optional(recordOf(TEXT)),
  annotations: optional(recordOf(TEXT)),
};
export const ADDED_METADATA = struct('AddedMetadata', METADATA_SHAPE);

const AUTOSCALING_SHAPE: Shape<Autoscaling> = {
  min: optional(NUMBER),
  max: NUMBER,
  cpuUtilization: optional(NUMBER),
  openStreams: optional(NUMBER),
};
export const AUTOSCALING = struct('Autoscaling', AUTOSCALING_SHAPE);
