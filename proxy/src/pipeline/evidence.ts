import type { Config, Route } from '../config/index.js';
import type { Denial, Reason } from './reason.js';

/** What the audit record will say; stages add what they learn, also about a request that a later stage refuses. */
export interface Facts {
  route?: string;
  issuer?: string;
  subject?: string;
  audience?: string;
  tokenId?: string;
  keyId?: string;
  jkt?: string;
  /** `cnf.x5t#S256` of a certificate that was shown. */
  certificate?: string;
  htm?: string;
  htu?: string;
  proofId?: string;
  /** By its own `iat`, also of a proof that is refused: negative where the client's clock runs ahead. */
  proofAgeSeconds?: number;
  /** Of an access token that is good, by its `iat`. */
  tokenAgeSeconds?: number;
  mcpMethod?: string;
  mcpName?: string;
  /** In permissive mode: why a strict route would have refused. */
  wouldDeny?: Reason;
}

/** Header fields by lower-case name, first value; what stands more than once is named in `repeated`. */
export interface HeaderFields {
  readonly get: (name: string) => string | undefined;
  readonly repeated: (name: string) => boolean;
  /** name, value, name, value … as received. */
  readonly raw: readonly string[];
}

/** Fields of the answer that the way of the request decides, whoever answers in the end. */
export interface Reply {
  /** The one of our origins that was asked for, as far as it is known; its metadata speaks of it (RFC 9728 3.3). */
  origin?: string;
  /** RFC 9449 8.2: a fresh nonce; its answer must not be cached. */
  dpopNonce?: string | undefined;
  /** An allowed Origin, which may read the answer (Fetch, CORS). */
  corsOrigin?: string;
  /** RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers-10. */
  rateLimit?: { readonly policy: string; readonly state: string };
}

/** A body that was read for a decision; held, and counted, until it is released or its request is over. */
export interface WholeBody {
  /** Of a released one: none. */
  readonly bytes: Buffer;
  release(): void;
}

/** A request's part of a distributed trace; of the request itself it gets what its methods take, and nothing else. */
export interface RequestTrace {
  /** Trace id (W3C Trace Context 3.2.2.3): of the client's trace, or of a new one. */
  readonly id: string;
  /** Begins the backend's part. */
  toBackend(request: UpstreamRequest, origin: string): BackendTrace;
  /** The request is over; once. */
  ended(end: RequestEnd): void;
}

export interface BackendTrace {
  /** With a `traceparent` that names the backend's part instead of the client's. */
  readonly request: UpstreamRequest;
  /** The status that the backend answered, where it did, and why its part came to nothing. */
  ended(status: number | undefined, problem: string | undefined): void;
}

export interface RequestEnd {
  readonly status: number;
  readonly reason: Reason | 'ok';
  /** Path prefix of the route that matched. */
  readonly route: string | undefined;
  /** Why the answer ended early. */
  readonly cutShort?: string | undefined;
}

/** What a trusted peer says about a request that it passes on. */
export interface Forwarded {
  /** Present: nobody can say what it says. */
  readonly problem?: string;
  /** Address of the client; absent: the peer doesn't say. */
  readonly client?: string | undefined;
  /** Of `Forwarded`: where the client thought to be. */
  readonly host?: string | undefined;
  readonly proto?: string | undefined;
}

/** What is known of a request before it is checked: enough to answer and to audit it. */
export interface Received {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly receivedAt: number;
  /** The client's, or what a trusted peer says is the client's. */
  readonly address: string;
  /**
   * What limits of an address count by: IPv4 the address, IPv6 its /64, which whoever has one address of it has
   * whole (RFC 6177 2).
   */
  readonly network: string;
  /** The peer is in `trustedPeers`. */
  readonly fromTrustedPeer: boolean;
  /** Absent: nobody who may says anything. */
  readonly forwarded: Forwarded | undefined;
  /** Of HTTP, as it stood in the request line; '2' of HTTP/2, which has none. */
  readonly version: string;
  readonly method: string;
  /** As it stood in the request line, or in `:path`. */
  readonly target: string;
  /** Of HTTP/2 without its pseudo-header fields; `:authority` stands as Host. */
  readonly headers: HeaderFields;
  /** Some that were sent are not among them: HTTP/2's parser drops what is malformed (RFC 9113 8.2.1). */
  readonly lacksFields: boolean;
  /** Length of the body that follows, "chunked" where it is not known, absent where there is none. */
  readonly framing: string | undefined;
  readonly facts: Facts;
  readonly reply: Reply;
  /** Absent: there is no tracing. */
  trace?: RequestTrace;
  /**
   * What the signature of its proof cost to verify, in those of ES256; absent: none was verified, or not yet.
   * Limits count by it.
   */
  verificationCost?: number;
  /** Of the JSON-RPC request in its body, where that was read: an error names it. */
  rpcId?: string | number | undefined;
  /**
   * Gives the proof's one use back, which a request that reached nobody has not had. Absent: there is none, or
   * it was not claimed.
   */
  unspend?: () => void | Promise<void>;
  /** DER of the certificate that the connection's client proved to hold (TLS), if it has one. */
  readonly tlsCertificate: () => Buffer | undefined;
  /**
   * The whole body, once; `body_too_large`, `body_fragmented`, `body_stalled` or `overloaded` beyond the limits.
   * @param caller by whom it counts beside its network; absent: nobody was authenticated
   */
  readonly readBody: (limits: Config['limits'], caller: string | undefined) => Promise<WholeBody | Denial>;
}

