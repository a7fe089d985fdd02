import { Duration, Size } from 'cdk8s';
import { AddedMetadata } from '../values/added-metadata';
import { ApiServerAccess } from '../values/api-server-access';
import { AuthProfile } from '../values/auth-profile';
import { SigningAlgorithm } from '../values/auth-profile-options';
import { Autoscaling } from '../values/autoscaling';
import { DataPlane } from '../values/data-plane';
import { EgressProxy } from '../values/egress-proxy';
import { ExtraVolume } from '../values/extra-volume';
import { ForwardedHeader } from '../values/forwarded-header';
import { Image } from '../values/image';
import { JwksSource } from '../values/jwks-source';
import { GatewayLimits, UpstreamTimeouts } from '../values/limits';
import { IpFamily, NetworkPolicyFlavor } from '../values/network';
import { OriginSource } from '../values/origin-source';
import { Peer } from '../values/peer';
import { RateLimit } from '../values/rate-limit';
import { ReplayStore } from '../values/replay-store';
import { Scheduling } from '../values/scheduling';
import { Tracing } from '../values/tracing';

/** Properties of an `AgentGateway`. */
export interface AgentGatewayProps {
  /**
   * Exact value of the `iss` claim of the tokens that routes accept. Synth speaks of one that ends in "/", which
   * is often not in the issuer's metadata.
   */
  readonly issuer: string;

  /** Value that the `aud` claim of a token must have or contain. */
  readonly audience: string;

  /** Public keys of the issuer. */
  readonly jwks: JwksSource;

  /**
   * Name of the Deployment and the Service, and the start of every other name: an RFC 1035 label of at most 40
   * characters.
   *
   * @default 'agentgateway'
   */
  readonly name?: string;

  /**
   * Namespace of every object; none that begins with `kube-`.
   *
   * @default - the namespace of the chart, which must then have one
   */
  readonly namespace?: string;

  /**
   * Pods, 1 to 1000. More than one needs a shared replay store.
   *
   * @default - 2 with a Redis store, 1 with a memory store: the most that stays correct without a further choice
   */
  readonly replicas?: number;

  /**
   * Pods as many as there is to do for. Refused with a memory store, which is one pod's.
   *
   * @default - always `replicas`
   */
  readonly autoscaling?: Autoscaling;

  /**
   * Threads of one pod that serve requests, each on a core of its own; 1 to 64. They share the claims of a
   * memory store and the buckets of rate limits: a proof passes once, a limit is one limit.
   *
   * @default 1
   */
  readonly workers?: number;

  /**
   * Origins under which clients reach the gateway, as `htu` in their proofs has them: behind TLS termination
   * the outer https origin. No wildcards. Never taken from a request's headers.
   *
   * @default - the Service's names that contain its namespace, with port 8080, https with `tlsSecretName`; not
   *   the bare name, which means another gateway in another namespace
   */
  readonly publicOrigins?: string[];

  /**
   * What an ingress in front cuts off: clients sign `https://host/ai/mcp`, the gateway gets `/mcp`, and this is `/ai`.
   *
   * @default - nothing
   */
  readonly publicPathPrefix?: string;

  /**
   * Address ranges, in CIDR notation, of proxies in front. Their `forwardedHeader` gives the client's address,
   * their Client-Cert or X-Forwarded-Client-Cert its certificate; nobody else's is read.
   *
   * @default - none
   */
  readonly trustedPeers?: string[];

  /**
   * What an `htu` must start with.
   *
   * @default OriginSource.CONFIG
   */
  readonly originFrom?: OriginSource;

  /**
   * In which field `trustedPeers` say for whom they speak: addresses with and without a port, IPv6 with and without
   * brackets. It must be one that the front writes itself: the other it may pass on as its client made it.
   *
   * @default ForwardedHeader.X_FORWARDED
   * @see docs/guides/fronts.md
   */
  readonly forwardedHeader?: ForwardedHeader;

