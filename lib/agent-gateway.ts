import { Chart, Duration, Size, SizeRoundingBehavior } from 'cdk8s';
import { Construct } from 'constructs';
import { AgentGatewayProps } from './agent-gateway-props';
import { AuthProfile } from './auth-profile';
import { DataPlane } from './data-plane';
import { GatewayRoute } from './gateway-route';
import { Image } from './image';
import { IpFamily, NetworkPolicyFlavor } from './network';
import { Peer } from './peer';
import { AppRegistry, RegisteredGateway } from './private/app-registry';
import { contentKinds, emitConfigMap } from './private/config-maps';
import { duplicateFaults } from './private/duplicates';
import { serviceHosts } from './private/exposure';
import { emitExternalSecret } from './private/external-secrets';
import { gatewayFaults } from './private/faults';
import { routeSecretUses, secretUses } from './private/files';
import { byPrecedence, GatewaySpec, usualMebibytes } from './private/gateway-spec';
import {
  checkKubernetesVersion,
  kubernetesMinorOf,
  kubernetesVersionFaults,
} from './private/kubernetes-version';
import { configProblems } from './private/model';
import { sayNotes } from './private/notes';
import {
  emitApiAccess,
  emitDisruptionBudget,
  emitNetworkPolicy,
  emitService,
  emitServiceAccount,
  emitWorkload,
} from './private/objects';
import { emitOtherHalves } from './private/other-half';
import { checkPeer } from './private/peer-end';
import { checkLabel, checkObjectName, refuse, say } from './private/text';
import { PORT } from './private/wiring';
import { RateLimit } from './rate-limit';
import { ReplayStore } from './replay-store';

const NODE_IMAGE =
  'docker.io/library/node:24.18.0-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d';

/**
 * A gateway for MCP servers and named Kubernetes Secrets. A request without a valid proof of possession never
 * reaches a backend, a proof is accepted once, and nothing but the declared clients and backends can be
 * connected.
 *
 * Emits a Deployment, its ConfigMaps, Service, ServiceAccount and NetworkPolicy; a PodDisruptionBudget, a Role and
 * ExternalSecrets where they are needed. Routes are constructs of their own: `McpRoute` and `SecretsRoute`.
 */
export class AgentGateway extends Construct {
  /** Namespace of every object. */
  public readonly namespaceName: string;

  /** Name of the Service; clients use its port 8080. */
  public readonly serviceName: string;

  /** Name of the ServiceAccount, as RBAC, audit policy and Vault know it. */
  public readonly serviceAccountName: string;

  /** Labels that select the gateway's pods. */
  public readonly selectorLabels: Record<string, string>;

  /** @internal what this gateway says itself */
  public readonly _minKubernetesVersion?: string;

  private readonly props: AgentGatewayProps;
  private readonly routes: GatewayRoute[] = [];
  private readonly clients: Peer[] = [];
  private readonly registry: AppRegistry;
  private readonly registered: RegisteredGateway;
  private specAt?: { readonly version: number; readonly spec: GatewaySpec };
  private violationsAt?: { readonly version: number; readonly violations: Violations };

  constructor(scope: Construct, id: string, props: AgentGatewayProps) {
    super(scope, id);
    this.registry = AppRegistry.of(this);
    this.props = props;
    this.serviceName = serviceName(props.name ?? 'agentgateway');
    this.serviceAccountName = `${this.serviceName}-sa`;
    this.namespaceName = checkLabel(
      'namespace',
      props.namespace ??
        Chart.of(this).namespace ??
        refuse({
          where: 'namespace',
          want: 'is required: give the gateway one, or its chart',
          next: 'new Chart(app, id, { namespace: "aiops" })',
        }),
    );
    this.selectorLabels = {
      'app.kubernetes.io/name': 'agentgateway',
      'app.kubernetes.io/instance': this.serviceName,
    };
    this._minKubernetesVersion =
      props.minKubernetesVersion && checkKubernetesVersion(props.minKubernetesVersion);
    this.registry.addVersioned(this);
    const { preStop } = props;
    if (preStop !== undefined && !Number.isInteger(preStop.toSeconds({ integral: false }))) {
      refuse({ where: 'preStop', want: 'must be whole seconds', got: preStop.toHumanString() });
    }

    const spec = () => this._spec();
    for (const kind of contentKinds(spec())) emitConfigMap(this, kind, spec);
    emitServiceAccount(this, spec);
    emitWorkload(this, spec);
    emitService(this, spec);
    emitNetworkPolicy(this, spec);
    if (spec().podDisruptionBudget) emitDisruptionBudget(this, spec);
    for (const use of secretUses(spec())) emitExternalSecret(this, use, spec());
    this.registered = { construct: this, namespace: this.namespaceName, spec };
    this.registry.addGateway(this.registered);
    emitOtherHalves(this.registered);
    this.node.addValidation({
      validate: () => [
        ...this.violations().ofGateway,
        ...duplicateFaults(this).map(say),
        ...kubernetesVersionFaults(this).map(say),
      ],
    });
    this.node.addValidation({
      validate: () => {
        sayNotes(this, kubernetesMinorOf(this));
        return [];
      },
    });
  }

