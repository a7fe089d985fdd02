import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ListCutting } from '../http/answer-filter.js';
import { bodyPace } from '../http/body-pace.js';
import { relayedChallenge, schemeOf } from '../http/challenge.js';
import { answerWhole, cameWhole, giveUp, onceGone } from '../http/exchange.js';
import type { UpstreamRequest } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { answerHeaders, refusedAnswer } from './answer.js';
import type { Answered, BackendContext, Exchange, Outcome, Result } from './backend-context.js';
import { ClientProgress } from './client-progress.js';
import type { SlotHolder } from './connection-slots.js';
import type { Deadline } from './deadlines.js';
import type { OpenAnswer } from './open-answers.js';
import { neverReuse } from './pool.js';
import { intermediaryDenial, isIntermediarys } from './intermediary.js';
import { filterAnswer, type FilteredAnswer } from './filter-answer.js';
import {
  acceptsEventStream,
  listens,
  isEventStream,
  relay,
  type AnswerSource,
  type Filtering,
  type Relay,
  type RelayEvents,
} from './relay.js';
import { readSecretValue } from './secret-value.js';
import { sendBody } from './send-body.js';

/**
 * queued: all connections are in use. sending: the client's body is on its way. waiting: for the answer's first byte.
 * relaying: the answer goes to the client. ended: `done` was called.
 */
type ExchangePhase = 'queued' | 'sending' | 'waiting' | 'relaying' | 'ended';

const RETRY_AFTER_SECONDS = 1;
const SECRET_HEADERS = [
  'Content-Type',
  'application/octet-stream',
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
];
/** While an answer is relayed: how often it is looked at whether both sides go on. */
const LOOK_SECONDS = 1;
/** A client that takes nothing of its answer for so long loses it, if requests wait for a connection. */
const PATIENCE_SECONDS = 1;
/** What node:http says when a connection is closed under a request. */
const CLOSED = ['ECONNRESET', 'EPIPE'];
/** Safe, so idempotent (RFC 9110 9.2.2), and without a body. */
const RESENDABLE = ['GET', 'HEAD'];

/** One request to a backend and its answer, from the wait for a connection to the last byte. */
export class BackendExchange implements SlotHolder {
  listIndex = -1;
  isStream: boolean;
  readonly listening: boolean;
  readonly caller: string;
  readonly receivedAt: number;
  readonly #context: BackendContext;
  readonly #exchange: Exchange;
  readonly #done: (outcome: Outcome) => void;
  #phase: ExchangePhase = 'queued';
  /** The request to the backend that counts: another takes its place when it is sent again. */
  #attempt: ClientRequest | undefined;
  #renewed = false;
  #resent = false;
  #mayHaveReachedBackend = false;
  /** Of the phase: a free connection, the client's next byte, the answer's first byte, the next look at the answer. */
  #deadline: Deadline | undefined;
  /** Of what is left of a request whose answer is over. */
  #rest: Deadline | undefined;
  #sentAt = 0;
  #relay: Relay | undefined;
  /** When the backend sent a byte of its answer last. */
  #flowedAt = 0;
  /** When it got a comment of ours last, or could have. */
  #heartbeatAt = 0;
  #progress: ClientProgress | undefined;

  constructor(context: BackendContext, exchange: Exchange, done: (outcome: Outcome) => void) {
    const { method, headers } = exchange.request;
    this.#context = context;
    this.#exchange = exchange;
    this.#done = done;
    this.caller = exchange.caller;
    this.receivedAt = exchange.receivedAt;
    this.listening = listens(exchange.request) && acceptsEventStream(headers);
    this.isStream = this.listening && method === 'GET'; // Of a POST its answer tells.
  }

