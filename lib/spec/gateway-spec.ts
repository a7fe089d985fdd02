/** What the constructs know, as one plain value: every function that renders a manifest takes this and nothing else. */
import { Duration, Size } from 'cdk8s';
import { bytesFor, connectionsIn } from '../support/parser';
import { AddedMetadata } from '../values/added-metadata';
import { ApiServerAccess } from '../values/api-server-access';
import { AuthProfile } from '../values/auth-profile';
import { SigningAlgorithm } from '../values/auth-profile-options';
import { CaBundle } from '../values/ca-bundle';
import { DataPlane } from '../values/data-plane';
import { EgressProxy } from '../values/egress-proxy';
import { ExtraVolume } from '../values/extra-volume';
import { ForwardedHeader } from '../values/forwarded-header';
import { Image } from '../values/image';
import { JwksSource } from '../values/jwks-source';
import { GatewayLimits, RouteTimeouts, UpstreamTimeouts } from '../values/limits';
import { McpRevision, McpRule, OutlierEjection } from '../values/mcp';
import { IpFamily, NetworkPolicyFlavor } from '../values/network';
import { OriginSource } from '../values/origin-source';
import { Peer } from '../values/peer';
import { RateLimit } from '../values/rate-limit';
import { ReplayStore } from '../values/replay-store';
import { Scheduling } from '../values/scheduling';
import { SecretSource } from '../values/secret-source';
import { TokenExchange } from '../values/token-exchange';
import { Tracing } from '../values/tracing';

interface RouteCommon {
  readonly name: string;
  readonly pathPrefix: string;
  readonly methods?: string[];
  /** Absent: the gateway's. */
  readonly auth?: AuthProfile;
  readonly rateLimit?: RateLimit;
  readonly timeouts?: RouteTimeouts;
}

export interface McpRouteSpec extends RouteCommon {
  readonly kind: 'mcp';
  readonly backendUrl: string;
  readonly backendPort: number;
  readonly backendPeer: Peer;
  readonly ca?: CaBundle;
  readonly serverName?: string;
  readonly backendHost?: string;
  readonly backendHeaders?: { [name: string]: string };
  readonly heartbeat?: Duration;
  readonly certificateSecret?: string;
  readonly endpoints?: string[];
  readonly outlier?: OutlierEjection;
  readonly credential?: SecretSource;
  readonly credentialHeader?: string;
  readonly credentialPrefix?: string;
  readonly tokenExchange?: TokenExchange;
  readonly allowedOrigins?: string[];
  readonly allow?: McpRule[];
  readonly revisions?: McpRevision[];
}

export interface SecretsRouteSpec extends RouteCommon {
  readonly kind: 'secrets';
  readonly secretNames: string[];
  readonly secretKeys?: { [secretName: string]: string[] };
  readonly insecurePlainHttp: boolean;
}

export type RouteSpec = McpRouteSpec | SecretsRouteSpec;

/** What kubelet refuses a pod for on a node that does not have it. */
export interface NodeFeatures {
  readonly appArmor: boolean;
  readonly userNamespace: boolean;
  readonly strictSupplementalGroups: boolean;
}

/** How many pods an autoscaler may make, and when it does. */
export interface AutoscalingSpec {
  readonly min: number;
  readonly max: number;
  readonly cpuUtilization: number;
  readonly openStreams?: number;
  /** What was asked for beside it. */
  readonly replicas?: number;
}

export interface GatewaySpec {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  readonly selectorLabels: Record<string, string>;
  readonly serviceAccountName: string;
  /** With an autoscaler the fewest. */
  readonly replicas: number;
  readonly autoscaling?: AutoscalingSpec;
  readonly workers?: number;
  readonly podDisruptionBudget: boolean;
  readonly publicOrigins: string[];
  readonly publicPathPrefix?: string;
  readonly trustedPeers?: string[];
  readonly originFrom?: OriginSource;
  readonly forwardedHeader?: ForwardedHeader;
  readonly tlsSecretName?: string;
  readonly issuer: string;
  readonly audience: string;
  readonly jwks: JwksSource;
  readonly algorithms?: SigningAlgorithm[];
  readonly auth: AuthProfile;
  readonly rateLimit: RateLimit;
  readonly dataPlane: DataPlane;
  readonly replayStore: ReplayStore;
  readonly image: Image;
  readonly limits: GatewayLimits;
  readonly upstream: UpstreamTimeouts;
  readonly memory: Size;
  readonly cpuMillicores: number;
  readonly drain?: Duration;
  readonly preStop: Duration;
  readonly ephemeralStorage: Size;
  readonly kubernetesMinor: number;
  readonly nodeFeatures: NodeFeatures;
  readonly scheduling: Scheduling;
  readonly podMetadata: AddedMetadata;
  readonly serviceMetadata: AddedMetadata;
  readonly serviceAccountMetadata: AddedMetadata;
  readonly environment: Readonly<Record<string, string>>;
  readonly extraVolumes: Readonly<Record<string, ExtraVolume>>;
  readonly apiServer?: ApiServerAccess;
  readonly metricsPeer?: Peer;
  readonly tracing?: Tracing;
  readonly egressProxy?: EgressProxy;
  readonly dnsPeer: Peer;
  readonly networkPolicyFlavor: NetworkPolicyFlavor;
  readonly ipFamilies?: IpFamily[];
  readonly clients: readonly Peer[];
  /** In the order of the config file: the longest prefix first. */
  readonly routes: readonly RouteSpec[];
}

