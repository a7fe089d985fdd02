import type { Route } from '../config/index.js';
import type { Reason } from './reason.js';

/** What the audit record will say; stages add what they learn, also about a request that a later stage refuses. */
export interface Facts {
  route?: string;
  issuer?: string;
  subject?: string;
  audience?: string;
  tokenId?: string;
  keyId?: string;
  jkt?: string;
  htm?: string;
  htu?: string;
  proofId?: string;
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

/** What is known of a request before it is judged: enough to answer and to audit it. */
export interface Received {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly receivedAt: number;
  readonly address: string;
  readonly method: string;
  /** As it stood in the request line. */
  readonly target: string;
  readonly headers: HeaderFields;
  readonly facts: Facts;
}

/** Well-formed HTTP with a canonical path, from an address that is not being refused wholesale. */
export interface Accepted extends Received {
  /** Percent-encoding normalised, no dot or empty segments, no encoded separators. */
  readonly path: string;
  /** With its "?", or empty. */
  readonly query: string;
}

export interface Routed extends Accepted {
  readonly route: Route;
}

/** Who called, as far as it was proved. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | {
    readonly kind: 'proven';
    readonly profile: 'dpop' | 'selfSigned';
    /** Who owns the jti: the key's thumbprint, or issuer and kid. */
    readonly owner: string;
    readonly jti: string;
    /** Until when the same proof would pass every other check: the replay store must remember it that long. */
    readonly acceptableUntil: number;
    readonly accessToken: string;
  };

export interface Authenticated extends Routed {
  readonly caller: Caller;
}

declare const claimed: unique symbol;
/** Its proof was claimed: only reject-replay makes one, so a pipeline without it does not compile. */
export interface Unseen extends Authenticated {
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
  readonly body: string | undefined;
  /** Secrets: the answer's status is mapped and its headers dropped. */
  readonly confidential: boolean;
}
