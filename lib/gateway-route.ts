import { Construct } from 'constructs';
import type { AgentGateway } from './agent-gateway';
import type { RouteSpec } from './private/gateway-spec';
import { checkLabel } from './private/text';

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
    this.routeName = checkLabel('name', routeName ?? labelOf(id));
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
