/** Bounds on what a client may cost, and patience with backends: a part of THE schema. */
import * as z from 'zod/mini';
import { seconds, whole } from './fields.js';

export const limits = z.prefault(
  z.strictObject({
    maxHeaderBytes: z._default(whole(1024, 65_536, 'bytes'), 16_384),
    maxHeaderCount: z._default(whole(10, 1000, 'headers'), 100),
    maxUrlBytes: z._default(whole(256, 65_536, 'bytes'), 8_192),
    maxBodyBytes: z._default(whole(0, 1_073_741_824, 'bytes'), 4_194_304),
    /** Time a client has to send its header block. */
    headersTimeoutSeconds: z._default(seconds(1, 120), 10),
    /**
     * How long a client's connection may wait for its next request. Longer than the front in front keeps its own, or
     * its request meets a connection that is closing: 65 s suit nginx, Envoy and most load balancers, those of Google
     * Cloud hold 600 s and want 620.
     */
    keepAliveTimeoutSeconds: z._default(seconds(1, 3600), 65),
    /**
     * Connections that wait so at a time; of more, the one that waits longest is closed. Absent: half of
     * `maxConnections`.
     */
    maxIdleConnections: z.optional(whole(1, 1_000_000, 'connections')),
    /** Time without a byte of a request body after which the client is cut off. */
    bodyIdleTimeoutSeconds: z._default(seconds(1, 600), 15),
    /**
     * What a body must bring on average of `bodyIdleTimeoutSeconds`, or it is cut off, too: a byte now and then
     * is no progress, whatever came before.
     */
    minBodyBytesPerSecond: z._default(whole(0, 1_073_741_824, 'bytes'), 500),
    /**
     * Time without a byte of its answer that a client takes, while there are some for it, after which it is cut
     * off.
     */
    answerIdleTimeoutSeconds: z._default(seconds(1, 3600), 30),
    /** Each of HTTP/2 with up to 100 requests at a time. */
    maxConnections: z._default(whole(1, 1_000_000, 'connections'), 10_000),
    /** Of one address; `trustedPeers` bring many clients and are not counted. */
    maxConnectionsPerAddress: z._default(whole(1, 1_000_000, 'connections'), 1_000),
    /**
     * Proofs whose signature waits to be verified, in those of ES256: one of ES384 counts as 11, one of EdDSA
     * as 2. Beyond that, 503 for what came last of the address that has most. 4096 take about a quarter of a
     * second.
     */
    maxUnverified: z._default(whole(1, 1_000_000, 'proofs'), 4_096),
    /**
     * Requests of one address, whatever becomes of them, before it is answered 429 without any cryptography;
     * absent: no bound. An IPv6 address counts as its /64.
     */
    requestsPerAddress: z.optional(
      z.strictObject({
        maxTokens: whole(1, 1_000_000, 'requests'),
        tokensPerSecond: whole(1, 1_000_000, 'requests'),
      }),
    ),
    /**
     * Refused requests one address may cause before it is answered 429 without any cryptography. An IPv6
     * address counts as its /64.
     */
    refusalsPerAddress: z._default(
      z.strictObject({
        maxTokens: whole(1, 1_000_000, 'refusals'),
        tokensPerSecond: whole(1, 1_000_000, 'refusals'),
      }),
      { maxTokens: 500, tokensPerSecond: 100 },
    ),
  }),
  {},
);

/** What a route can say for itself. */
export const patience = {
  connectTimeoutSeconds: seconds(0.1, 60),
  firstByteTimeoutSeconds: seconds(1, 3600),
  idleTimeoutSeconds: seconds(1, 86_400),
  totalTimeoutSeconds: seconds(1, 604_800),
};

export const upstream = z.prefault(
  z.strictObject({
    connectTimeoutSeconds: z._default(patience.connectTimeoutSeconds, 5),
    /** Time from the end of the request to the first byte of the answer. */
    firstByteTimeoutSeconds: z._default(patience.firstByteTimeoutSeconds, 60),
    /** Time without a byte of the answer after which a stream is ended; above the server's keep-alive comments. */
    idleTimeoutSeconds: z._default(patience.idleTimeoutSeconds, 300),
    /** An answer as a whole, streams too; absent: they end with their token. */
    totalTimeoutSeconds: z.optional(patience.totalTimeoutSeconds),
    /** How long a stream may outlast the `exp` of the token that opened it. */
    expiryGraceSeconds: z._default(seconds(0, 86_400), 10),
    /** Connections to one backend for exchanges that end soon; who has half of them waits behind others. */
    maxSockets: z._default(whole(1, 65_536, 'connections'), 1024),
    /**
     * Connections to one backend for event streams, beside those. When all are in use, whoever has most of them
     * loses the oldest.
     */
    maxStreams: z._default(whole(1, 65_536, 'connections'), 1024),
    /** Requests that may wait for one of `maxSockets`; more are refused with 503. */
    maxQueued: z._default(whole(1, 65_536, 'requests'), 1024),
    /** How long one may wait before it is refused with 503; nothing was sent to the backend then. */
    maxQueueSeconds: z._default(seconds(0.1, 60), 3),
    /**
     * Time without a request after which a connection is closed; shorter than the backend's own, or a request
     * meets one that is closing. gunicorn's is 2 s.
     */
    maxIdleSeconds: z._default(seconds(0.1, 600), 1.5),
    /** Age from which a connection takes no further request, so that new endpoints behind a name get their share. */
    maxConnectionAgeSeconds: z._default(seconds(1, 86_400), 600),
  }),
  {},
);