/** Well-formed HTTP with a canonical path, from an address that is not being refused wholesale. */
export interface Accepted extends Received {
  /** Percent-encoding normalised, no dot or empty segments, no encoded separators. */
  readonly path: string;
  /** With its "?", or empty. */
  readonly query: string;
  /** Where clients reach the gateway: what an htu may start with. */
  readonly origins: readonly string[];
  /** The path as clients see it: with what an ingress cut off. */
  readonly publicPath: string;
}

export interface Routed extends Accepted {
  readonly route: Route;
}

/** A proof's one use. */
export interface ProofUse {
  /** Who owns the jti: the key's thumbprint, or issuer and kid. */
  readonly owner: string;
  readonly jti: string;
  /** Until when, by this gateway's clock, the same proof passes every other check. */
  readonly acceptableUntil: number;
  /** When it was made, by its own word or, where that counts instead, its nonce's: its window begins here. */
  readonly madeAt: number;
  /** How far `madeAt` may be ahead of this gateway's clock. */
  readonly aheadSeconds: number;
  readonly nonce?: ProofNonce | undefined;
}

/** A nonce in a proof. */
export interface ProofNonce {
  readonly text: string;
  /** Of a nonce of ours that the route requires: when it was made, and one that is made now. */
  readonly required?: { readonly madeAt: number; readonly fresh: string } | undefined;
}

/** What an open stream lives by: a credential is checked once, at the start, and can end before the stream does. */
export interface TokenValidity {
  /** Seconds since the epoch: the token's `exp`; Infinity where it has none. */
  readonly expiresAt: number;
  /** Whether the issuer still vouches: the key is in its set, an opaque token is active. Never waits. */
  readonly isActive: () => boolean;
}

/** Who called, as far as it was proved. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'known';
      /** How it was proved; `bearer` is no proof of possession at all (profile mixed). */
      readonly by: 'dpop' | 'selfSigned' | 'mtls' | 'bearer';
      /** The key, certificate or subject that limits are counted by. */
      readonly identity: string;
      readonly scopes: readonly string[];
      /** Of its token, as the issuer says; none of one that the caller made itself. */
      readonly claims: Readonly<Record<string, unknown>>;
      readonly accessToken: string;
      /** Absent where the credential may be used again by design: certificate-bound and unbound tokens. */
      readonly proofUse: ProofUse | undefined;
      readonly validity: TokenValidity;
    };

/** By whom what is held for a caller counts; absent: nobody was authenticated. */
export const callerName = (caller: Caller): string | undefined =>
  caller.kind === 'known' ? `${caller.by} ${caller.identity}` : undefined;

export interface Authenticated extends Routed {
  readonly caller: Caller;
  /** It was counted against the rate limit of its route already, before its body was read. */
  readonly counted?: true;
}

/** Its JSON-RPC messages are allowed on the route, or the route has no rules. */
export interface Permitted extends Authenticated {
  readonly body: WholeBody | undefined;
  /** Present: the rules keep entries of lists from some callers, and this cuts them out of an answer's messages. */
  readonly cutLists?: (text: string) => string | undefined;
  /** Present: sessions of this route belong to the caller that began them. */
  readonly session?: CallersSession;
}

export interface CallersSession {
  /** The one that was asked for, as the backend knows it; absent: none. */
  readonly id: string | undefined;
  /** What the caller will know a session by that the backend begins. */
  readonly name: (id: string) => string;
}

declare const claimed: unique symbol;
/** Its proof, if it has one, was claimed: only reject-replay makes one, so a pipeline without it does not compile. */
export interface Unseen extends Permitted {
  readonly [claimed]: true;
}

export interface Admitted extends Unseen {
  readonly admitted: true;
}

/** The request as the backend will see it; nothing of the client's is in it that a rule did not let through. */
export interface Outbound extends Admitted {
  readonly upstream: UpstreamRequest;
}

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  /** name, value, name, value …; without Host and framing, which the upstream client sets. */
  readonly headers: string[];
  /** Length of the body that follows, "chunked" where it is not known, absent where there is none. */
  readonly framing: string | undefined;
  /** The body, where it was read already; else it streams. */
  readonly content: WholeBody | undefined;
  /** What the client knows a session by that the backend begins; absent: as the backend does. */
  readonly nameSession?: ((id: string) => string) | undefined;
  /** Secrets: the answer's status is mapped and its headers dropped. */
  readonly confidential: boolean;
  /** Of a Secret: the one key whose decoded value is the answer. */
  readonly secretKey?: string | undefined;
}

/** An answer that needs no credentials and no backend. */
export interface LocalAnswer {
  readonly status: number;
  /** name, value … */
  readonly headers: readonly string[];
  readonly body: string;
}
