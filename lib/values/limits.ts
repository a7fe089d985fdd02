import { Duration, Size } from 'cdk8s';

/** Bounds on what one client may cost. Each has a default in the proxy's config schema. */
export interface GatewayLimits {
  /**
   * Size of a request's header block, in bytes; 1024 to 65536.
   *
   * @default 16384
   */
  readonly maxHeaderBytes?: number;

  /**
   * Header lines of one request; 10 to 1000.
   *
   * @default 100
   */
  readonly maxHeaderCount?: number;

  /**
   * Length of a request's URL, in bytes; 256 to 65536.
   *
   * @default 8192
   */
  readonly maxUrlBytes?: number;

  /**
   * Size of a request's body; at most 1 GiB.
   *
   * @default Size.mebibytes(4)
   */
  readonly maxBody?: Size;

  /**
   * Time a client has to send its header block; 1 to 120 seconds.
   *
   * @default Duration.seconds(10)
   */
  readonly headersTimeout?: Duration;

  /**
   * How long a client's connection may wait for its next request; 1 second to 1 hour. Longer than the front keeps
   * its own, or its request meets a connection that is closing: the load balancers of Google Cloud hold 600 seconds
   * and want 620.
   *
   * @default Duration.seconds(65)
   */
  readonly keepAliveTimeout?: Duration;

  /**
   * Connections of one replica that wait so at a time, 1 to 1 000 000; of more, the one that waits longest is closed.
   *
   * @default - half of `maxConnections`
   */
  readonly maxIdleConnections?: number;

  /**
   * Time without a byte of a request body after which the client is cut off; 1 second to 10 minutes.
   *
   * @default Duration.seconds(15)
   */
  readonly bodyIdleTimeout?: Duration;

  /**
   * Bytes a second that a request body must make on average of `bodyIdleTimeout`, whatever came before; at most
   * 1 GiB, and 0 asks for none.
   *
   * @default 500
   */
  readonly minBodyRate?: number;

  /**
   * Time without a byte of its answer that a client takes, while there are some for it, after which it is cut off; 1
   * second to 1 hour.
   *
   * @default Duration.seconds(30)
   */
  readonly answerIdleTimeout?: Duration;

  /**
   * Open connections of one address to one replica, 1 to 1 000 000; `trustedPeers` are not counted.
   *
   * @default 1000
   */
  readonly maxConnectionsPerAddress?: number;

  /**
   * Open connections of one replica, 1 to 1 000 000, each of which may carry an event stream: 48 KiB of `memory`,
   * with TLS 80 KiB. More than `memory` holds is refused at synth.
   *
   * @default - as many as `memory` holds, at most 10000; 2925 in the default 256 MiB, 1755 with TLS
   */
  readonly maxConnections?: number;

  /**
   * Proofs whose signature waits to be verified, 1 to 1 000 000, in those of ES256: one of EdDSA counts as 2, one
   * of ES384 as 11. Beyond that, 503 for what came last of the address that has most of them.
   *
   * @default 4096
   */
  readonly maxUnverified?: number;

  /**
   * Requests of one address, whatever becomes of them, before it is answered 429 without any cryptography. An
   * IPv6 address counts as its /64. A request counts for what its proof costs to verify: one of EdDSA as 2, one
   * of ES384 as 11. With an ingress in front set `trustedPeers`, or all its clients are one address.
   *
   * @default - no bound
   */
  readonly requestsPerAddress?: AddressLimit;

  /**
   * Refused requests that one address may cause before it is answered 429 without any cryptography. An IPv6
   * address counts as its /64. One that is refused after its proof was verified counts for what that cost:
   * EdDSA as 2, ES384 as 11.
   *
   * @default - a burst of 500, then 100 a second
   */
  readonly refusalsPerAddress?: AddressLimit;
}

/** A bucket of one address. */
export interface AddressLimit {
  /** Size of the bucket; 1 to 1 000 000. */
  readonly maxTokens: number;
  /** Added every second; 1 to 1 000 000. */
  readonly tokensPerSecond: number;
}

/** Patience with backends. */
export interface UpstreamTimeouts {
  /**
   * Time to connect; 100 milliseconds to 60 seconds. agentgateway has one for all its backends: the longest of the
   * gateway's routes.
   *
   * @default Duration.seconds(5)
   */
  readonly connect?: Duration;

  /**
   * Time from the end of the request to the first byte of the answer; 1 second to 1 hour.
   *
   * @default Duration.seconds(60)
   */
  readonly firstByte?: Duration;

  /**
   * Time without a byte of the answer after which a stream is ended; 1 second to 1 day.
   *
   * @default Duration.minutes(5)
   */
  readonly idle?: Duration;

  /**
   * An answer as a whole, event streams too; 1 second to 7 days.
   *
   * @default - as long as the token that asked for it
   */
  readonly total?: Duration;

  /**
   * How long an event stream may outlast the `exp` of the token that opened it; up to 1 day.
   *
   * @default Duration.seconds(10)
   */
  readonly expiryGrace?: Duration;

  /**
   * Connections to one backend for exchanges that end soon; who has half of them waits behind others. 1 to
   * 65 536.
   *
   * @default 1024
   */
  readonly maxSockets?: number;

  /**
   * Connections to one backend for event streams, beside those; 1 to 65 536. When all are in use, whoever has most
   * of them loses the oldest one.
   *
   * @default 1024
   */
  readonly maxStreams?: number;

  /**
   * Requests that may wait for one of `maxSockets`, 1 to 65 536; more are refused with 503.
   *
   * @default 1024
   */
  readonly maxQueued?: number;

  /**
   * How long one of them may wait before it is refused with 503; nothing was sent to the backend then. 0.1 to 60 s.
   *
   * @default Duration.seconds(3)
   */
  readonly maxQueueTime?: Duration;

  /**
   * Time without a request after which a connection is closed; 0.1 s to 10 minutes. It must be shorter than the
   * backend's own, or a request meets a connection that is closing: gunicorn's is 2 s.
   *
   * @default Duration.millis(1500)
   */
  readonly maxIdleTime?: Duration;

  /**
   * Age from which a connection takes no further request, so that new pods behind a name get their share; 1 s to 1 day.
   *
   * @default Duration.minutes(10)
   */
  readonly maxConnectionAge?: Duration;
}

/** Patience with the backend of one route, instead of the gateway's. */
export interface RouteTimeouts {
  /**
   * Time to connect; 100 milliseconds to 60 seconds.
   *
   * @default - the gateway's
   */
  readonly connect?: Duration;

  /**
   * Time from the end of the request to the first byte of the answer; 1 second to 1 hour.
   *
   * @default - the gateway's
   */
  readonly firstByte?: Duration;

  /**
   * Time without a byte of the answer after which a stream is ended; 1 second to 1 day.
   *
   * @default - the gateway's
   */
  readonly idle?: Duration;

  /**
   * An answer as a whole, event streams too; 1 second to 7 days.
   *
   * @default - the gateway's
   */
  readonly total?: Duration;
}
