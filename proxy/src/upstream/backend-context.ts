/** What an exchange with a backend is given, and how it ends. */
import type { ClientRequest } from 'node:http';
import type { PublicPlace } from '../checks/location.js';
import type { Config } from '../config/index.js';
import type { ChallengeContext } from '../http/challenge.js';
import type { ListCutting } from '../http/answer-filter.js';
import type { ClientAnswer, ClientMessage } from '../http/exchange.js';
import type { TokenValidity, UpstreamRequest } from '../pipeline/evidence.js';
import type { Denial } from '../pipeline/reason.js';
import type { ConnectionSlots } from './connection-slots.js';
import type { Deadlines } from './deadlines.js';
import type { Ending, OpenAnswers } from './open-answers.js';

/**
 * How a forwarded request ended. `refused`: nothing was sent to the client yet, so it can still be answered.
 * `mayHaveReachedBackend`: false only where no byte of the request was written to a connection, so that the
 * backend cannot have acted on it: no connection was free, or none came about.
 */
export type Outcome = Result & { readonly mayHaveReachedBackend: boolean };

export type Result =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly bytes: number;
      /** Absent: its backend ended it. */
      readonly ended: Ending | undefined;
      /** From the request's end to the answer's header block; absent: there was none. */
      readonly waitedMs: number | undefined;
    }
  | { readonly kind: 'refused'; readonly denial: Denial };

/** A client's request and what its answer needs. */
export interface Exchange {
  readonly request: UpstreamRequest;
  /** What the client knows a session by that the backend begins; absent: as the backend does. */
  readonly nameSession: ((id: string) => string) | undefined;
  readonly message: ClientMessage;
  readonly response: ClientAnswer;
  /** name, value … of fields of ours in the answer; a DPoP-Nonce among them forbids caching (RFC 9449 8.2). */
  readonly extra: readonly string[];
  /** Whose request it is, or from which network, where nobody was authenticated: shares are counted by it. */
  readonly caller: string;
  /** Absent: nobody was authenticated. */
  readonly validity: TokenValidity | undefined;
  /** By which rules it was let in: see OpenAnswer. */
  readonly policy: string;
  /** Absent: of its backend nothing is shown but what was asked for. */
  readonly view: BackendView | undefined;
  /** Absent: an answer goes to the client as it comes. */
  readonly lists: ListCutting | undefined;
  /** Of the JSON-RPC request that is answered, where it is known. */
  readonly rpcId: string | number | undefined;
  /** Seconds since the epoch. */
  readonly receivedAt: number;
}

/** How clients of a route see its backend. */
export interface BackendView {
  readonly place: PublicPlace;
  /** Present: the backend got the client's token, and its challenges are the client's. */
  readonly challenge: Omit<ChallengeContext, 'scheme'> | undefined;
  /** Present: how long an event stream is quiet before it gets a comment. */
  readonly heartbeatSeconds: number | undefined;
  /** Present: a further proxy stands in between, which sets this field on the backend's answers. */
  readonly answerMark: string | undefined;
}

/** What is known of an answer when it begins. */
export interface Answered {
  /** As the client's are made from them. */
  readonly rawHeaders: readonly string[];
  /** Present: the backend refuses the client's own token. */
  readonly challenge: string | undefined;
  readonly waitedMs: number;
}

/** What all exchanges with one backend have in common. */
export interface BackendContext {
  readonly upstream: Config['upstream'];
  readonly limits: Config['limits'];
  readonly deadlines: Deadlines;
  readonly openAnswers: OpenAnswers;
  readonly slots: ConnectionSlots;
  /** Event of a new connection after which a request is written to it. */
  readonly connected: 'connect' | 'secureConnect';
  /** Begins a request; `fresh`: on a connection that was not used before. */
  readonly open: (request: UpstreamRequest, fresh: boolean) => ClientRequest;
  /**
   * Asked when the backend refused a confidential request with 401: the request with the credential of now, if
   * that is another one.
   */
  readonly renew: (request: UpstreamRequest) => UpstreamRequest | undefined;
}