  /** Serves this route. Routes call it themselves; the order of calls does not matter, the longest prefix wins. */
  public addRoute(route: GatewayRoute): void {
    if (this.routes.includes(route)) return;
    if (route.gateway !== this) {
      refuse({
        where: 'addRoute',
        want: `must be given a route of this gateway, ${this.node.path}`,
        got: route.gateway.node.path,
      });
    }
    this.routes.push(route);
    this.registry.changed();
    const added = route._spec();
    if (added.kind === 'secrets' && this.node.tryFindChild('role') === undefined) {
      emitApiAccess(this, () => this._spec());
    }
    for (const use of routeSecretUses(this.serviceName, added)) emitExternalSecret(this, use, this._spec());
    emitOtherHalves(this.registered);
  }

  /** Lets these clients connect to port 8080. Without a call nobody can; connecting does not authenticate. */
  public allowFrom(peer: Peer): void {
    checkPeer('allowFrom', peer);
    const { port } = peer._members.find((member) => member.port !== undefined) ?? {};
    if (port !== undefined) {
      refuse({
        where: 'allowFrom',
        want: 'must be given a peer without a port: clients connect from any',
        got: port,
      });
    }
    this.clients.push(peer);
    this.registry.changed();
    emitOtherHalves(this.registered);
  }

  /** @internal what the proxy would refuse about this one route */
  public _problemsOf(route: GatewayRoute): string[] {
    return this.routes.includes(route) ? (this.violations().ofRoute.get(route.routeName) ?? []) : [];
  }

  /** @internal what the gateway is by now, computed once after each change of the app */
  public _spec(): GatewaySpec {
    const { version } = this.registry;
    if (this.specAt?.version !== version) this.specAt = { version, spec: this.buildSpec() };
    return this.specAt.spec;
  }

  private buildSpec(): GatewaySpec {
    const { props } = this;
    return {
      ...this.identity(),
      ...this.edge(),
      ...workload(props),
      issuer: props.issuer,
      audience: props.audience,
      jwks: props.jwks,
      algorithms: props.algorithms,
      auth: props.auth ?? AuthProfile.dpop(),
      rateLimit: props.rateLimit ?? RateLimit.tokenBucket({ maxTokens: 100, tokensPerFill: 10 }),
      dataPlane: props.dataPlane ?? DataPlane.agentgateway(),
      limits: props.limits ?? {},
      upstream: props.upstream ?? {},
      kubernetesMinor: kubernetesMinorOf(this),
      apiServer: props.apiServer,
      metricsPeer: props.metricsPeer,
      tracing: props.tracing,
      dnsPeer: props.dnsPeer ?? CLUSTER_DNS,
      networkPolicyFlavor: props.networkPolicyFlavor ?? NetworkPolicyFlavor.KUBERNETES,
      clients: this.clients,
      routes: this.routes.map((route) => route._spec()).sort(byPrecedence),
    };
  }

  private identity() {
    return {
      name: this.serviceName,
      namespace: this.namespaceName,
      labels: {
        ...this.selectorLabels,
        'app.kubernetes.io/component': 'gateway',
        'app.kubernetes.io/managed-by': 'cdk8s',
      },
      selectorLabels: this.selectorLabels,
      serviceAccountName: this.serviceAccountName,
    };
  }