  begin(): void {
    const { slots, deadlines, upstream } = this.#context;
    const { response } = this.#exchange;
    // It left while its request was checked: its `close` has been said already.
    if (response.destroyed) return this.#clientLeft();
    const entrance = slots.enter(this);
    if (entrance === 'busy') return this.#fail(busy('all connections are in use'));
    response.once('close', this.#onClientClose);
    if (entrance === 'started') return this.start();
    this.#deadline = deadlines.start(upstream.maxQueueSeconds, this.#onLate);
  }

  start(): void {
    const { deadlines, limits } = this.#context;
    const { request, message } = this.#exchange;
    this.#phase = 'sending';
    if (this.#deadline === undefined)
      this.#deadline = deadlines.start(limits.bodyIdleTimeoutSeconds, this.#onLate);
    else this.#deadline.extend(limits.bodyIdleTimeoutSeconds);
    const attempt = this.#try(request, { fresh: false });
    const pace = bodyPace(limits);
    sendBody(message, attempt, request, limits, {
      received: (bytes) => {
        if (this.#phase === 'sending') this.#deadline!.extend(pace(bytes));
        else if (bytes <= limits.maxBodyBytes) this.#rest?.extend(pace(bytes));
      },
      sent: () => this.#sent(),
      fail: (denial) => this.#fail(denial),
    });
  }

  makeRoom(denial = busy('another caller needed its connection')): void {
    if (this.#relay === undefined) this.#fail(denial);
    else this.#relay.end('made_room');
  }

  #try(request: UpstreamRequest, { fresh }: { readonly fresh: boolean }): ClientRequest {
    const attempt = this.#context.open(request, fresh);
    this.#attempt = attempt;
    let spoke = false;
    attempt.once('socket', (socket) => {
      if (socket.connecting) this.#connecting(attempt, socket);
      else this.#mayHaveReachedBackend = true;
    });
    attempt.once('error', (cause: NodeJS.ErrnoException) => {
      if (this.#attempt !== attempt) return;
      if (!spoke && attempt.reusedSocket && CLOSED.includes(cause.code ?? '') && this.#sendAgain()) return;
      this.#fail(deny('upstream_unreachable', cause.code ?? cause.message));
    });
    attempt.once('response', (answer) => {
      spoke = true;
      this.#answered(attempt, answer);
    });
    attempt.once('close', () => {
      if (this.#attempt !== attempt) return;
      // 101 to a request without Upgrade ends a connection of node:http without a word (RFC 9110 15.2.2).
      if (!spoke) this.#fail(deny('upstream_failed', 'no answer'));
      this.#context.slots.leave(this);
    });
    return attempt;
  }

  #connecting(attempt: ClientRequest, socket: Socket): void {
    const { upstream, connected } = this.#context;
    const timer = setTimeout(
      () => this.#fail(deny('upstream_timeout', 'connect')),
      upstream.connectTimeoutSeconds * 1000,
    );
    attempt.once('close', () => clearTimeout(timer));
    socket.once(connected, () => {
      this.#mayHaveReachedBackend = true;
      clearTimeout(timer);
    });
  }

  /** A backend that closes an idle connection may do so while the next request is on its way there. */
  #sendAgain(): boolean {
    const { request } = this.#exchange;
    if (this.#resent || this.#phase !== 'waiting' || !RESENDABLE.includes(request.method)) return false;
    this.#resent = true;
    this.#try(request, { fresh: true }).end();
    return true;
  }

  #sent(): void {
    if (this.#phase !== 'sending') return;
    this.#sentAt = performance.now();
    this.#phase = 'waiting';
    this.#deadline!.extend(this.#context.upstream.firstByteTimeoutSeconds);
  }

  /** The deadline of the phase is over. */
  readonly #onLate = (): void => {
    const { maxQueueSeconds } = this.#context.upstream;
    if (this.#phase === 'queued') this.#fail(busy(`no connection was free for ${maxQueueSeconds} s`));
    else if (this.#phase === 'sending') this.#fail(deny('body_stalled'));
    else if (this.#phase === 'waiting') this.#fail(deny('upstream_timeout', 'no answer'));
    else this.#look();
  };

  #answered(attempt: ClientRequest, answer: IncomingMessage): void {
    const { request } = this.#exchange;
    // Two requests must never be in one connection at a time, whatever the backend makes of the rest of this one.
    if (!attempt.writableFinished) neverReuse(attempt.socket);
    if (request.confidential && answer.statusCode === 401 && !this.#renewed) {
      const renewed = this.#context.renew(request);
      if (renewed !== undefined) {
        this.#renewed = true;
        answer.resume();
        this.#try(renewed, { fresh: false }).end();
        return;
      }
    }
    if (isIntermediarys(answer, this.#exchange.view))
      return intermediaryDenial(answer, (denial) => this.#fail(denial));
    const challenge = this.#challengeOf(answer);
    const denial =
      challenge === undefined ? refusedAnswer(answer.statusCode!, request.confidential) : undefined;
    if (denial !== undefined) {
      answer.resume();
      return this.#fail(denial);
    }
    // An answer may come before the request has ended.
    const waitedMs = this.#phase === 'sending' ? 0 : performance.now() - this.#sentAt;
    const { lists } = this.#exchange;
    const answered: Answered = { rawHeaders: answer.rawHeaders, challenge, waitedMs };
    if (request.secretKey !== undefined) this.#answerSecret(answer, request.secretKey, waitedMs);
    else if (lists !== undefined) this.#filterAnswer(answer, lists, answered);
    else this.#relayAnswer(answer, answered);
  }

  #filterAnswer(answer: IncomingMessage, lists: ListCutting, answered: Answered): void {
    const settle = (filtered: FilteredAnswer | Denial) => {
      if (filtered instanceof Denial) return this.#fail(filtered);
      const { source, rawHeaders, filtering, release } = filtered;
      if (this.#phase === 'ended') return release();
      this.#exchange.response.once('close', release);
      this.#relayAnswer(source, { ...answered, rawHeaders }, filtering);
    };
    const filtered = filterAnswer(answer, lists, {
      rpcId: this.#exchange.rpcId,
      flowing: () => this.#deadline!.extend(this.#context.upstream.idleTimeoutSeconds),
      // Without Retry-After: its backend has acted on it.
      makeRoom: () => this.makeRoom(deny('upstream_busy', "its caller's share of memory is used up")),
    });
    if (!(filtered instanceof Promise)) return settle(filtered);
    filtered.then(settle).catch((cause: unknown) => this.#fail(deny('internal_error', String(cause))));
  }

  /** Of a backend that refuses the client's own token, in the client's words. */
  #challengeOf({ statusCode, headers }: IncomingMessage): string | undefined {
    const { view, message } = this.#exchange;
    if (view?.challenge === undefined || (statusCode !== 401 && statusCode !== 403)) return undefined;
    const said = headers['www-authenticate'];
    if (said === undefined) return undefined;
    return relayedChallenge(said, { ...view.challenge, scheme: schemeOf(message.headers.authorization) });
  }

  #answerSecret(answer: IncomingMessage, key: string, waitedMs: number): void {
    const { message, response, extra } = this.#exchange;
    readSecretValue(answer, key)
      .then((value) => {
        if (this.#phase === 'ended') return;
        if (value instanceof Denial) return this.#fail(value);
        answerWhole(message, response, 200, [...extra, ...SECRET_HEADERS], value);
        this.#settle({ kind: 'answered', status: 200, bytes: value.length, ended: undefined, waitedMs });
      })
      .catch((cause: unknown) => this.#fail(deny('internal_error', String(cause))));
  }

  #relayAnswer(
    answer: AnswerSource,
    { rawHeaders, challenge, waitedMs }: Answered,
    filtering?: Filtering,
  ): void {
    const { openAnswers, slots } = this.#context;
    const { request, message, response, extra, nameSession, view } = this.#exchange;
    const stream = isEventStream(answer);
    this.#phase = 'relaying';
    this.#flowedAt = performance.now();
    this.#progress = new ClientProgress(response);
    this.#deadline!.extend(LOOK_SECONDS);
    const headers = answerHeaders(rawHeaders, {
      confidential: request.confidential,
      extra,
      nameSession,
      requestPath: request.path,
      place: view?.place,
      challenge,
      answerMark: view?.answerMark,
      isEventStream: stream,
    });
    const entry = this.#openAnswer(stream);
    const events: RelayEvents = {
      flowing: () => {
        this.#flowedAt = performance.now();
      },
      ended: (why) => {
        openAnswers.remove(entry);
        const bytes = relayed.bytes();
        this.#settle({ kind: 'answered', status: answer.statusCode!, bytes, ended: why, waitedMs });
        if (!message.complete) this.#awaitRest();
      },
    };
    const relayed = relay(answer, response, headers, events, filtering);
    this.#relay = relayed;
    openAnswers.add(entry);
    if (!stream || this.isStream) return;
    this.isStream = true;
    slots.becomeStream(this);
  }

  #openAnswer(stream: boolean): OpenAnswer {
    const { upstream } = this.#context;
    const { validity, policy, receivedAt, request } = this.#exchange;
    return {
      validity,
      policy,
      graceSeconds: upstream.expiryGraceSeconds,
      receivedAt,
      endsAt: receivedAt + (upstream.totalTimeoutSeconds ?? Infinity),
      stream,
      listening: stream && listens(request),
      listIndex: -1,
      end: (why) => this.#relay!.end(why),
    };
  }

  /** Whether the backend still sends, and the client still takes. */
  #look(): void {
    const { upstream, limits, deadlines, slots } = this.#context;
    const relayed = this.#relay!;
    const patience = slots.queued() > 0 ? PATIENCE_SECONDS : limits.answerIdleTimeoutSeconds;
    if (this.#progress!.stalledSeconds(relayed.bytes()) >= patience) return relayed.end('client_stalled');
    const quietSeconds = (performance.now() - this.#flowedAt) / 1000;
    if (quietSeconds >= upstream.idleTimeoutSeconds) return relayed.end('idle');
    this.#keepStreamAlive(relayed);
    this.#deadline = deadlines.start(LOOK_SECONDS, this.#onLate);
  }

  /** Counted from the last byte that the client got, whoever sent it: what stands in between sees no difference. */
  #keepStreamAlive(relayed: Relay): void {
    const { view } = this.#exchange;
    if (view?.heartbeatSeconds === undefined) return;
    const now = performance.now();
    if (now - Math.max(this.#flowedAt, this.#heartbeatAt) < view.heartbeatSeconds * 1000) return;
    this.#heartbeatAt = now;
    relayed.heartbeat();
  }

  /**
   * An answer before the end of its request: what is left keeps the pace of a body, or what carries it on both
   * sides goes.
   */
  #awaitRest(): void {
    const { deadlines, limits } = this.#context;
    const { message } = this.#exchange;
    const rest = deadlines.start(limits.bodyIdleTimeoutSeconds, () => giveUp(message));
    this.#rest = rest;
    const stay = onceGone(message, () => {
      rest.cancel();
      this.#attempt!.destroy();
    });
    message.once('end', () => {
      if (!cameWhole(message)) return;
      rest.cancel();
      stay();
    });
  }

  /** The client went away: the backend must not go on working for nobody. */
  readonly #onClientClose = (): void => {
    this.#attempt?.destroy();
    if (this.#relay === undefined) this.#clientLeft();
    else this.#relay.end('client_gone');
  };

  #clientLeft(): void {
    this.#settle({ kind: 'answered', status: 499, bytes: 0, ended: 'client_gone', waitedMs: undefined });
  }

  #fail(denial: Denial): void {
    if (this.#phase === 'ended') return;
    // It answered already: what comes now cuts that answer off, if anything.
    if (this.#relay !== undefined) return this.#relay.end('backend_cut');
    this.#settle({ kind: 'refused', denial });
    this.#attempt?.destroy();
  }

  #settle(result: Result): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#deadline?.cancel();
    this.#exchange.response.off('close', this.#onClientClose);
    if (this.#attempt === undefined) this.#context.slots.leave(this);
    const mayHaveReachedBackend = this.#mayHaveReachedBackend;
    // Member by member: a spread of two shapes is a hundredth of a request (measured).
    if (result.kind === 'refused')
      return this.#done({ kind: 'refused', denial: result.denial, mayHaveReachedBackend });
    const { status, bytes, ended, waitedMs } = result;
    this.#done({ kind: 'answered', status, bytes, ended, waitedMs, mayHaveReachedBackend });
  }
}

const busy = (detail: string): Denial =>
  deny('upstream_busy', detail, { retryAfterSeconds: RETRY_AFTER_SECONDS });