export const mcpRoutes = (spec: GatewaySpec) =>
  spec.routes.filter((route): route is McpRouteSpec => route.kind === 'mcp');
export const secretsRoutes = (spec: GatewaySpec) =>
  spec.routes.filter((route): route is SecretsRouteSpec => route.kind === 'secrets');
export const authOf = (spec: GatewaySpec, route: RouteSpec) => route.auth ?? spec.auth;
export const usesAgentgateway = (spec: GatewaySpec) => spec.dataPlane._version !== undefined;

/** Pods that there may be at a time. */
export const mostReplicas = ({ replicas, autoscaling }: Pick<GatewaySpec, 'replicas' | 'autoscaling'>) =>
  autoscaling?.max ?? replicas;

type Sized = Pick<GatewaySpec, 'replayStore' | 'workers' | 'tlsSecretName' | 'limits'>;

/** Defaults of the proxy's schema that memory depends on; test/lib/memory.test.ts holds them against it. */
export const SCHEMA_DEFAULTS = {
  maxConnections: 10_000,
  maxHeaderBytes: 16_384,
  maxEntries: 1_000_000,
  maxSockets: 1024,
  maxStreams: 1024,
};
/** A smaller pod is no gateway. */
const LEAST_CONNECTIONS = 100;

const useOf = ({ replayStore: { _redis, _memory }, workers = 1, tlsSecretName, limits }: Sized) => ({
  workers,
  proofs: _redis === undefined ? (_memory?.maxEntries ?? SCHEMA_DEFAULTS.maxEntries) : 0,
  tls: tlsSecretName !== undefined,
  maxHeaderBytes: limits.maxHeaderBytes ?? SCHEMA_DEFAULTS.maxHeaderBytes,
});
const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);

/** Below it the process does not fit, or not with the connections that were asked for. */
export const leastMebibytes = (spec: Sized) =>
  mebibytes(bytesFor(spec.limits.maxConnections ?? LEAST_CONNECTIONS, useOf(spec)));
/** With room for streams, and for a burst. */
export const usualMebibytes = (spec: Sized) => {
  const { workers = 1 } = spec;
  const store = mebibytes(24 * useOf(spec).proofs);
  return Math.max(256 + 64 * (workers - 1) + Math.max(0, store - 23), leastMebibytes(spec));
};
/** What was asked for, or as many as the memory holds, each with an event stream. */
export const maxConnections = (spec: Sized & Pick<GatewaySpec, 'memory'>) =>
  spec.limits.maxConnections ??
  Math.max(
    1,
    Math.min(SCHEMA_DEFAULTS.maxConnections, connectionsIn(spec.memory.toMebibytes() * 2 ** 20, useOf(spec))),
  );
/**
 * Half of the memory for objects, a share for each thread: the rest is for buffers, sockets, remembered proofs
 * and Node itself.
 */
export const heapMebibytes = ({ memory, workers = 1 }: Pick<GatewaySpec, 'memory' | 'workers'>) =>
  Math.floor(memory.toMebibytes() / 2 / workers);

/** Images of the pod, and of its Valkey, that a push to their registry would change. */
export const unpinnedImages = (spec: GatewaySpec): Image[] =>
  [
    spec.image,
    ...(usesAgentgateway(spec) ? [spec.dataPlane._image!] : []),
    ...(spec.replayStore._valkey === undefined ? [] : [spec.replayStore._valkey.image]),
  ].filter(({ unpinnedReason }) => unpinnedReason !== undefined);

/**
 * Longest prefix first, as both the proxy and agentgateway match; ties by name, so that the order of calls
 * never shows.
 */
export function byPrecedence(a: RouteSpec, b: RouteSpec): number {
  return (
    b.pathPrefix.length - a.pathPrefix.length ||
    compare(a.pathPrefix, b.pathPrefix) ||
    compare(a.name, b.name)
  );
}

const compare = (a: string, b: string) => Number(a > b) - Number(a < b);
