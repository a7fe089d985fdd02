import { Size } from 'cdk8s';
import { FLAG, instanceOf, NUMBER, oneOf, optional, Shape, SIZE, struct } from '../support/kinds';
import { checkMillicores, wholeMebibytes } from '../support/quantity';
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

  /**
   * Memory of agentgateway's container, as request and limit, in whole MiB: 64 MiB, and 100 KiB for each event stream
   * and each request that may be open at a time. That is `upstream.maxStreams` and `upstream.maxSockets` for each
   * McpRoute; without `tlsSecretName` no more than `limits.maxConnections`. Less is refused at synth.
   *
   * @default - as much as that is: 264 MiB for one McpRoute, 350 MiB for two or more where nothing is set
   */
  readonly memory?: Size;

  /**
   * CPU that agentgateway's container asks for, in thousandths of a core; 1 to 64000. It has no CPU limit.
   *
   * @default 100
   */
  readonly cpuMillicores?: number;
}

const IMAGE_V1_4 =
  'cr.agentgateway.dev/agentgateway:v1.4.1@sha256:efd79355b89094a8225a9db465d9a01dc656b377f0bab458761b935a13231d29';

const SHAPE: Shape<AgentgatewayOptions> = {
  version: optional(oneOf(AgentgatewayVersion)),
  image: optional(instanceOf(Image)),
  ipv6: optional(FLAG),
  memory: optional(SIZE),
  cpuMillicores: optional(NUMBER),
};
const OPTIONS = struct('AgentgatewayOptions', SHAPE);

/** What stands between the proxy and the MCP servers. Secrets routes never pass it. */
export class DataPlane {
  /**
   * agentgateway as a sidecar, which begins before the proxy and ends after it. It answers the proxy alone: the
   * NetworkPolicy does not admit its port, and it refuses every address but the one in the pod that the proxy calls it
   * from. It gets no token and knows no issuer.
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
    return new DataPlane({ ...options, version, image: options.image ?? Image.fromDigest(IMAGE_V1_4) });
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

  /** @internal absent: as much as is needed */
  public readonly _memoryMebibytes?: number;

  /** @internal */
  public readonly _cpuMillicores: number;

  private constructor({
    version,
    image,
    ipv6 = true,
    memory,
    cpuMillicores = 100,
  }: AgentgatewayOptions = {}) {
    this._version = version;
    this._image = image;
    this._ipv6 = ipv6;
    this._memoryMebibytes = memory && wholeMebibytes(memory);
    this._cpuMillicores = checkMillicores('dataPlane.cpuMillicores', cpuMillicores);
  }
}
