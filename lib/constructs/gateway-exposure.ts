import { Construct } from 'constructs';
import { asGiven, emit, isOurs } from '../manifests/k8s';
import { backendTlsPolicySpec, exposureViolations, httpRouteSpec } from '../spec/exposure';
import { checked, instanceOf, listOf, optional, Shape, struct, TEXT } from '../support/kinds';
import { checkedAt, checkLabel, checkObjectName, refuse, say } from '../support/text';
import { duplicateViolations } from '../validation/duplicates';
import { CaBundle } from '../values/ca-bundle';
import { Peer } from '../values/peer';
import { AgentGateway, GatewayRoute } from './agent-gateway';

/** A Gateway of the Gateway API, or one listener of it. */
export interface ExposureParent {
  /** Name of the Gateway. */
  readonly name: string;

  /**
   * Its namespace, whose listener must allow routes from this one.
   *
   * @default - the namespace of the AgentGateway
   */
  readonly namespace?: string;

  /**
   * Name of the one listener.
   *
   * @default - every listener that fits the host names
   */
  readonly sectionName?: string;
}

/** Properties of a `GatewayExposure`. */
export interface GatewayExposureProps {
  /**
   * What clients reach. Its `publicOrigins` must name the https origins that they use; where it ends TLS itself,
   * `gatewayCa` must be given.
   */
  readonly gateway: AgentGateway;

  /** The Gateways in front, which end TLS; at least one. */
  readonly parents: ExposureParent[];

  /**
   * The pods of those Gateways, which forward: they are let through to port 8080. To tell clients apart by
   * address, name them in `trustedPeers` of the gateway.
   */
  readonly peer: Peer;

  /**
   * CA by which the parents verify the gateway, where it has a `tlsSecretName`: `ca.crt` of a ConfigMap in its
   * namespace. Its certificate must be good for `<name>.<namespace>.svc`, as that of a `GatewayCertificate` is.
   *
   * @default - the parents speak HTTP to the gateway
   * @see https://gateway-api.sigs.k8s.io/api-types/backendtlspolicy/
   */
  readonly gatewayCa?: CaBundle;

  /**
   * Which routes are reached from outside; a SecretsRoute must be named.
   *
   * @default - every McpRoute of the gateway
   */
  readonly routes?: GatewayRoute[];

  /**
   * Name of the HTTPRoute, where one gateway has several.
   *
   * @default - the gateway's name
   */
  readonly name?: string;
}

const PARENT_SHAPE: Shape<ExposureParent> = {
  name: TEXT,
  namespace: optional(TEXT),
  sectionName: optional(TEXT),
};
const SHAPE: Shape<GatewayExposureProps> = {
  gateway: instanceOf(AgentGateway),
  parents: listOf(struct('ExposureParent', PARENT_SHAPE)),
  peer: instanceOf(Peer),
  gatewayCa: optional(instanceOf(CaBundle)),
  routes: optional(listOf(instanceOf(GatewayRoute))),
  name: optional(TEXT),
};
const PROPS = struct('GatewayExposureProps', SHAPE);

/**
 * Where clients outside the cluster reach a gateway: an HTTPRoute of the Gateway API for the paths of its
 * routes and their RFC 9728 metadata, without a limit in time, since streams have none. Nothing else of the
 * gateway is reached, as `/healthz`. Where the gateway has a `publicPathPrefix` the HTTPRoute cuts it off; where it
 * ends TLS itself a BackendTLSPolicy says how it is verified.
 *
 * @see https://gateway-api.sigs.k8s.io/api-types/httproute/
 */
export class GatewayExposure extends Construct {
  constructor(scope: Construct, id: string, props: GatewayExposureProps) {
    super(scope, id);
    checkedAt(this.node.path, () => checkValues(checked(props, PROPS)));
    const { gateway, parents, routes, gatewayCa } = props;
    gateway.allowFrom(props.peer);
    if (gatewayCa !== undefined) emitBackendTlsPolicy(gateway, gatewayCa);

    const names = routes?.map(({ routeName }) => routeName);
    const meta = {
      name: props.name ?? gateway.serviceName,
      namespace: gateway.namespaceName,
      labels: gateway._spec().labels,
    };
    emit(
      this,
      'Resource',
      asGiven({ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' }),
      meta,
      () => ({
        spec: {
          parentRefs: parents.map((parent) => ({
            group: 'gateway.networking.k8s.io',
            kind: 'Gateway',
            ...parent,
          })),
          ...httpRouteSpec(gateway._spec(), names),
        },
      }),
    );
    this.node.addValidation({
      validate: () =>
        [...exposureViolations(gateway._spec(), names, gatewayCa), ...duplicateViolations(this, isOurs)].map(
          say,
        ),
    });
  }
}

const POLICIES = new WeakMap<AgentGateway, CaBundle>();

/** The Service has one, however many exposures the gateway has. */
function emitBackendTlsPolicy(gateway: AgentGateway, ca: CaBundle): void {
  const known = POLICIES.get(gateway);
  if (known === undefined) {
    POLICIES.set(gateway, ca);
    const meta = {
      name: gateway.serviceName,
      namespace: gateway.namespaceName,
      labels: gateway._spec().labels,
    };
    const kind = asGiven({ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'BackendTLSPolicy' });
    emit(gateway, 'backend-tls-policy', kind, meta, () => ({
      spec: backendTlsPolicySpec(gateway._spec(), ca),
    }));
  } else if (known._name !== ca._name) {
    refuse({
      where: 'gatewayCa',
      want: `must be the one of another GatewayExposure of the gateway, ${known._name}: a Service has one`,
      got: ca._name,
    });
  }
}

function checkValues({ gateway, parents, routes, name: ownName }: GatewayExposureProps): void {
  if (parents.length === 0) {
    refuse({ where: 'parents', want: 'must list at least one Gateway', got: parents });
  }
  parents.forEach(({ name, namespace, sectionName }, at) => {
    checkObjectName(`parents[${at}].name`, name);
    if (namespace !== undefined) checkLabel(`parents[${at}].namespace`, namespace);
    if (sectionName !== undefined) checkObjectName(`parents[${at}].sectionName`, sectionName);
  });
  if (ownName !== undefined) checkObjectName('name', ownName);
  const foreign = routes?.find((route) => route.gateway !== gateway);
  if (foreign !== undefined) {
    refuse({ where: 'routes', want: 'must be routes of the gateway', got: foreign.node.path });
  }
}
