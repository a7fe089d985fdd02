import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { portOf } from '../spec/flow-graph';
import type { RouteSpec } from '../spec/gateway-spec';
import { checkFields } from '../support/fields';
import {
  DURATION,
  instanceOf,
  listOf,
  oneOf,
  optional,
  recordOf,
  Shape,
  struct,
  TEXT,
} from '../support/kinds';
import { checkedAt, refuse } from '../support/text';
import { AuthProfile } from '../values/auth-profile';
import { checkBackendHeader } from '../values/backend-header';
import { CaBundle } from '../values/ca-bundle';
import * as fields from '../values/config-fields';
import { RouteTimeouts } from '../values/limits';
import { McpRevision, McpRule, OutlierEjection } from '../values/mcp';
import { Peer } from '../values/peer';
import { RateLimit } from '../values/rate-limit';
import { SecretSource } from '../values/secret-source';
import { EXCHANGE, OUTLIER, RULE, TIMEOUTS } from '../values/shapes';
import { TokenExchange } from '../values/token-exchange';
import { AgentGateway, GatewayRoute, routeProps } from './agent-gateway';

/** Properties of an `McpRoute`. */
export interface McpRouteProps {
  /** The gateway that serves the route. */
  readonly gateway: AgentGateway;

  /**
   * The MCP server: `host:port`, or an http(s) URL; never the gateway itself. A path in the URL
   * replaces `pathPrefix`; without one the path stays.
   */
  readonly backend: string;

  /** Pods or addresses of the MCP server; the NetworkPolicy lets the gateway reach no other for this route. */
  readonly backendPeer: Peer;

  /**
   * Certificates that an https backend is verified against.
   *
   * @default - public roots
   */
  readonly backendCa?: CaBundle;

  /**
   * Name that the backend's certificate must have, and SNI.
   *
   * @default - the host of `backend`
   */
  readonly backendServerName?: string;

  /**
   * `Host` of requests to the backend, `name` or `name:port` in lower case, for servers that answer to one name only
   * (the Python SDK answers 421 to others). With https also SNI and the certificate's name, unless
   * `backendServerName` says otherwise.
   *
   * @default - the host of `backend`
   */
  readonly backendHost?: string;

  /**
   * Headers that agentgateway sets on each request to the backend, by their names in lower case; a client's own of
   * that name is replaced. Values are printable ASCII, 1 to 1024 characters, and stand in the config: never a secret.
   *
   * Refused are names that HTTP, MCP or this library has a use for, and those that say secret.
   *
   * @default - none
   */
  readonly backendHeaders?: { [name: string]: string };

  /**
   * kubernetes.io/tls Secret of the gateway's namespace with the certificate that it shows to the backend; a
   * rotation is followed.
   *
   * @default - none
   */
  readonly backendCertificateSecret?: string;

  /**
   * Origins that share the work, such as the pods of a StatefulSet: `http://mcp-0.mcp.tools.svc:5000`. They
   * have the port and the path of `backend`. An MCP session stays with the endpoint it began on; one that fails
   * again and again is left out for a while.
   *
   * @default - the one of `backend`
   */
  readonly backendEndpoints?: string[];

  /**
   * When one of `backendEndpoints` is left out.
   *
   * @default - after 5 failures in a row, for 30 seconds
   */
  readonly outlierEjection?: OutlierEjection;

  /**
   * Canonical path prefix, matched on segment borders: `/mcp` takes `/mcp` and `/mcp/x`, never `/mcpx`; `/` takes
   * what no other route has.
   *
   * @default '/mcp'
   */
  readonly pathPrefix?: string;

  /**
   * RFC 1123 label that config, metrics and audit records use.
   *
   * @default - the construct id in lower case, with hyphens
   */
  readonly name?: string;

  /**
   * How a caller proves that it holds the key.
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
   * Patience with the backend of this route.
   *
   * @default - the gateway's
   */
  readonly timeouts?: RouteTimeouts;

