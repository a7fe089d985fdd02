import { FLAG, instanceOf, oneOf, optional, Shape, struct } from '../support/kinds';
import { refuse } from '../support/text';
import { Image } from './image';

/** Config dialects of agentgateway. */
export enum AgentgatewayVersion {
  /** 0.12.x: `binds` config, no networkAuthorization. */
  V0_12 = 'v0.12',
  /** 1.4.1 and later 1.x with the same schema. */
  V1_4 = 'v1.4',
}

/** Options of the agentgateway data plane. */
export interface AgentgatewayOptions {
  /**
   * Config dialect that the image speaks.
   *
   * @default AgentgatewayVersion.V1_4
   */
  readonly version?: AgentgatewayVersion;

  /**
   * Image of agentgateway. Required for v0.12, for which this library knows no digest.
   *
   * @default - cr.agentgateway.dev/agentgateway:v1.4.1, pinned by digest
   */
  readonly image?: Image;

  /**
   * Whether agentgateway listens on addresses of both families. `false` for nodes whose kernel has no IPv6
   * (`ipv6.disable=1`), where it could not listen at all.
   *
   * @default true
   */
  readonly ipv6?: boolean;
}

const IMAGE_V1_4 =
  'cr.agentgateway.dev/agentgateway:v1.4.1@sha256:efd79355b89094a8225a9db465d9a01dc656b377f0bab458761b935a13231d29';

const SHAPE: Shape<AgentgatewayOptions> = {
  version: optional(oneOf(AgentgatewayVersion)),
  image: optional(instanceOf(Image)),
  ipv6: optional(FLAG),
};
const OPTIONS = struct('AgentgatewayOptions', SHAPE);

/** What stands between the proxy and the MCP servers. Secrets routes never pass it. */
export class DataPlane {
  /**
   * agentgateway as a second container. It answers the proxy alone: the NetworkPolicy does not admit its port,
   * from v1.1 it refuses every address but loopback, and it verifies each token once more.
   *
   * @see https://agentgateway.dev
   */
  public static agentgateway(options: AgentgatewayOptions = {}): DataPlane {
    OPTIONS.check('dataPlane', options);
    const version = options.version ?? AgentgatewayVersion.V1_4;
    if (version === AgentgatewayVersion.V0_12 && options.image === undefined) {
      const tag = 'ghcr.io/agentgateway/agentgateway:0.12.0';
      refuse({
        where: 'dataPlane.image',
        want: 'is required with v0.12',
        next: `run "crane digest ${tag}" and pass Image.fromDigest("${tag}@<digest>")`,
      });
    }
    return new DataPlane(version, options.image ?? Image.fromDigest(IMAGE_V1_4), options.ipv6);
  }

  /** The proxy calls the MCP servers itself; the pod has one container. */
  public static direct(): DataPlane {
    return new DataPlane();
  }

  /** @internal absent: no agentgateway */
  public readonly _version?: AgentgatewayVersion;

  /** @internal */
  public readonly _image?: Image;

  /** @internal */
  public readonly _ipv6: boolean;

  private constructor(version?: AgentgatewayVersion, image?: Image, ipv6 = true) {
    this._version = version;
    this._image = image;
    this._ipv6 = ipv6;
  }
}
