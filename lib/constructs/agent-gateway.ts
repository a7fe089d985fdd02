import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { routeSecretUses, secretUses } from '../config/mounted-files';
import { configProblems } from '../config/proxy-config';
import { contentKinds, emitConfigMap } from '../manifests/config-maps';
import { emitExternalSecret } from '../manifests/external-secrets';
import {
  emitApiAccess,
  emitAutoscaler,
  emitDisruptionBudget,
  emitNetworkPolicy,
  emitService,
  emitServiceAccount,
  emitWorkload,
} from '../manifests/gateway-objects';
import { chartDirectory } from '../manifests/helm-chart';
import { isOurs } from '../manifests/k8s';
import { sayNotes } from '../manifests/notes';
import { emitOtherHalves } from '../manifests/other-half';
import { emitValkey } from '../manifests/valkey';
import { AppRegistry, RegisteredGateway } from '../spec/app-registry';
import { GatewaySpec, RouteSpec } from '../spec/gateway-spec';
import {
  checkKubernetesVersion,
  kubernetesMinorOf,
  kubernetesVersionViolations,
} from '../spec/kubernetes-version';
import { checked, instanceOf, Kind } from '../support/kinds';
import { checkedAt, checkLabel, checkNamespace, refuse, say, Violation } from '../support/text';
import { duplicateViolations } from '../validation/duplicates';
import { gatewayViolations } from '../validation/gateway-violations';
import { inPropWords } from '../validation/prop-words';
import { Peer } from '../values/peer';
import { AgentGatewayProps } from './agent-gateway-props';
import { AGENT_GATEWAY_PROPS } from './agent-gateway-shape';
import { checkValues, specOf } from './gateway-spec-of';