  /**
   * An event stream on which nothing came for so long gets a comment line, between two events, so that what stands in
   * between does not take it for dead; 1 second to 1 hour, 15 seconds suit most.
   *
   * @default - none
   */
  readonly heartbeat?: Duration;

  /**
   * Credential of the gateway that the MCP server gets. The caller's own token is never passed on.
   *
   * @default - none
   */
  readonly credential?: SecretSource;

  /**
   * The caller's token is exchanged for one of the backend's, which goes as `Authorization: Bearer`; instead of
   * `credential`.
   *
   * @default - none
   */
  readonly tokenExchange?: TokenExchange;

  /**
   * Header that carries the credential, in lower case.
   *
   * @default 'authorization'
   */
  readonly credentialHeader?: string;

  /**
   * What stands before the credential in the header.
   *
   * @default 'Bearer '
   */
  readonly credentialPrefix?: string;

  /**
   * `GET`, `POST` and `DELETE`, or fewer: Streamable HTTP sends with POST, streams with GET and ends a session
   * with DELETE.
   *
   * @default - all three
   * @see https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http
   */
  readonly methods?: string[];

  /**
   * Origins of browsers that may call, exactly: of http(s), chrome-extension, moz-extension, app, tauri or
   * vscode-webview, without wildcards; a request with any other Origin header is refused.
   *
   * @default - none: no browser may call
   */
  readonly allowedOrigins?: string[];

  /**
   * Only messages that fit a rule pass; the rest is refused before the MCP server sees it, with an error that names
   * the rule that is missing. Headers and body of a message must agree. Lists of tools, prompts and resources show
   * each caller those that the rules let it use; what `completion/complete` and `subscriptions/listen` point at must
   * be one of them. Remember `initialize` and `notifications/*`, which clients of revisions before 2026-07-28 send.
   *
   * @default - every message passes
   */
  readonly allow?: McpRule[];

  /**
   * Revisions that are served, by the client's MCP-Protocol-Version.
   *
   * @default - all but 2024-11-05, which servers must negotiate over Streamable HTTP
   */
  readonly revisions?: McpRevision[];
}

const SHAPE: Shape<McpRouteProps> = {
  gateway: instanceOf(AgentGateway),
  backend: TEXT,
  backendPeer: instanceOf(Peer),
  backendCa: optional(instanceOf(CaBundle)),
  backendServerName: optional(TEXT),
  backendHost: optional(TEXT),
  backendHeaders: optional(recordOf(TEXT)),
  backendCertificateSecret: optional(TEXT),
  backendEndpoints: optional(listOf(TEXT)),
  outlierEjection: optional(OUTLIER),
  pathPrefix: optional(TEXT),
  name: optional(TEXT),
  auth: optional(instanceOf(AuthProfile)),
  rateLimit: optional(instanceOf(RateLimit)),
  timeouts: optional(TIMEOUTS),
  heartbeat: optional(DURATION),
  credential: optional(instanceOf(SecretSource)),
  tokenExchange: optional(EXCHANGE),
  credentialHeader: optional(TEXT),
  credentialPrefix: optional(TEXT),
  methods: optional(listOf(TEXT)),
  allowedOrigins: optional(listOf(TEXT)),
  allow: optional(listOf(RULE)),
  revisions: optional(listOf(oneOf(McpRevision))),
};
const PROPS = struct('McpRouteProps', SHAPE);

/**
 * A path of the gateway that leads to an MCP server. No request without a valid, fresh and unused proof reaches
 * the server, and none reaches it with the caller's credentials.
 */
export class McpRoute extends GatewayRoute {
  private readonly props: McpRouteProps;
  private readonly backendUrl: string;

  constructor(scope: Construct, id: string, props: McpRouteProps) {
    super(scope, id, routeProps(scope, id, props, PROPS).gateway, props.pathPrefix ?? '/mcp', props.name);
    this.props = props;
    this.backendUrl = checkedAt(this.node.path, () => checkedBackend(props));
    props.gateway.addRoute(this);
  }