  /**
   * Secret of type `kubernetes.io/tls` in the gateway's namespace, with which the gateway ends TLS itself,
   * HTTP/2 and HTTP/1.1 as the client chooses; a renewed certificate is used without a restart.
   *
   * @default - plain HTTP, for an ingress or a mesh that ends TLS
   */
  readonly tlsSecretName?: string;

  /**
   * Algorithms accepted for tokens.
   *
   * @default - RS256, PS256, ES256, EdDSA, Ed25519
   */
  readonly algorithms?: SigningAlgorithm[];

  /**
   * How callers prove that they hold the key, where a route does not say.
   *
   * @default AuthProfile.dpop()
   */
  readonly auth?: AuthProfile;

  /**
   * How many authenticated requests pass, where a route does not say.
   *
   * @default - a burst of 100 requests a caller, then 10 a second
   */
  readonly rateLimit?: RateLimit;

  /**
   * What stands between the proxy and the MCP servers.
   *
   * @default DataPlane.agentgateway()
   */
  readonly dataPlane?: DataPlane;

  /**
   * Where seen proofs are remembered.
   *
   * @default ReplayStore.memory()
   */
  readonly replayStore?: ReplayStore;

  /**
   * Image with Node that runs the proxy, whose code is mounted.
   *
   * @default - docker.io/library/node:24.21.0-bookworm-slim, pinned by digest
   */
  readonly image?: Image;

  /**
   * Memory of the proxy container, as request and limit, in whole MiB: 96 MiB, 40 MiB for each worker after the
   * first, 24 bytes for each proof of a memory store's `maxEntries`, and 48 KiB (with TLS 80 KiB) for each of
   * `limits.maxConnections`. Less is refused. Half of it is the heap of Node.
   *
   * @default - 256 MiB, 64 MiB for each worker after the first, and what a memory store takes above its default
   *   size; more where `limits.maxConnections` asks for it
   */
  readonly memory?: Size;

  /**
   * CPU that the proxy container asks for, in thousandths of a core; 1 to 64000. It has no CPU limit, which would
   * throttle its event loop.
   *
   * @default - 100 for each worker
   */
  readonly cpuMillicores?: number;

  /**
   * Disk that each container of the pod may fill, in whole MiB, at least 64. Nothing in the pod writes to disk
   * but its log, all rotated files of which kubelet counts: more than this gets the pod evicted, whatever its
   * PodDisruptionBudget says. The audit log is a line a request.
   *
   * @default - 512 MiB, room for 5 log files (`containerLogMaxFiles`) of 50 MiB (`containerLogMaxSize`) and
   *   what is written between two rotations
   * @see https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-rotation
   */
  readonly ephemeralStorage?: Size;

  /**
   * Bounds on what one client may cost.
   *
   * @default - see GatewayLimits
   */
  readonly limits?: GatewayLimits;

  /**
   * Patience with backends.
   *
   * @default - see UpstreamTimeouts
   */
  readonly upstream?: UpstreamTimeouts;

  /**
   * Evict one pod at a time, and unready ones always. Refused where there is never more than one.
   *
   * @default - true with more than one replica
   * @see https://kubernetes.io/docs/tasks/run-application/configure-pdb/
   */
  readonly podDisruptionBudget?: boolean;

  /**
   * On which nodes the pods run, and how they get their images.
   *
   * @default - see Scheduling
   */
  readonly scheduling?: Scheduling;

  /**
   * Labels and annotations of the pods, for example those of a mesh, or `azure.workload.identity/use: "true"`.
   *
   * @default - the library's own
   */
  readonly podMetadata?: AddedMetadata;

  /**
   * Labels and annotations of the Service, which is a ClusterIP whatever they say.
   *
   * @default - the library's own
   */
  readonly serviceMetadata?: AddedMetadata;

  /**
   * Labels and annotations of the ServiceAccount, for example the identity that a cloud gives it:
   * `eks.amazonaws.com/role-arn`, `iam.gke.io/gcp-service-account`, `azure.workload.identity/client-id`.
   *
   * @default - the library's own
   * @see docs/guides/platforms.md
   */
  readonly serviceAccountMetadata?: AddedMetadata;

