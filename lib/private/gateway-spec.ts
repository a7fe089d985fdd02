/** What the constructs know, as one plain value: every function that renders a manifest takes this and nothing else. */
import { Duration, Size } from 'cdk8s';
import { ApiServerAccess } from '../api-server-access';
import { AuthProfile } from '../auth-profile';
import { SigningAlgorithm } from '../auth-profile-options';
import { CaBundle } from '../ca-bundle';
import { DataPlane } from '../data-plane';
import { Image } from '../image';
import { JwksSource } from '../jwks-source';
import { GatewayLimits, UpstreamTimeouts } from '../limits';
import type { McpRevision, McpRule, OutlierEjection } from '../mcp-route';
import { IpFamily, NetworkPolicyFlavor } from '../network';
import { OriginSource } from '../origin-source';
import { Peer } from '../peer';
import { RateLimit } from '../rate-limit';
import { ReplayStore } from '../replay-store';
import { SecretSource } from '../secret-source';
import { TokenExchange } from '../token-exchange';
import { Tracing } from '../tracing';

interface RouteCommon {
  readonly name: string;
  readonly pathPrefix: string;
  readonly methods?: string[];
  /** Absent: the gateway's. */
  readonly auth?: AuthProfile;
  readonly rateLimit?: RateLimit;
}

export interface McpRouteSpec extends RouteCommon {
  readonly kind: 'mcp';
  readonly backendUrl: string;
  readonly backendPort: number;
  readonly backendPeer: Peer;
  readonly ca?: CaBundle;
  readonly serverName?: string;
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

export interface GatewaySpec {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Record<string, string>;
  readonly selectorLabels: Record<string, string>;
  readonly serviceAccountName: string;
  readonly replicas: number;
  readonly workers?: number;
  readonly podDisruptionBudget: boolean;
  readonly publicOrigins: string[];
  readonly publicPathPrefix?: string;
  readonly trustedPeers?: string[];
  readonly originFrom?: OriginSource;
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
  readonly drain?: Duration;
  readonly preStop: Duration;
  readonly ephemeralStorage: Size;
  readonly kubernetesMinor: number;
  readonly nodeFeatures: NodeFeatures;
  readonly apiServer?: ApiServerAccess;
  readonly metricsPeer?: Peer;
  readonly tracing?: Tracing;
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

/** What the process has, each further worker, and what the memory store takes when it is full, of which the base has room for the default. */
const MEBIBYTES = { process: 64, worker: 40, proofBytes: 24, proofs: 1_000_000 };
const storeMebibytes = ({ replayStore: { _redis, _memory } }: Pick<GatewaySpec, 'replayStore'>) =>
  _redis !== undefined
    ? 0
    : Math.ceil(((_memory?.maxEntries ?? MEBIBYTES.proofs) * MEBIBYTES.proofBytes) / 2 ** 20);

/** Below it the process does not fit. */
export const leastMebibytes = (spec: Pick<GatewaySpec, 'replayStore' | 'workers'>) =>
  MEBIBYTES.process + MEBIBYTES.worker * Math.max(0, (spec.workers ?? 1) - 1) + storeMebibytes(spec);
/** With room for streams, and for a burst. */
export const usualMebibytes = (spec: Pick<GatewaySpec, 'replayStore' | 'workers'>) =>
  256 + 64 * Math.max(0, (spec.workers ?? 1) - 1) + Math.max(0, storeMebibytes(spec) - 23);

/** Images of the pod that a push to their registry would change. */
export const unpinnedImages = (spec: GatewaySpec): Image[] =>
  [spec.image, ...(usesAgentgateway(spec) ? [spec.dataPlane._image!] : [])].filter(
    ({ unpinnedReason }) => unpinnedReason !== undefined,
  );

/** Longest prefix first, as both the proxy and agentgateway match; ties by name, so that the order of calls never shows. */
export function byPrecedence(a: RouteSpec, b: RouteSpec): number {
  return (
    b.pathPrefix.length - a.pathPrefix.length ||
    compare(a.pathPrefix, b.pathPrefix) ||
    compare(a.name, b.name)
  );
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
