import http, { type ClientRequest } from 'node:http';
import https from 'node:https';
import type { Config } from '../config/index.js';
import { bodyPace } from '../http/body-pace.js';
import {
  answerWhole,
  cameWhole,
  giveUp,
  onceGone,
  type ClientAnswer,
  type ClientMessage,
} from '../http/exchange.js';
import type { Standing, UpstreamRequest } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { answerHeaders, confidentialAnswer } from './answer.js';
import type { Deadline, Deadlines } from './deadlines.js';
import type { Ending, OpenAnswer, OpenAnswers } from './open-answers.js';
import { createPool, type PoolTls } from './pool.js';
import { isEventStream, relay } from './relay.js';
import { readSecretValue } from './secret-value.js';

/**
 * How a forwarded request ended. `refused`: nothing was sent to the client yet, so it can still be answered.
 * `mayHaveReachedBackend`: false only where no byte of the request was written to a connection, so that the
 * backend cannot have acted on it: no connection was free, or none came about.
 */
export type Outcome = { readonly mayHaveReachedBackend: boolean } & (
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly bytes: number;
      /** Absent: its backend ended it. */ readonly ended: Ending | undefined;
      /** From the request's end to the answer's header block; absent: there was none. */ readonly waitedMs:
        number | undefined;
    }
  | { readonly kind: 'refused'; readonly denial: Denial }
);

export interface Upstream {
  /** host:port, for metrics. */
  readonly backend: string;
  readonly origin: string;
  /**
   * Streams the client's body to the backend and the answer back, both with back-pressure, neither buffered nor compressed. A request is sent
   * once: its proof is spent. Calls `done` once.
   */
  forward(exchange: Exchange, done: (outcome: Outcome) => void): void;
  close(): void;
}

export interface Exchange {
  readonly request: UpstreamRequest;
  /** Put before the `Mcp-Session-Id` that the backend gives, where it has several endpoints. */
  readonly sessionTag: string | undefined;
  readonly message: ClientMessage;
  readonly response: ClientAnswer;
  /** name, value … of fields of ours in the answer; a DPoP-Nonce among them forbids caching (RFC 9449 8.2). */
  readonly extra: readonly string[];
  /** Absent: nobody was authenticated. */
  readonly standing: Standing | undefined;
  /** By which rules it was let in: see OpenAnswer. */
  readonly terms: string;
  /** Seconds since the epoch. */
  readonly receivedAt: number;
}

export interface UpstreamOptions {
  /** Origin. */
  readonly url: string;
  readonly upstream: Config['upstream'];
  readonly limits: Config['limits'];
  readonly deadlines: Deadlines;
  readonly openAnswers: OpenAnswers;
  readonly tlsOptions: PoolTls;
  /** Asked when the backend refused a confidential request with 401: the request with the credential of now, if that is another one. */
  readonly renew: (request: UpstreamRequest) => UpstreamRequest | undefined;
}

/** All connections are in use, and so is the queue for them. */
const RETRY_AFTER_SECONDS = 1;

