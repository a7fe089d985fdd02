import type { ClientRequest } from 'node:http';
import type { Config } from '../config/index.js';
import { cameWhole, type ClientMessage } from '../http/exchange.js';
import type { UpstreamRequest } from '../pipeline/evidence.js';
import { deny, type Denial } from '../pipeline/reason.js';

export interface SendEvents {
  readonly received: (bytes: number) => void;
  readonly sent: () => void;
  readonly fail: (denial: Denial) => void;
}

/** The client's body to the backend: back-pressure and a cap. */
export function sendBody(
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
