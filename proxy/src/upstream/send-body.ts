import type { ClientRequest } from 'node:http';
import type { Config } from '../config/index.js';
import { cameWhole, type ClientMessage } from '../http/exchange.js';
import { isFragmented } from '../http/gather-pieces.js';
import type { UpstreamRequest } from '../pipeline/evidence.js';
import { deny, type Denial } from '../pipeline/reason.js';

/** Pieces that are on their way to the backend at once, however small: a write is an object, too. */
const MOST_WRITES = 4;

export interface SendEvents {
  readonly received: (bytes: number) => void;
  readonly sent: () => void;
  readonly fail: (denial: Denial) => void;
}

/**
 * The client's body to the backend: back-pressure and a cap. What the backend does not take yet is gathered in
 * the message.
 */
export function sendBody(
  message: ClientMessage,
  out: ClientRequest,
  request: UpstreamRequest,
  limits: Config['limits'],
  { received, sent, fail }: SendEvents,
): void {
  const { content, framing } = request;
  if (framing === undefined || content !== undefined) {
    message.resume();
    out.end(content?.bytes);
    if (content !== undefined) out.once('finish', () => content.release());
    sent();
    return;
  }
  let bytes = 0;
  let writes = 0;
  const written = () => {
    writes -= 1;
    if (writes === 0) message.resume();
  };
  const take = (chunk: Buffer) => {
    bytes += chunk.length;
    received(bytes);
    if (bytes > limits.maxBodyBytes)
      return fail(deny('body_too_large', `at most ${limits.maxBodyBytes} bytes`));
    if (isFragmented(message)) return fail(deny('body_fragmented'));
    if (out.destroyed) return;
    writes += 1;
    if (!out.write(chunk, written) || writes === MOST_WRITES) message.pause();
  };
  message.on('data', take);
  message.once('end', () => {
    if (isFragmented(message)) return fail(deny('body_fragmented'));
    if (!cameWhole(message)) return;
    out.end();
    sent();
  });
  // an answer before the end of the body: let the rest drain, or the connection could not be used again
  out.once('close', () => message.resume());
}
