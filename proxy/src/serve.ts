/** The life of one request, from its first byte to its audit line. */
import { randomUUID } from 'node:crypto';
import type { Route } from './config/index.js';
import type { Generation, ProcessResources } from './generation.js';
import type { ListCutting } from './http/answer-filter.js';
import type { BodyPool } from './http/body-pool.js';
import { answerWhole, hasUnreadBody, type ClientAnswer, type ClientMessage } from './http/exchange.js';
import { receive } from './http/receive.js';
import { replyHeaders } from './http/reply-headers.js';
import { callerName, type Outbound, type Received } from './pipeline/evidence.js';
import { Denial, deny } from './pipeline/reason.js';
import type { Dependencies } from './trust.js';
import type { Outcome } from './upstream/upstream.js';

export interface ServeContext {
  readonly resources: ProcessResources;
  readonly dependencies: Dependencies;
  /** Where bodies are held that rules need whole. */
  readonly bodies: BodyPool;
}

/** Serves one request by the config of this generation, whatever comes while it is under way. */
export function serve(
  context: ServeContext,
  generation: Generation,
  message: ClientMessage,
  response: ClientAnswer,
): void {
  new RequestInProgress(context, generation, message, response).begin();
}

class RequestInProgress {
  readonly #context: ServeContext;
  readonly #generation: Generation;
  readonly #message: ClientMessage;
  readonly #response: ClientAnswer;
  readonly #received: Received;
  /** Set once the path has matched; refusals speak of it. */
  #route: Route | undefined;

  constructor(context: ServeContext, generation: Generation, message: ClientMessage, response: ClientAnswer) {
    this.#context = context;
    this.#generation = generation;
    this.#message = message;
    this.#response = response;
    const { resources, dependencies, bodies } = context;
    const now = dependencies.clock();
    this.#received = receive(message, response, {
      id: randomUUID(),
      now,
      peers: generation.peers,
      forwardedHeader: generation.config.forwardedHeader,
      bodies,
    });
    const { tracer } = resources;
    if (tracer !== undefined)
      this.#received.trace = tracer.start(this.#received, generation.config.publicOrigins[0]!);
  }

  begin(): void {
    try {
      this.#decide();
    } catch (cause) {
      this.#crash(cause);
    }
  }

  /** The stages up to the decision: who asks, for what, and what the backend will see. */
  #decide(): void {
    const { pipeline, config, responder } = this.#generation;
    const accepted = pipeline.accept(this.#received);
    if (accepted instanceof Promise) throw new TypeError('accept is synchronous');
    if (accepted instanceof Denial) return this.#refuseUnsent(accepted);
    const own = pipeline.answerLocally(accepted);
    if (own !== undefined) {
      this.#message.resume();
      return responder.answer(this.#received, own, this.#message, this.#response);
    }
    const routed = pipeline.matchRoute(accepted);
    if (routed instanceof Promise) throw new TypeError('match-route is synchronous');
    if (routed instanceof Denial) {
      this.#route = config.routes.find(({ name }) => name === this.#received.facts.route);
      return this.#refuseUnsent(routed);
    }
    this.#route = routed.route;
    const decision = pipeline.decide(routed);
    if (decision instanceof Promise) decision.then(this.#settle).catch(this.#crash);
    else this.#settle(decision);
  }

  readonly #settle = (decision: Outbound | Denial): void => {
    if (decision instanceof Denial) this.#refuseUnsent(decision);
    else this.#forward(decision);
  };

  #forward(outbound: Outbound): void {
    const received = this.#received;
    const picked = this.#generation.endpointsOf(outbound.route).pick(outbound.upstream);
    if (picked instanceof Denial) return this.#refuseUnsent(picked);
    const { upstream, nameSession, report } = picked;
    const trace = received.trace?.toBackend(picked.request, upstream.origin);
    const { caller } = outbound;
    const { metrics } = this.#context.resources;
    metrics.upstreamStarted(upstream.backend);
    upstream.forward(
      {
        request: trace?.request ?? picked.request,
        nameSession,
        message: this.#message,
        response: this.#response,
        extra: ['X-Request-Id', received.id, ...replyHeaders(received.reply)],
        receivedAt: received.receivedAt,
        caller: caller.kind === 'known' ? caller.identity : received.network,
        validity: caller.kind === 'known' ? caller.validity : undefined,
        policy: this.#generation.policyOf(outbound.route),
        view: this.#generation.viewOf(outbound.route, received.reply.origin),
        lists: this.#listCutting(outbound),
        rpcId: received.rpcId,
      },
      (outcome) => {
        metrics.upstreamEnded(upstream.backend);
        report(outcome);
        trace?.ended(...backendEnd(outcome));
        this.#end(outbound, outcome, upstream.backend);
      },
    );
  }

  #listCutting({ cutLists, caller }: Outbound): ListCutting | undefined {
    if (cutLists === undefined) return undefined;
    const { limits } = this.#generation.config;
    const holder = { network: this.#received.network, caller: callerName(caller) };
    return { cut: cutLists, openLease: (end) => this.#context.bodies.lease(holder, limits, end) };
  }

  #end({ route, caller }: Outbound, outcome: Outcome, backend: string): void {
    const { responder, trust } = this.#generation;
    if (outcome.kind === 'answered') return responder.record(this.#received, outcome, backend);
    // The backend's token was withdrawn, maybe: the next request asks for another.
    if (outcome.denial.reason === 'upstream_refused' && caller.kind === 'known')
      trust.exchangers.get(route.name)?.forget(caller.accessToken);
    if (outcome.mayHaveReachedBackend) this.#refuse(outcome.denial, backend);
    else this.#refuseUnsent(outcome.denial, backend);
  }

  /** Nothing of the request reached a backend: its proof can be used again, by a retry of whatever stands in front. */
  #refuseUnsent(denial: Denial, backend?: string): void {
    const released = this.#received.unspend?.();
    if (released instanceof Promise) released.then(() => this.#refuse(denial, backend)).catch(this.#crash);
    else this.#refuse(denial, backend);
  }

  #refuse(denial: Denial, backend?: string): void {
    this.#generation.responder.refuse(
      this.#received,
      denial,
      this.#route,
      this.#message,
      this.#response,
      backend,
    );
  }

  /** A throw is a bug, and still an answer, an audit line and a refusal. */
  readonly #crash = (cause: unknown): void => {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.#context.dependencies.warn(`internal error: ${what}`);
    this.#refuse(deny('internal_error'));
  };
}

/** What the backend's part of a trace says: of an answer that the gateway ended, or the client, only that it came. */
function backendEnd(outcome: Outcome): [status: number | undefined, problem: string | undefined] {
  if (outcome.kind === 'refused') return [undefined, outcome.denial.reason];
  const { status, ended, waitedMs } = outcome;
  return waitedMs === undefined ? [undefined, ended] : [status, ended === 'backend_cut' ? ended : undefined];
}

const HEALTH_FIELDS = ['Content-Type', 'application/json', 'Cache-Control', 'no-store'];

/** The one path without authentication or audit: says that the process answers, and nothing else. */
export function answerHealth(message: ClientMessage, response: ClientAnswer): void {
  const close = hasUnreadBody(message) ? ['Connection', 'close'] : [];
  if (message.method === 'GET' || message.method === 'HEAD') {
    answerWhole(message, response, 200, [...HEALTH_FIELDS, ...close], '{"status":"ok"}');
  } else {
    const fields = [...HEALTH_FIELDS, 'Allow', 'GET, HEAD', ...close];
    answerWhole(message, response, 405, fields, '{"error":"method_not_allowed"}');
  }
  message.resume();
}
