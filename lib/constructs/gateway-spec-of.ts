/** The spec of a gateway: its props, with each default in its place. */
import { Duration, Size, SizeRoundingBehavior } from 'cdk8s';
import { serviceHosts } from '../spec/exposure';
import { byPrecedence, GatewaySpec, mostReplicas, RouteSpec, usualMebibytes } from '../spec/gateway-spec';
import { checkFields } from '../support/fields';
import { PORT } from '../support/ports-and-paths';
import { checkMillicores, wholeMebibytes } from '../support/quantity';
import { checkObjectName, refuse } from '../support/text';
import { AuthProfile } from '../values/auth-profile';
import {
  DRAIN,
  LIMITS,
  REFUSALS_PER_ADDRESS,
  REQUESTS_PER_ADDRESS,
  EGRESS_FIELDS,
  TRACING_FIELDS,
  UPSTREAM,
} from '../values/config-fields';
import { DataPlane } from '../values/data-plane';
import { Image } from '../values/image';
import { IpFamily, NetworkPolicyFlavor } from '../values/network';
import { Peer } from '../values/peer';
import { RateLimit } from '../values/rate-limit';
import { ReplayStore } from '../values/replay-store';
import { AgentGatewayProps } from './agent-gateway-props';

const NODE_IMAGE =
  'docker.io/library/' +
  'node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6';

/** What is known of a gateway beside its props. */
export interface GatewayState {
  readonly name: string;
  readonly namespace: string;
  readonly selectorLabels: Record<string, string>;
  readonly serviceAccountName: string;
  readonly kubernetesMinor: number;
  readonly clients: readonly Peer[];
  readonly routes: readonly RouteSpec[];
}

/** Values that have no factory are checked where they are handed over. */
export function checkValues({
  limits = {},
  upstream = {},
  tracing,
  egressProxy,
  drain,
}: AgentGatewayProps): void {
  checkFields('limits', limits, LIMITS);
  checkFields('limits.requestsPerAddress', limits.requestsPerAddress ?? {}, REQUESTS_PER_ADDRESS);
  checkFields('limits.refusalsPerAddress', limits.refusalsPerAddress ?? {}, REFUSALS_PER_ADDRESS);
  checkFields('upstream', upstream, UPSTREAM);
  checkFields('', { drain }, DRAIN);
  if (egressProxy !== undefined) checkFields('egressProxy', egressProxy, EGRESS_FIELDS);
  if (tracing !== undefined) checkFields('tracing', tracing, TRACING_FIELDS);
}

export function specOf(props: AgentGatewayProps, state: GatewayState): GatewaySpec {
  return {
    ...state,
    ...edge(props, state),
    ...workload(props, state),
    ...additions(props),
    labels: {
      ...state.selectorLabels,
      'app.kubernetes.io/component': 'gateway',
      'app.kubernetes.io/managed-by': 'cdk8s',
    },
    issuer: props.issuer,
    audience: props.audience,
    jwks: props.jwks,
    algorithms: props.algorithms,
    auth: props.auth ?? AuthProfile.dpop(),
    rateLimit: props.rateLimit ?? RateLimit.tokenBucket({ maxTokens: 100, tokensPerFill: 10 }),
    dataPlane: props.dataPlane ?? DataPlane.agentgateway(),
    limits: props.limits ?? {},
    upstream: props.upstream ?? {},
    apiServer: props.apiServer,
    metricsPeer: props.metricsPeer,
    tracing: props.tracing,
    egressProxy: props.egressProxy,
    dnsPeer: props.dnsPeer ?? CLUSTER_DNS,
    networkPolicyFlavor: props.networkPolicyFlavor ?? NetworkPolicyFlavor.KUBERNETES,
    routes: [...state.routes].sort(byPrecedence),
  };
}

/** What stands beside the library's own. */
const additions = (props: AgentGatewayProps) => ({
  scheduling: props.scheduling ?? {},
  podMetadata: props.podMetadata ?? {},
  serviceMetadata: props.serviceMetadata ?? {},
  serviceAccountMetadata: props.serviceAccountMetadata ?? {},
  environment: props.environment ?? {},
  extraVolumes: props.extraVolumes ?? {},
});

