/** What one app holds, so that a construct finds its neighbours without a walk of the whole tree. */
import { ApiObject } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { oncePer } from '../support/memo';
import { GatewaySpec } from './gateway-spec';

export interface RegisteredGateway {
  readonly construct: Construct;
  readonly namespace: string;
  spec(): GatewaySpec;
}

/** A namespace in which nothing connects unless a policy says so. */
export interface HardenedScope extends IConstruct {
  readonly namespaceName: string;
  /** Called for every gateway in it, whichever of the two came first. */
  _gatewayCame(): void;
}

/** A construct that lives in a namespace and may say the oldest Kubernetes version of it. */
export interface Versioned extends IConstruct {
  readonly namespaceName: string;
  readonly _minKubernetesVersion?: string;
}

/** What the constructs of one namespace are. */
interface NamespaceEntry {
  readonly gateways: RegisteredGateway[];
  readonly hardened: HardenedScope[];
  readonly versioned: Versioned[];
  version: number;
}

const registries = new WeakMap<IConstruct, AppRegistry>();

/**
 * The gateways and the objects of one app. cdk8s validates the whole app once for every chart, so that each
 * look-up here must be cheap.
 */
export class AppRegistry {
  /** The registry of the app that this construct is in. */
  public static of({ node: { root } }: IConstruct): AppRegistry {
    const known = registries.get(root);
    if (known !== undefined) return known;
    const registry = new AppRegistry(root);
    registries.set(root, registry);
    return registry;
  }

  private readonly gateways: RegisteredGateway[] = [];
  private readonly namespaces = new Map<string, NamespaceEntry>();
  private objectsByIdentity = new Map<string, ApiObject[]>();
  private scopesWithDuplicates: ReadonlySet<IConstruct> = new Set();

  private constructor(root: IConstruct) {
    // Validation begins at the root. Objects of any construct may have come since the last one.
    root.node.addValidation({
      validate: () => {
        this.objectsByIdentity = indexObjects(root);
        this.scopesWithDuplicates = scopesOfDuplicates(this.objectsByIdentity);
        return [];
      },
    });
  }

  public addGateway(gateway: RegisteredGateway): void {
    this.gateways.push(gateway);
    this.entry(gateway.namespace).gateways.push(gateway);
    this.changed(gateway.namespace);
  }

  public allGateways(): readonly RegisteredGateway[] {
    return this.gateways.filter(({ construct }) => isAttached(construct));
  }

  public addHardened(construct: HardenedScope): void {
    this.entry(construct.namespaceName).hardened.push(construct);
  }

  public allHardened(): readonly HardenedScope[] {
    return [...this.namespaces.values()].flatMap(({ hardened }) => hardened.filter(isAttached));
  }

  /** The construct that denies every pod of this namespace all traffic. */
  public hardenedNamespace(name: string): HardenedScope | undefined {
    return this.namespaces.get(name)?.hardened.find(isAttached);
  }

  public addVersioned(construct: Versioned): void {
    this.entry(construct.namespaceName).versioned.push(construct);
    this.changed(construct.namespaceName);
  }

  public changed(namespace: string): void {
    this.entry(namespace).version += 1;
  }

  /**
   * Grows with every change of a gateway in this namespace: what was computed from the gateways in it before is out
   * of date. Nothing of a gateway depends on another namespace.
   */
  public versionOf(namespace: string): number {
    return this.entry(namespace).version;
  }

  public gatewaysIn(namespace: string): readonly RegisteredGateway[] {
    return this.entry(namespace).gateways.filter(({ construct }) => isAttached(construct));
  }

  /** Those of this namespace that say a version. */
  public versionsIn(namespace: string): readonly Versioned[] {
    return this.entry(namespace).versioned.filter(
      (construct) => construct._minKubernetesVersion !== undefined && isAttached(construct),
    );
  }

  /** The objects that the app emits under this identity, in its order, as of the start of the validation. */
  public objectsCalled(identity: string): readonly ApiObject[] {
    return this.objectsByIdentity.get(identity) ?? [];
  }

  /** Whether the app emits an object of this construct twice, as of the start of the validation. */
  public hasDuplicates(scope: IConstruct): boolean {
    return this.scopesWithDuplicates.has(scope);
  }

  private entry(namespace: string): NamespaceEntry {
    const known = this.namespaces.get(namespace);
    if (known !== undefined) return known;
    const entry: NamespaceEntry = { gateways: [], hardened: [], versioned: [], version: 0 };
    this.namespaces.set(namespace, entry);
    return entry;
  }
}

/**
 * An object as kubectl names it. Absent for a name that is no text before it is written.
 * The metadata of a cluster-scoped object still carries its chart's namespace, which does not count.
 */
export const identityOf = oncePer(({ kind, name, metadata }: ApiObject): string | undefined => {
  if (typeof name !== 'string') return undefined;
  const isClusterScoped = /^(Namespace$|Cluster|ValidatingAdmissionPolicy)/.test(kind);
  const namespace = isClusterScoped ? undefined : metadata.namespace;
  return `${kind} ${[namespace, name].filter(Boolean).join('/')}`;
});

function indexObjects(root: IConstruct): Map<string, ApiObject[]> {
  const index = new Map<string, ApiObject[]>();
  for (const construct of root.node.findAll()) {
    if (!ApiObject.isApiObject(construct)) continue;
    const identity = identityOf(construct);
    if (identity === undefined) continue;
    const called = index.get(identity);
    if (called === undefined) index.set(identity, [construct]);
    else called.push(construct);
  }
  return index;
}

function scopesOfDuplicates(index: ReadonlyMap<string, readonly ApiObject[]>): Set<IConstruct> {
  const scopes = new Set<IConstruct>();
  for (const objects of index.values()) {
    if (objects.length > 1) for (const { node } of objects) scopes.add(node.scope!);
  }
  return scopes;
}

/** Whether the construct was not taken out of its app again. */
function isAttached(construct: IConstruct): boolean {
  return construct.node.scopes.every(
    ({ node }) => node.scope === undefined || node.scope.node.tryFindChild(node.id)?.node === node,
  );
}
