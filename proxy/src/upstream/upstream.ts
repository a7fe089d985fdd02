import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Config, Route } from '../config/index.js';
import type { UpstreamRequest } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { answerHeaders, confidentialAnswer, type AnswerHeaders } from './answer.js';
import type { Deadlines } from './deadlines.js';
import { createPool } from './pool.js';

/** How a forwarded request ended. `refused`: nothing was sent to the client yet, so it can still be answered. */
export type Outcome =
  | { readonly kind: 'answered'; readonly status: number; readonly bytes: number; readonly complete: boolean }
  | { readonly kind: 'refused'; readonly denial: Denial };

export interface Upstream {
  /** host:port, for metrics. */
  readonly backend: string;
  /**
   * Streams the client's body to the backend and the answer back, both with back-pressure, neither buffered nor compressed. A request is sent
   * once: its proof is spent. Calls `done` once.
   * @param extra name, value … of fields of ours in the answer; a DPoP-Nonce among them forbids caching (RFC 9449 8.2)
   */
  forward(request: UpstreamRequest, message: IncomingMessage, response: ServerResponse, extra: readonly string[], done: (outcome: Outcome) => void): void;
  close(): void;
}

export interface UpstreamOptions {
  readonly route: Route;
  readonly upstream: Config['upstream'];
  readonly limits: Config['limits'];
  readonly deadlines: Deadlines;
  /** PEM; absent: the system's roots. */
  readonly ca: string | undefined;
  /** Asked when the backend refused a confidential request with 401: true if there is now a newer credential. */
  readonly refreshCredential: () => boolean;
  /** The request again with the credential of now. */
  readonly renew: (request: UpstreamRequest) => UpstreamRequest;
}

export function createUpstream({ route, upstream, limits, deadlines, ca, refreshCredential, renew }: UpstreamOptions): Upstream {
  const url = new URL(route.backend.url);
  const tls = url.protocol === 'https:';
  const agent = createPool({ tls, ca, maxSockets: upstream.maxSockets });
  const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? (tls ? 443 : 80) : Number(url.port), agent };
  const start = tls ? https.request : http.request;

  const open = (request: UpstreamRequest): ClientRequest => {
    const headers = ['Host', url.host, ...request.headers];
    if (request.framing !== undefined) headers.push(...(request.framing === 'chunked' ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', request.framing]));
    return start({ ...target, method: request.method, path: request.path, headers });
  };

  const forward: Upstream['forward'] = (request, message, response, extra, done) => {
    const out = open(request);
    let settled = false;
    let retried = false;
    const finish = (outcome: Outcome) => {
      if (settled) return;
      settled = true;
      deadline.cancel();
      response.off('close', abort);
      done(outcome);
    };
    const fail = (denial: Denial) => {
      current.destroy();
      message.unpipe?.();
      finish({ kind: 'refused', denial });
    };
    let current = out;
    // One deadline, of the phase that the exchange is in: the client's body, the answer's first byte, the answer's next byte.
    let phase: 'body' | 'answer' | 'stream' = 'body';
    let answered: IncomingMessage | undefined;
    const deadline = deadlines.start(limits.bodyIdleTimeoutSeconds, () => {
      if (phase === 'stream') answered!.destroy(new Error('idle'));
      else fail(phase === 'body' ? deny('body_stalled') : deny('upstream_timeout', 'no answer'));
    });
    const sent = () => {
      if (phase !== 'body') return;
      phase = 'answer';
      deadline.extend(upstream.firstByteTimeoutSeconds);
    };
    const received = () => { if (phase === 'body') deadline.extend(limits.bodyIdleTimeoutSeconds); };
    // The client went away: the backend must not go on working for nobody.
    const abort = () => {
      current.destroy();
      finish({ kind: 'answered', status: response.headersSent ? response.statusCode : 499, bytes: 0, complete: false });
    };
    response.once('close', abort);

    const listen = (attempt: ClientRequest) => {
      attempt.once('socket', (socket) => {
        if (!socket.connecting) return;
        const connectTimer = setTimeout(() => fail(deny('upstream_timeout', 'connect')), upstream.connectTimeoutSeconds * 1000);
        attempt.once('close', () => clearTimeout(connectTimer));
        socket.once(tls ? 'secureConnect' : 'connect', () => clearTimeout(connectTimer));
      });
      attempt.once('error', (cause: NodeJS.ErrnoException) => fail(deny('upstream_unreachable', cause.code ?? cause.message)));
      attempt.once('response', (answer) => {
        if (request.confidential) {
          if (answer.statusCode === 401 && !retried && refreshCredential()) {
            retried = true;
            answer.resume();
            current = open(renew(request));
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
        phase = 'stream';
        answered = answer;
        deadline.extend(upstream.idleTimeoutSeconds);
        const flowing = () => deadline.extend(upstream.idleTimeoutSeconds);
        stream(answer, response, answerHeaders(answer.rawHeaders, request.confidential, extra), flowing, (bytes, complete) => finish({ kind: 'answered', status: answer.statusCode!, bytes, complete }));
      });
    };
    listen(out);
    send(message, out, request, limits, { received, sent, fail });
  };

  return { backend: url.host, forward, close: () => agent.destroy() };
}

interface SendEvents {
  readonly received: () => void;
  readonly sent: () => void;
  readonly fail: (denial: Denial) => void;
}

/** The client's body to the backend: back-pressure and a cap. */
function send(message: IncomingMessage, out: ClientRequest, request: UpstreamRequest, limits: Config['limits'], { received, sent, fail }: SendEvents): void {
  if (request.framing === undefined || request.content !== undefined) {
    message.resume();
    out.end(request.content);
    sent();
    return;
  }
  let bytes = 0;
  message.on('data', (chunk: Buffer) => {
    received();
    bytes += chunk.length;
    if (bytes > limits.maxBodyBytes) fail(deny('body_too_large', `at most ${limits.maxBodyBytes} bytes`));
    else if (!out.write(chunk)) message.pause();
  });
  out.on('drain', () => message.resume());
  message.once('end', () => {
    out.end();
    sent();
  });
  out.once('close', () => message.resume()); // an answer before the end of the body: let the rest drain, or the connection could not be used again
}

function stream(answer: IncomingMessage, response: ServerResponse, { headers, length }: AnswerHeaders, flowing: () => void, done: (bytes: number, complete: boolean) => void): void {
  let bytes = 0;
  response.writeHead(answer.statusCode!, headers);
  // A body of unknown length is a stream: its reader waits for the header block, maybe long before the first event.
  if (length === undefined) response.flushHeaders();
  answer.on('data', (chunk: Buffer) => {
    flowing();
    bytes += chunk.length;
    if (!response.write(chunk)) answer.pause();
  });
  response.on('drain', () => answer.resume());
  answer.once('end', () => {
    if (answer.complete) response.end();
    else response.destroy();
    done(bytes, answer.complete);
  });
  // Cut off upstream: the client must see it, not a clean end of half an answer.
  answer.once('error', () => {
    response.destroy();
    done(bytes, false);
  });
  answer.once('close', () => {
    if (!answer.complete) response.destroy();
    done(bytes, answer.complete);
  });
}
