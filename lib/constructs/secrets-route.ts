import { Construct } from 'constructs';
import type { RouteSpec } from '../spec/gateway-spec';
import { checkFields } from '../support/fields';
import { FLAG, instanceOf, listOf, optional, recordOf, Shape, struct, TEXT } from '../support/kinds';
import { checkedAt, checkObjectName, refuse } from '../support/text';
import { AuthProfile } from '../values/auth-profile';
import { ROUTE_TIMEOUTS } from '../values/config-fields';
import { RouteTimeouts } from '../values/limits';
import { RateLimit } from '../values/rate-limit';
import { TIMEOUTS } from '../values/shapes';
import { AgentGateway, GatewayRoute, routeProps } from './agent-gateway';

/** Properties of a `SecretsRoute`. */
export interface SecretsRouteProps {
  /** The gateway that serves the route; it needs `apiServer` and `tlsSecretName`. */
  readonly gateway: AgentGateway;

  /**
   * The only Secrets of the gateway's namespace that can be read. At least one, and no credential of the
   * gateway itself.
   */
  readonly secretNames: string[];

  /**
   * Of the Secrets named here only these keys can be read: at `<prefix>/<name>/<key>`, each as its decoded
   * value. The object as a whole cannot.
   *
   * @default - every Secret is read whole, as the Kubernetes API answers it
   */
  readonly secretKeys?: { [secretName: string]: string[] };

  /**
   * Canonical path prefix; a Secret is read at `<prefix>/<name>`.
   *
   * @default '/secrets'
   */
  readonly pathPrefix?: string;

  /**
   * RFC 1123 label that config, metrics and audit records use.
   *
   * @default - the construct id in lower case, with hyphens
   */
  readonly name?: string;

  /**
   * How a caller proves that it holds the key; its mode must be strict.
   *
   * @default - the gateway's profile
   */
  readonly auth?: AuthProfile;

  /**
   * How many authenticated requests pass.
   *
   * @default - the gateway's limit
   */
  readonly rateLimit?: RateLimit;

  /**
   * Patience with the API server.
   *
   * @default - the gateway's
   */
  readonly timeouts?: RouteTimeouts;

  /**
   * WEAKENS the route: Secrets leave the pod unencrypted, and whoever sees the traffic on its way reads them.
   * For a mesh that encrypts from pod to pod, or a laptop. Without it the gateway must have a `tlsSecretName`,
   * or synth refuses.
   *
   * @default false
   */
  readonly insecurePlainHttp?: boolean;
}

const SHAPE: Shape<SecretsRouteProps> = {
  gateway: instanceOf(AgentGateway),
  secretNames: listOf(TEXT),
  secretKeys: optional(recordOf(listOf(TEXT))),
  pathPrefix: optional(TEXT),
  name: optional(TEXT),
  auth: optional(instanceOf(AuthProfile)),
  rateLimit: optional(instanceOf(RateLimit)),
  timeouts: optional(TIMEOUTS),
  insecurePlainHttp: optional(FLAG),
};
const PROPS = struct('SecretsRouteProps', SHAPE);

/**
 * A path of the gateway under which named Secrets can be read, and nothing else of the Kubernetes API. The list
 * stands twice, in the proxy's config and in the Role of its ServiceAccount, so neither a bug in the one nor in
 * the other opens a further Secret.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
 */
export class SecretsRoute extends GatewayRoute {
  private readonly props: SecretsRouteProps;

  constructor(scope: Construct, id: string, props: SecretsRouteProps) {
    super(scope, id, routeProps(scope, id, props, PROPS).gateway, props.pathPrefix ?? '/secrets', props.name);
    checkedAt(this.node.path, () => checkValues(props));
    this.props = props;
    props.gateway.addRoute(this);
  }

  /** @internal */
  public _spec(): RouteSpec {
    const { auth, rateLimit, timeouts, secretNames, secretKeys, insecurePlainHttp = false } = this.props;
    return {
      kind: 'secrets',
      name: this.routeName,
      pathPrefix: this.pathPrefix,
      auth,
      rateLimit,
      timeouts,
      secretNames: [...new Set(secretNames)].sort(),
      secretKeys,
      insecurePlainHttp,
    };
  }
}

function checkValues({ secretNames, timeouts = {} }: SecretsRouteProps): void {
  if (secretNames.length === 0) {
    refuse({ where: 'secretNames', want: 'must list at least one Secret', got: secretNames });
  }
  checkFields('timeouts', timeouts, ROUTE_TIMEOUTS);
  secretNames.forEach((name, at) => checkObjectName(`secretNames[${at}]`, name));
}