  /** @internal */
  public _spec(): RouteSpec {
    const { props } = this;
    return {
      kind: 'mcp',
      name: this.routeName,
      pathPrefix: this.pathPrefix,
      backendUrl: this.backendUrl,
      backendPort: portOf(this.backendUrl),
      ca: props.backendCa,
      serverName: props.backendServerName,
      backendHost: props.backendHost,
      backendHeaders: props.backendHeaders,
      certificateSecret: props.backendCertificateSecret,
      endpoints: props.backendEndpoints,
      outlier: props.outlierEjection,
      auth: props.auth,
      rateLimit: props.rateLimit,
      timeouts: props.timeouts,
      heartbeat: props.heartbeat,
      methods: props.methods,
      allowedOrigins: props.allowedOrigins,
      allow: props.allow,
      revisions: props.revisions,
      backendPeer: props.backendPeer,
      credential: props.credential,
      credentialHeader: props.credentialHeader,
      credentialPrefix: props.credentialPrefix,
      tokenExchange: props.tokenExchange,
    };
  }
}

/** What the props say of the backend agrees; its URL. */
function checkedBackend(props: McpRouteProps): string {
  const url = backendUrl(props.backend);
  if (props.credential === undefined && (props.credentialHeader ?? props.credentialPrefix) !== undefined) {
    refuse({
      where: 'credentialHeader',
      want: 'must go with a credential',
      got: props.credentialHeader ?? props.credentialPrefix,
    });
  }
  if (props.credential !== undefined && props.tokenExchange !== undefined) {
    refuse({
      where: 'tokenExchange',
      want: 'must not stand beside a credential: the backend gets one of them',
      got: props.tokenExchange.url,
    });
  }
  checkValues(props);
  checkEndpoints(url, props.backendEndpoints ?? []);
  return url;
}

/** Values that have no factory are checked where they are handed over. */
function checkValues(props: McpRouteProps): void {
  const { allow = [], backendHeaders = {}, outlierEjection, tokenExchange, timeouts } = props;
  checkFields('', props, fields.BACKEND);
  checkFields('', props, fields.HEARTBEAT);
  for (const [name, value] of Object.entries(backendHeaders))
    checkBackendHeader(name, value, props.credentialHeader);
  checkFields('timeouts', timeouts ?? {}, fields.ROUTE_TIMEOUTS);
  allow.forEach((rule, at) => checkFields(`allow[${at}]`, rule, fields.MCP_RULE));
  checkFields('outlierEjection', outlierEjection ?? {}, fields.OUTLIER);
  if (tokenExchange !== undefined) checkFields('tokenExchange', tokenExchange, fields.TOKEN_EXCHANGE);
}

/** The NetworkPolicy opens one port, and TLS is that of one backend. */
function checkEndpoints(backend: string, endpoints: readonly string[]): void {
  const { protocol } = new URL(backend);
  const port = portOf(backend);
  endpoints.forEach((endpoint, i) => {
    const where = `backendEndpoints[${i}]`;
    if (new URL(endpoint).protocol !== protocol || portOf(endpoint) !== port)
      refuse({ where, want: `must be ${protocol}// with the port of backend, ${port}`, got: endpoint });
    const first = endpoints.indexOf(endpoint);
    if (first < i) refuse({ where, want: `must not be backendEndpoints[${first}] again`, got: endpoint });
  });
}

function backendUrl(backend: string): string {
  const url = /^[a-z]+:\/\//i.test(backend) ? backend : `http://${backend}`;
  const explicit = url === backend || /^[^/]+:\d+$/.test(backend);
  if (!explicit || !URL.canParse(url) || !/^https?:/.test(url)) {
    const next = /^[a-z0-9.-]+$/i.test(backend)
      ? `did you mean "${backend}:80"?`
      : 'for example "mcp.tools.svc.cluster.local:5000"';
    refuse({ where: 'backend', want: 'must be "host:port" or an http(s) URL', got: backend, next });
  }
  return new URL(url).pathname === '/' ? url.replace(/\/$/, '') : url;
}
