import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { effectiveConfig } from '../config/proxy-config';
import { ingressSpec } from '../manifests/ingress';
import { emit, isOurs, k8s } from '../manifests/k8s';
import { IngressSpec, ownAnnotations } from '../spec/ingress';
import {
  checked,
  FLAG,
  instanceOf,
  listOf,
  oneOf,
  optional,
  recordOf,
  Shape,
  struct,
  TEXT,
} from '../support/kinds';
import { checkedAt, checkObjectName, refuse, say } from '../support/text';
import { duplicateViolations } from '../validation/duplicates';
import { ingressViolations } from '../validation/ingress-violations';
import { IngressController } from '../values/ingress-controller';
import { Peer } from '../values/peer';
import { AgentGateway, GatewayRoute } from './agent-gateway';

/** Properties of a `GatewayIngress`. */
export interface GatewayIngressProps {
  /**
   * What clients reach. Its `publicOrigins` must name the https origins that they use; it must have no
   * `publicPathPrefix`, and not end TLS itself.
   */
  readonly gateway: AgentGateway;

  /** IngressClass, which says what controller reads the Ingress. */
  readonly ingressClassName: string;

  /** What kind of controller that is. */
  readonly controller: IngressController;

  /**
   * The pods of the controller, which forward: they are let through to port 8080. To tell clients apart by address,
   * name them in `trustedPeers` of the gateway.
   */
  readonly peer: Peer;

  /**
   * Secret of type `kubernetes.io/tls` in the gateway's namespace, with the certificate for the host names.
   *
   * @default - refused, unless `defaultCertificate` or `insecurePlainHttp` is true
   */
  readonly tlsSecretName?: string;

  /**
   * Whether clients get the certificate that the controller has for every host.
   *
   * @default false
   */
  readonly defaultCertificate?: boolean;

  /**
   * Whether clients come without TLS, to the http origins of `publicOrigins`: whoever is on the way reads tokens and
   * answers.
   *
   * @default false
   */
  readonly insecurePlainHttp?: boolean;

  /**
   * Annotations beside those of the library, for example `cert-manager.io/cluster-issuer`.
   *
   * @default - those that event streams and TLS need with the controller
   */
  readonly annotations?: Record<string, string>;

  /**
   * Which routes are reached from outside; a SecretsRoute must be named.
   *
   * @default - every McpRoute of the gateway
   */
  readonly routes?: GatewayRoute[];

  /**
   * Name of the Ingress, where one gateway has several.
   *
   * @default - the gateway's name
   */
  readonly name?: string;
}

const SHAPE: Shape<GatewayIngressProps> = {
  gateway: instanceOf(AgentGateway),
  ingressClassName: TEXT,
  controller: oneOf(IngressController),
  peer: instanceOf(Peer),
  tlsSecretName: optional(TEXT),
  defaultCertificate: optional(FLAG),
  insecurePlainHttp: optional(FLAG),
  annotations: optional(recordOf(TEXT)),
  routes: optional(listOf(instanceOf(GatewayRoute))),
  name: optional(TEXT),
};
const PROPS = struct('GatewayIngressProps', SHAPE);

/**
 * Where clients outside the cluster reach a gateway by an Ingress: the paths of its routes and their RFC 9728 metadata,
 * over TLS. Nothing else of the gateway is reached, as `/healthz`. An answer may be quiet for an hour, as event streams
 * are. Where the cluster has the Gateway API, prefer a `GatewayExposure`.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/ingress/
 */
export class GatewayIngress extends Construct {
  constructor(scope: Construct, id: string, props: GatewayIngressProps) {
    super(scope, id);
    checkedAt(this.node.path, () => checkValues(checked(props, PROPS)));
    const { gateway, routes, tlsSecretName, name } = props;
    const ingress: IngressSpec = {
      className: props.ingressClassName,
      controller: props.controller,
      tlsSecretName,
      defaultCertificate: props.defaultCertificate ?? false,
      insecurePlainHttp: props.insecurePlainHttp ?? false,
      routes: routes?.map(({ routeName }) => routeName),
      annotations: props.annotations ?? {},
    };
    gateway.allowFrom(props.peer);

    const spec = () => gateway._spec();
    const annotations = () => ({
      ...ingress.annotations,
      ...ownAnnotations(ingress, effectiveConfig(spec()).limits.maxBodyBytes),
    });
    const meta = {
      name: name ?? gateway.serviceName,
      namespace: gateway.namespaceName,
      labels: spec().labels,
    };
    const object = emit(this, 'Resource', k8s.KubeIngress, meta, () => ({
      spec: ingressSpec(spec(), ingress),
    }));
    // Known at synth only: how long a body may be.
    for (const key of Object.keys({ ...ingress.annotations, ...ownAnnotations(ingress, 0) })) {
      const value = Lazy.any({ produce: () => annotations()[key] }) as string;
      object.metadata.addAnnotation(key, value);
    }
    this.node.addValidation({
      validate: () => [...ingressViolations(spec(), ingress), ...duplicateViolations(this, isOurs)].map(say),
    });
  }
}

function checkValues({ gateway, routes, ...names }: GatewayIngressProps): void {
  const foreign = routes?.find((route) => route.gateway !== gateway);
  if (foreign !== undefined) {
    refuse({ where: 'routes', want: 'must be routes of the gateway', got: foreign.node.path });
  }
  for (const prop of ['tlsSecretName', 'ingressClassName', 'name'] as const) {
    const name = names[prop];
    if (name !== undefined) checkObjectName(prop, name);
  }
}
