/** What one app holds, so that a construct finds its neighbours without a walk of the whole tree. */
import { ApiObject } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
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

  /** Grows with every change of a gateway: what was computed from the gateways before it is out of date. */
  public version = 0;
  private readonly gateways: RegisteredGateway[] = [];
  private readonly hardened: HardenedScope[] = [];
  private readonly versioned: Versioned[] = [];
  private objectsByIdentity = new Map<string, ApiObject>();

  private constructor(root: IConstruct) {
    // Validation begins at the root. Objects of any construct may have come since the last one.
    root.node.addValidation({
      validate: () => {
        this.objectsByIdentity = indexObjects(root);
        return [];
      },
    });
  }

  public addGateway(gateway: RegisteredGateway): void {
    this.gateways.push(gateway);
    this.changed();
  }

  public allGateways(): readonly RegisteredGateway[] {
    return this.gateways.filter(({ construct }) => isAttached(construct));
  }

  public addHardened(construct: HardenedScope): void {
    this.hardened.push(construct);
  }

  /** The construct that denies every pod of this namespace all traffic. */
  public hardenedNamespace(name: string): HardenedScope | undefined {
    return this.hardened.find((construct) => construct.namespaceName === name && isAttached(construct));
  }

  public addVersioned(construct: Versioned): void {
    this.versioned.push(construct);
    this.changed();
  }

  public changed(): void {
    this.version += 1;
  }

  public gatewaysIn(namespace: string): readonly RegisteredGateway[] {
    return this.gateways.filter(
      (gateway) => gateway.namespace === namespace && isAttached(gateway.construct),
    );
  }

  /** Those of this namespace that say a version. */
  public versionsIn(namespace: string): readonly Versioned[] {
    return this.versioned.filter(
      (construct) =>
        construct.namespaceName === namespace &&
        construct._minKubernetesVersion !== undefined &&
        isAttached(construct),
    );
  }

  /** The object that the app emits first under this identity, as of the start of the validation. */
  public firstObject(identity: string): ApiObject | undefined {
    return this.objectsByIdentity.get(identity);
  }
}

/**
 * An object as kubectl names it. Absent for a name that depends on the object's content.
 * The metadata of a cluster-scoped object still carries its chart's namespace, which does not count.
 */
export function identityOf({ kind, name, metadata }: ApiObject): string | undefined {
  if (typeof name !== 'string') return undefined;
  const isClusterScoped = /^(Namespace$|Cluster|ValidatingAdmissionPolicy)/.test(kind);
  const namespace = isClusterScoped ? undefined : metadata.namespace;
  return `${kind} ${[namespace, name].filter(Boolean).join('/')}`;
}

function indexObjects(root: IConstruct): Map<string, ApiObject> {
  const index = new Map<string, ApiObject>();
  for (const construct of root.node.findAll()) {
    if (!ApiObject.isApiObject(construct)) continue;
    const identity = identityOf(construct);
    if (identity !== undefined && !index.has(identity)) index.set(identity, construct);
  }
  return index;
}

/** Whether the construct was not taken out of its app again. */
function isAttached(construct: IConstruct): boolean {
  return construct.node.scopes.every(
    ({ node }) => node.scope === undefined || node.scope.node.tryFindChild(node.id)?.node === node,
  );
}