export function createUpstream({
  url: text,
  upstream,
  limits,
  deadlines,
  openAnswers,
  tlsOptions,
  renew,
}: UpstreamOptions): Upstream {
  const url = new URL(text);
  const tls = url.protocol === 'https:';
  const { agent, queued, close } = createPool({ tls, tlsOptions, maxSockets: upstream.maxSockets });
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const start = tls ? https.request : http.request;

  const open = (request: UpstreamRequest): ClientRequest => {
    const headers = ['Host', url.host, ...request.headers];
    if (request.framing !== undefined)
      headers.push(
        ...(request.framing === 'chunked'
          ? ['Transfer-Encoding', 'chunked']
          : ['Content-Length', request.framing]),
      );
    // Every field by its name: a spread into it gives each request a hidden class of its own, which only a full collection frees (half a kilobyte a request, measured).
    return start({ host, port, agent, method: request.method, path: request.path, headers });
  };

  const forward: Upstream['forward'] = (
    { request, sessionTag, message, response, extra, standing, terms, receivedAt },
    done,
  ) => {
    // It left while its request was judged: its `close` has been said already.
    if (response.destroyed)
      return done({
        kind: 'answered',
        status: 499,
        bytes: 0,
        ended: 'client_gone',
        waitedMs: undefined,
        mayHaveReachedBackend: false,
      });
    if (queued() >= upstream.maxQueued)
      return done({
        kind: 'refused',
        mayHaveReachedBackend: false,
        denial: deny('upstream_busy', `${upstream.maxQueued} requests wait for a connection`, {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        }),
      });
    const out = open(request);
    let settled = false;
    let retried = false;
    let mayHaveReachedBackend = false;
    const finish = (outcome: Outcome) => {
      if (settled) return;
      settled = true;
      deadline.cancel();
      response.off('close', abort);
      done(outcome);
    };
    const fail = (denial: Denial) => {
      // It answered already: what comes now cuts that answer off, if anything.
      if (answered !== undefined) return answered.end('backend_cut');
      current.destroy();
      message.unpipe?.();
      finish({ kind: 'refused', mayHaveReachedBackend, denial });
    };
    let current = out;
    // One deadline, of the phase that the exchange is in: the client's body, the answer's first byte, the answer's next byte.
    let phase: 'body' | 'answer' | 'stream' = 'body';
    let answered: OpenAnswer | undefined;
    const deadline = deadlines.start(limits.bodyIdleTimeoutSeconds, () => {
      if (phase === 'stream') answered!.end('idle');
      else fail(phase === 'body' ? deny('body_stalled') : deny('upstream_timeout', 'no answer'));
    });
    let sentAt = 0;
    const sent = () => {
      if (phase !== 'body') return;
      sentAt = performance.now();
      phase = 'answer';
      deadline.extend(upstream.firstByteTimeoutSeconds);
    };
    const pace = bodyPace(limits);
    let rest: Deadline | undefined;
    const received = (bytes: number) => {
      if (phase === 'body') deadline.extend(pace(bytes));
      else if (bytes <= limits.maxBodyBytes) rest?.extend(pace(bytes));
    };
    // An answer before the end of its request: what is left keeps the pace of a body, or what carries it on both sides goes.
    const linger = () => {
      rest = deadlines.start(limits.bodyIdleTimeoutSeconds, () => giveUp(message));
      const stay = onceGone(message, () => {
        rest!.cancel();
        current.destroy();
      });
      message.once('end', () => {
        if (!cameWhole(message)) return;
        rest!.cancel();
        stay();
      });
    };
    // The client went away: the backend must not go on working for nobody.
    const abort = () => {
      if (settled) return;
      current.destroy();
      if (answered === undefined)
        finish({
          kind: 'answered',
          mayHaveReachedBackend,
          status: 499,
          bytes: 0,
          ended: 'client_gone',
          waitedMs: undefined,
        });
      else answered.end('client_gone');
    };
    response.once('close', abort);

    const listen = (attempt: ClientRequest) => {
      attempt.once('socket', (socket) => {
        if (!socket.connecting) {
          mayHaveReachedBackend = true;
          return;
        }
        const connectTimer = setTimeout(
          () => fail(deny('upstream_timeout', 'connect')),
          upstream.connectTimeoutSeconds * 1000,
        );
        attempt.once('close', () => clearTimeout(connectTimer));
        socket.once(tls ? 'secureConnect' : 'connect', () => {
          mayHaveReachedBackend = true;
          clearTimeout(connectTimer);
        });
      });
      attempt.once('error', (cause: NodeJS.ErrnoException) =>
        fail(deny('upstream_unreachable', cause.code ?? cause.message)),
      );
      let spoke = false;
      // 101 to a request without Upgrade ends a connection of node:http without a word (RFC 9110 15.2.2).
      attempt.once('close', () => {
        if (!spoke && current === attempt) fail(deny('upstream_failed', 'no answer'));
      });
      attempt.once('response', (answer) => {
        spoke = true;
        if (request.confidential) {
          const renewed = answer.statusCode === 401 && !retried ? renew(request) : undefined;
          if (renewed !== undefined) {
            retried = true;
            answer.resume();
            current = open(renewed);
            listen(current);
            current.end();
            return;
          }
          const denial = confidentialAnswer(answer.statusCode!);
          if (denial !== undefined) {
            answer.resume();
            fail(denial);
            return;
          }
        } else if (answer.statusCode === 401 || answer.statusCode === 407) {
          // The backend's quarrel is with our credential, not with the client's proof: a 401 would send the client for a new token.
          answer.resume();
          fail(deny('upstream_refused', `status ${answer.statusCode}`));
          return;
        }
        // An answer may come before the request has ended.
        const waitedMs = phase === 'body' ? 0 : performance.now() - sentAt;
        // RFC 9110 15: no such status is valid.
        if (answer.statusCode! < 200 || answer.statusCode! > 599) {
          answer.resume();
          fail(deny('upstream_failed', `status ${answer.statusCode}`));
          return;
        }
        if (request.secretKey !== undefined) {
          void readSecretValue(answer, request.secretKey)
            .then((value) => {
              if (settled) return;
              if (value instanceof Denial) return fail(value);
              answerWhole(
                message,
                response,
                200,
                [
                  ...extra,
                  'Content-Type',
                  'application/octet-stream',
                  'Cache-Control',
                  'no-store',
                  'X-Content-Type-Options',
                  'nosniff',
                ],
                value,
              );
              finish({
                kind: 'answered',
                mayHaveReachedBackend,
                status: 200,
                bytes: value.length,
                ended: undefined,
                waitedMs,
              });
            })
            .catch((cause: unknown) => fail(deny('internal_error', String(cause))));
          return;
        }
        phase = 'stream';
        const extend = () => deadline.extend(upstream.idleTimeoutSeconds);
        extend();
        const relayed = relay(
          answer,
          response,
          answerHeaders(answer.rawHeaders, request.confidential, extra, sessionTag),
          {
            flowing: extend,
            ended(why) {
              openAnswers.remove(entry);
              finish({
                kind: 'answered',
                mayHaveReachedBackend,
                status: answer.statusCode!,
                bytes: relayed.bytes(),
                ended: why,
                waitedMs,
              });
              if (!message.complete) linger();
            },
          },
        );
        const stream = isEventStream(answer);
        const entry: OpenAnswer = (answered = {
          standing,
          terms,
          graceSeconds: upstream.expiryGraceSeconds,
          receivedAt,
          endsAt: receivedAt + (upstream.totalTimeoutSeconds ?? Infinity),
          stream,
          listening: stream && request.method === 'GET',
          place: -1,
          end: (why) => relayed.end(why),
        });
        openAnswers.add(entry);
      });
    };
    listen(out);
    send(message, out, request, limits, { received, sent, fail });
  };

  return { backend: url.host, origin: url.origin, forward, close };
}

interface SendEvents {
  readonly received: (bytes: number) => void;
  readonly sent: () => void;
  readonly fail: (denial: Denial) => void;
}

/** The client's body to the backend: back-pressure and a cap. */
function send(
  message: ClientMessage,
  out: ClientRequest,
  request: UpstreamRequest,
  limits: Config['limits'],
  { received, sent, fail }: SendEvents,
): void {
  if (request.framing === undefined || request.content !== undefined) {
    message.resume();
    out.end(request.content);
    sent();
    return;
  }
  let bytes = 0;
  message.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    received(bytes);
    if (bytes > limits.maxBodyBytes) fail(deny('body_too_large', `at most ${limits.maxBodyBytes} bytes`));
    else if (!out.destroyed && !out.write(chunk)) message.pause();
  });
  out.on('drain', () => message.resume());
  message.once('end', () => {
    if (!cameWhole(message)) return;
    out.end();
    sent();
  });
  out.once('close', () => message.resume()); // an answer before the end of the body: let the rest drain, or the connection could not be used again
}
