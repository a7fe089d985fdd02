import { Duration } from 'cdk8s';
import { CaBundle } from './ca-bundle';
import { Peer } from './peer';
import { SecretSource } from './secret-source';

/**
 * Where OpenTelemetry traces go. A request has a span, and its backend's part one below it; no token, proof,
 * claim, query or body is in them, and no request waits for them.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export interface Tracing {
  /** The collector's endpoint for traces, with all of its path: `http://collector.observability.svc:4318/v1/traces`. */
  readonly url: string;

  /**
   * Who answers there; the NetworkPolicy lets the gateway reach nobody else for this.
   *
   * @default - who answers there is reached through the gateway's `egressProxy`
   */
  readonly peer?: Peer;

  /**
   * Certificates that the collector is verified against; with an https `url`.
   *
   * @default - Node's own roots
   */
  readonly ca?: CaBundle;

  /**
   * The whole value of the `Authorization` header, as `Bearer …`, as a mounted file.
   *
   * @default - none
   */
  readonly authorization?: SecretSource;

  /**
   * How many of all requests are recorded, from 0 to 1. A client cannot raise it; one that says "not sampled" is not.
   *
   * @default 1
   */
  readonly sampleRatio?: number;

  /**
   * What the gateway is called in traces (`service.name`); 1 to 255 characters.
   *
   * @default 'agentgateway-dpop-proxy'
   */
  readonly serviceName?: string;

  /**
   * Patience with one export, with its retries; 100 milliseconds to 60 seconds. What is not there by then is
   * dropped, and counted.
   *
   * @default Duration.seconds(10)
   */
  readonly timeout?: Duration;

  /**
   * The longest that spans wait for company before they are sent; 100 milliseconds to 60 seconds.
   *
   * @default Duration.seconds(5)
   */
  readonly exportInterval?: Duration;

  /**
   * Spans that wait, or are on their way; more are dropped, and counted. A request makes two. 1 to 65 536.
   *
   * @default 2048
   */
  readonly maxQueue?: number;
}