  /** Under which origins, and how, clients reach it. */
  private edge() {
    const { props } = this;
    const scheme = props.tlsSecretName === undefined ? 'http' : 'https';
    const hosts = serviceHosts({ name: this.serviceName, namespace: this.namespaceName });
    return {
      publicOrigins: props.publicOrigins ?? hosts.map((host) => `${scheme}://${host}:${PORT.traffic}`),
      publicPathPrefix: props.publicPathPrefix,
      trustedPeers: props.trustedPeers,
      originFrom: props.originFrom,
      tlsSecretName:
        props.tlsSecretName === undefined ? undefined : checkObjectName('tlsSecretName', props.tlsSecretName),
      ipFamilies: props.ipFamilies && checkedFamilies(props.ipFamilies),
    };
  }

  /** Every violation of the gateway and its routes: the config is parsed once for all of them. */
  private violations(): Violations {
    const { version } = this.registry;
    if (this.violationsAt?.version !== version) {
      this.violationsAt = { version, violations: this.findViolations() };
    }
    return this.violationsAt.violations;
  }

  private findViolations(): Violations {
    const spec = this._spec();
    const ofGateway: string[] = [];
    const ofRoute = new Map<string, string[]>();
    for (const problem of configProblems(spec)) {
      const [, index, text] = ROUTE_PROBLEM.exec(problem) ?? [];
      if (index === undefined) {
        ofGateway.push(problem);
        continue;
      }
      const { name } = spec.routes[Number(index)];
      ofRoute.set(name, [...(ofRoute.get(name) ?? []), text]);
    }
    const neighbours = this.registry
      .gatewaysIn(this.namespaceName)
      .filter(({ construct }) => construct !== this);
    ofGateway.push(
      ...gatewayFaults(
        spec,
        neighbours.map((gateway) => gateway.spec()),
      ),
    );
    return { ofGateway, ofRoute };
  }
}

/** What validation reports, in words of the props. */
interface Violations {
  /** What no single route can be blamed for. */
  readonly ofGateway: readonly string[];
  /** By the name of the route. */
  readonly ofRoute: ReadonlyMap<string, string[]>;
}

const ROUTE_PROBLEM = /^routes\[(\d+)\]\.(.*)$/s;

const wholeMebibytes = (size: Size) =>
  Size.mebibytes(Math.ceil(size.toKibibytes({ rounding: SizeRoundingBehavior.NONE }) / 1024));

function serviceName(name: string): string {
  if (/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) return name;
  return refuse({
    where: 'name',
    want: 'must be a lower-case RFC 1035 label of at most 40 characters, since a Service and longer names are made of it',
    got: name,
  });
}

const CLUSTER_DNS = Peer.pods(
  { 'k8s-app': 'kube-dns' },
  { namespaceLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
);

/** How many pods there are, what each has, and how long it takes to end. */
function workload(props: AgentGatewayProps) {
  const replayStore = props.replayStore ?? ReplayStore.memory();
  const replicas = props.replicas ?? (replayStore._redis === undefined ? 1 : 2);
  return {
    replayStore,
    replicas,
    workers: props.workers,
    podDisruptionBudget: props.podDisruptionBudget ?? replicas > 1,
    image: props.image ?? Image.fromDigest(NODE_IMAGE),
    memory: memory(props, replayStore),
    ephemeralStorage: ephemeralStorage(props.ephemeralStorage ?? Size.mebibytes(512)),
    drain: props.drain,
    preStop: props.preStop ?? Duration.seconds(15),
    nodeFeatures: {
      appArmor: props.appArmor ?? false,
      userNamespace: props.userNamespace ?? false,
      strictSupplementalGroups: props.strictSupplementalGroups ?? false,
    },
  };
}

function memory(props: AgentGatewayProps, replayStore: ReplayStore): Size {
  if (props.memory !== undefined) return wholeMebibytes(props.memory);
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
  const known = families.every((family) => Object.values(IpFamily).includes(family));
  if (known && families.length > 0 && new Set(families).size === families.length) return families;
  return refuse({
    where: 'ipFamilies',
    want: 'must be IpFamily.IPV4, IpFamily.IPV6, or both in the order of preference',
    got: families,
  });
}