/** Under which origins, and how, clients reach it. */
function edge(props: AgentGatewayProps, { name, namespace }: GatewayState) {
  const scheme = props.tlsSecretName === undefined ? 'http' : 'https';
  const hosts = serviceHosts({ name, namespace });
  return {
    publicOrigins: props.publicOrigins ?? hosts.map((host) => `${scheme}://${host}:${PORT.traffic}`),
    publicPathPrefix: props.publicPathPrefix,
    trustedPeers: props.trustedPeers,
    originFrom: props.originFrom,
    forwardedHeader: props.forwardedHeader,
    tlsSecretName:
      props.tlsSecretName === undefined ? undefined : checkObjectName('tlsSecretName', props.tlsSecretName),
    ipFamilies: props.ipFamilies && checkedFamilies(props.ipFamilies),
  };
}

const CLUSTER_DNS = Peer.pods(
  { 'k8s-app': 'kube-dns' },
  { namespaceLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
);

/** How many pods there are, what each has, and how long it takes to end. */
function workload(props: AgentGatewayProps, state: GatewayState) {
  const replayStore = (props.replayStore ?? ReplayStore.memory())._of(state);
  return {
    replayStore,
    ...podCounts(props, replayStore),
    workers: props.workers,
    image: props.image ?? Image.fromDigest(NODE_IMAGE),
    memory: memory(props, replayStore),
    cpuMillicores: cpuMillicores(props),
    ephemeralStorage: ephemeralStorage(props.ephemeralStorage ?? Size.mebibytes(512)),
    drain: props.drain,
    // One pod that ends before the next begins: each second it waits is one in which nobody serves.
    preStop: props.preStop ?? Duration.seconds(replayStore._redis === undefined ? 0 : 15),
    nodeFeatures: {
      appArmor: props.appArmor ?? false,
      userNamespace: props.userNamespace ?? false,
      strictSupplementalGroups: props.strictSupplementalGroups ?? false,
    },
  };
}

function podCounts(props: AgentGatewayProps, { _redis }: ReplayStore) {
  const { autoscaling: asked } = props;
  const replicas = asked?.min ?? props.replicas ?? (_redis === undefined ? 1 : 2);
  const autoscaling = asked && {
    min: replicas,
    max: asked.max,
    cpuUtilization: asked.cpuUtilization ?? 70,
    openStreams: asked.openStreams,
    replicas: props.replicas,
  };
  const podDisruptionBudget = props.podDisruptionBudget ?? mostReplicas({ replicas, autoscaling }) > 1;
  return { replicas, autoscaling, podDisruptionBudget };
}

function cpuMillicores({ cpuMillicores: asked, workers = 1 }: AgentGatewayProps): number {
  return asked === undefined ? 100 * workers : checkMillicores('cpuMillicores', asked);
}

function memory(props: AgentGatewayProps, replayStore: ReplayStore): Size {
  if (props.memory !== undefined) return Size.mebibytes(wholeMebibytes(props.memory));
  const { workers, tlsSecretName, limits = {} } = props;
  return Size.mebibytes(usualMebibytes({ replayStore, workers, tlsSecretName, limits }));
}

/** The kubelet's own defaults for logs, 5 files of 10 MiB, must fit. */
function ephemeralStorage(size: Size): Size {
  const mebibytes = size.toMebibytes({ rounding: SizeRoundingBehavior.NONE });
  if (Number.isInteger(mebibytes) && mebibytes >= 64) return size;
  return refuse({
    where: 'ephemeralStorage',
    want: 'must be whole MiB, 64 or more: kubelet counts the log, 5 files of 10 MiB or what the nodes set',
    got: `${mebibytes} MiB`,
  });
}

function checkedFamilies(families: IpFamily[]): IpFamily[] {
  if (families.length > 0 && new Set(families).size === families.length) return families;
  return refuse({
    where: 'ipFamilies',
    want: 'must be IpFamily.IPV4, IpFamily.IPV6, or both in the order of preference',
    got: families,
  });
}