/**
 * A gateway for MCP servers and named Kubernetes Secrets. A request without a valid proof of possession never
 * reaches a backend, a proof is accepted once, and nothing but the declared clients and backends can be
 * connected.
 *
 * Emits a Deployment, its ConfigMaps, Service, ServiceAccount and NetworkPolicy; a PodDisruptionBudget, a
 * HorizontalPodAutoscaler, a Role, ExternalSecrets and a Valkey where they are needed. Routes are constructs of their
 * own: `McpRoute` and `SecretsRoute`.
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
    const names = checkedAt(this.node.path, () => checkedNames(this, checked(props, AGENT_GATEWAY_PROPS)));
    this.serviceName = names.service;
    this.serviceAccountName = `${this.serviceName}-sa`;
    this.namespaceName = names.namespace;
    this.selectorLabels = {
      'app.kubernetes.io/name': 'agentgateway',
      'app.kubernetes.io/instance': this.serviceName,
    };
    this._minKubernetesVersion = props.minKubernetesVersion;
    this.registry.addVersioned(this);

    const spec = () => this._spec();
    for (const kind of contentKinds(spec())) emitConfigMap(this, kind, spec);
    emitServiceAccount(this, spec);
    emitWorkload(this, spec);
    emitService(this, spec);
    emitNetworkPolicy(this, spec);
    this.emitOptional(spec);
    for (const use of secretUses(spec())) emitExternalSecret(this, use, spec());
    this.registered = { construct: this, namespace: this.namespaceName, spec };
    this.registry.addGateway(this.registered);
    emitOtherHalves(this.registered);
    this.registry.hardenedNamespace(this.namespaceName)?._gatewayCame();
    this.node.addValidation({
      validate: () => [
        ...this.violations().ofGateway,
        ...duplicateViolations(this, isOurs).map(say),
        ...this.chartViolations().map(say),
        ...kubernetesVersionViolations(this).map(say),
      ],
    });
    this.node.addValidation({
      validate: () => {
        sayNotes(this, kubernetesMinorOf(this));
        return [];
      },
    });
  }

  private emitOptional(spec: () => GatewaySpec): void {
    const { autoscaling, podDisruptionBudget, replayStore } = spec();
    if (autoscaling !== undefined) emitAutoscaler(this, spec);
    if (podDisruptionBudget) emitDisruptionBudget(this, spec);
    if (replayStore._valkey !== undefined) emitValkey(this, spec);
  }

  /** Serves this route. Routes call it themselves; the order of calls does not matter, the longest prefix wins. */
  public addRoute(route: GatewayRoute): void {
    instanceOf(GatewayRoute).check('addRoute', route);
    if (this.routes.includes(route)) return;
    if (route.gateway !== this) {
      refuse({
        where: 'addRoute',
        want: `must be given a route of this gateway, ${this.node.path}`,
        got: route.gateway.node.path,
      });
    }
    this.routes.push(route);
    this.registry.changed(this.namespaceName);
    const added = route._spec();
    if (added.kind === 'secrets' && this.node.tryFindChild('role') === undefined) {
      emitApiAccess(this, () => this._spec());
    }
    for (const use of routeSecretUses(this.serviceName, added)) emitExternalSecret(this, use, this._spec());
    emitOtherHalves(this.registered);
  }

  /**
   * Lets these clients connect to port 8080. Without a call nobody can, as synth says; connecting does not
   * authenticate.
   */
  public allowFrom(peer: Peer): void {
    instanceOf(Peer).check('allowFrom', peer);
    const { port } = peer._members.find((member) => member.port !== undefined) ?? {};
    if (port !== undefined) {
      refuse({
        where: 'allowFrom',
        want: 'must be given a peer without a port: clients connect from any',
        got: port,
      });
    }
    this.clients.push(peer);
    this.registry.changed(this.namespaceName);
    emitOtherHalves(this.registered);
  }

  /** @internal what the proxy would refuse about this one route */
  public _problemsOf(route: GatewayRoute): string[] {
    return this.routes.includes(route) ? (this.violations().ofRoute.get(route.routeName) ?? []) : [];
  }

  /** @internal what the gateway is by now, computed once after each change in its namespace */
  public _spec(): GatewaySpec {
    const version = this.registry.versionOf(this.namespaceName);
    if (this.specAt?.version !== version) this.specAt = { version, spec: this.buildSpec() };
    return this.specAt.spec;
  }

  private buildSpec(): GatewaySpec {
    const state = {
      name: this.serviceName,
      namespace: this.namespaceName,
      selectorLabels: this.selectorLabels,
      serviceAccountName: this.serviceAccountName,
      kubernetesMinor: kubernetesMinorOf(this),
      clients: this.clients,
      routes: this.routes.map((route) => route._spec()),
    };
    return checkedAt(this.node.path, () => specOf(this.props, state));
  }

  /** Helm keeps a release with all its templates in a Secret of at most 1 MiB, of which a gateway takes over half. */
  private chartViolations(): Violation[] {
    if (chartDirectory(this) === undefined) return [];
    const gateways = this.registry.allGateways();
    if (gateways.length < 2 || gateways[0].construct !== this) return [];
    return [
      {
        where: 'app',
        want: 'must have one gateway to be a Helm chart: a release with more of them is too long for a Secret',
        got: gateways.map(({ construct }) => construct.node.path),
        next: 'give each gateway an app of its own, or apply the manifests with kubectl',
      },
    ];
  }

  /** Every violation of the gateway and its routes: the config is parsed once for all of them. */
  private violations(): Violations {
    const version = this.registry.versionOf(this.namespaceName);
    if (this.violationsAt?.version !== version) {
      this.violationsAt = { version, violations: this.findViolations() };
    }
    return this.violationsAt.violations;
  }

  private findViolations(): Violations {
    const spec = this._spec();
    const ofGateway: string[] = [];
    const ofRoute = new Map<string, string[]>();
    for (const { route, text } of inPropWords(configProblems(spec), spec)) {
      if (route === undefined) ofGateway.push(text);
      else ofRoute.set(route, [...(ofRoute.get(route) ?? []), text]);
    }
    const neighbours = this.registry
      .gatewaysIn(this.namespaceName)
      .filter(({ construct }) => construct !== this);
    ofGateway.push(
      ...gatewayViolations(
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

/** Values that have no factory are checked where they are handed over. */
function checkedNames(
  gateway: AgentGateway,
  props: AgentGatewayProps,
): { service: string; namespace: string } {
  checkValues(props);
  const { minKubernetesVersion, preStop } = props;
  if (minKubernetesVersion !== undefined) checkKubernetesVersion(minKubernetesVersion);
  if (preStop !== undefined && !Number.isInteger(preStop.toSeconds({ integral: false }))) {
    refuse({ where: 'preStop', want: 'must be whole seconds', got: preStop.toHumanString() });
  }
  const namespace =
    props.namespace ??
    Chart.of(gateway).namespace ??
    refuse({
      where: 'namespace',
      want: 'is required: give the gateway one, or its chart',
      next: 'new Chart(app, id, { namespace: "aiops" })',
    });
  return {
    service: serviceName(props.name ?? 'agentgateway'),
    namespace: checkNamespace('namespace', namespace),
  };
}

function serviceName(name: string): string {
  if (/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) return name;
  return refuse({
    where: 'name',
    want:
      'must be a lower-case RFC 1035 label of at most 40 characters, since a Service and longer names are ' +
      'made of it',
    got: name,
  });
}

/** The props of a route, which its base class is made of. */
export function routeProps<T>(scope: Construct, id: string, props: T, kind: Kind<T>): T {
  const path = scope.node.path === '' ? id : `${scope.node.path}/${id}`;
  return checkedAt(path, () => checked(props, kind));
}

/** What every route kind shares: it belongs to one gateway and answers under one path prefix. */
export abstract class GatewayRoute extends Construct {
  /** The gateway that serves it. */
  public readonly gateway: AgentGateway;

  /** What config, metrics and audit records call it. */
  public readonly routeName: string;

  /** Requests whose path is this, or lies under it, come here. */
  public readonly pathPrefix: string;

  protected constructor(
    scope: Construct,
    id: string,
    gateway: AgentGateway,
    pathPrefix: string,
    routeName?: string,
  ) {
    super(scope, id);
    this.gateway = gateway;
    this.pathPrefix = pathPrefix;
    this.routeName = checkedAt(this.node.path, () => checkLabel('name', routeName ?? labelOf(id)));
    this.node.addValidation({ validate: () => gateway._problemsOf(this) });
  }

  /** @internal */
  public abstract _spec(): RouteSpec;
}

/** "SelfMcp" -> "self-mcp" */
function labelOf(id: string): string {
  return id
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
}