  /**
   * Variables of the proxy container, for what no prop is for, as `TZ`. The gateway itself reads none. What Node, its
   * libraries or the loader read is refused, and so is what its name says is a secret.
   *
   * @default - none
   */
  readonly environment?: Record<string, string>;

  /**
   * Files for the proxy container beside its own, by the name of their volume, an RFC 1123 label: read-only, in a
   * directory of this name under `/mnt`.
   *
   * @default - none
   */
  readonly extraVolumes?: Record<string, ExtraVolume>;

  /**
   * Who may scrape metrics on port 9090 and, of agentgateway, on 15020; neither is on the Service.
   *
   * @default - nobody
   */
  readonly metricsPeer?: Peer;

  /**
   * Where OpenTelemetry traces go. A client's `traceparent` is continued with and without it.
   *
   * @default - no traces
   */
  readonly tracing?: Tracing;

  /**
   * The HTTP proxy for questions to issuers, introspection, token exchange and traces that have no `peer`.
   *
   * @default - none: each of them names its peer
   */
  readonly egressProxy?: EgressProxy;

  /**
   * Who answers DNS.
   *
   * @default - pods labelled `k8s-app: kube-dns` in kube-system; with NodeLocal DNS use
   *   Peer.cidr('169.254.20.10/32'), with both Peer.anyOf
   */
  readonly dnsPeer?: Peer;

  /**
   * What the cluster's CNI understands beyond NetworkPolicy.
   *
   * @default NetworkPolicyFlavor.KUBERNETES
   */
  readonly networkPolicyFlavor?: NetworkPolicyFlavor;

  /**
   * Address families of the Service, the preferred one first; more than one needs a cluster with both. The
   * proxy listens on every address of both families whatever this says.
   *
   * @default - those of the cluster: both where it has both (`PreferDualStack`)
   * @see https://kubernetes.io/docs/concepts/services-networking/dual-stack/
   */
  readonly ipFamilies?: IpFamily[];

  /**
   * Where the API server is; required with a SecretsRoute.
   *
   * @default - the API server is not reachable
   */
  readonly apiServer?: ApiServerAccess;

  /**
   * Time a pod goes on serving after its deletion began, until every load balancer has forgotten it; whole seconds.
   *
   * @default - 15 seconds with a Redis store; none with a memory store, whose next pod begins when this one has ended
   */
  readonly preStop?: Duration;

  /**
   * Time open requests and streams have to end after that; at most 1 hour.
   *
   * @default Duration.seconds(25)
   */
  readonly drain?: Duration;

  /**
   * Oldest Kubernetes the manifests are applied to, as `1.<minor>`, 1.30 or later. It is one version for a
   * namespace: what its `HardenedNamespace` or another gateway in it says holds here too, and two different
   * ones are refused.
   *
   * @default - the version of the namespace's HardenedNamespace or of another gateway in it, else '1.30'
   * @see docs/reference/kubernetes.md
   */
  readonly minKubernetesVersion?: string;

  /**
   * Whether the container runtime's default AppArmor profile is asked for. Kubelet refuses such a pod on a node
   * without AppArmor: RHEL, OpenShift, Bottlerocket, Talos, and many local clusters. Where a node has it, the
   * runtime applies the profile without being asked.
   *
   * @default false
   * @see https://kubernetes.io/docs/tutorials/security/apparmor/
   */
  readonly appArmor?: boolean;

  /**
   * Whether the pod has a user namespace of its own, so that no user of it is one of the node. Kubelet refuses
   * such a pod on a node without Linux 6.3 and containerd 2.0 or CRI-O 1.25. Refused with
   * `minKubernetesVersion` below 1.33, whose API server drops the field in silence.
   *
   * @default false
   * @see https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/
   */
  readonly userNamespace?: boolean;

  /**
   * Whether the groups that /etc/group of the image adds are ignored. Kubelet refuses such a pod on a node
   * without containerd 2.0 or CRI-O 1.31. Refused with `minKubernetesVersion` below 1.33, whose API server
   * drops the field in silence.
   *
   * @default false
   * @see https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#supplementalgroupspolicy
   */
  readonly strictSupplementalGroups?: boolean;
}
