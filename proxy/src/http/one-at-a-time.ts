import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that a client may send ahead on one connection; more end it. */
const MOST_AHEAD = 32;

const AHEAD = Symbol('requests sent ahead');
type Line = Socket & { [AHEAD]?: (readonly [IncomingMessage, ServerResponse])[] | undefined };

/** Whether a request of this connection is being handled. */
export const isServing = (socket: Socket): boolean => (socket as Line)[AHEAD] !== undefined;

/**
 * Handles the requests of one connection one after the other (RFC 9112 9.3.2: a server may handle requests that were sent ahead in parallel, and need not). node:http says of
 * only one answer at a time that its client has gone, so backends would go on working for the others.
 */
export function oneAtATime(handle: RequestListener): RequestListener {
  const begin = (line: Line, message: IncomingMessage, response: ServerResponse) => {
    response.once('close', () => {
      const ahead = line[AHEAD]!;
      const next = ahead.shift();
      if (next === undefined || line.destroyed) line[AHEAD] = undefined;
      else begin(line, ...next);
    });
    handle(message, response);
  };
  return (message, response) => {
    const line = message.socket as Line;
    const ahead = line[AHEAD];
    if (ahead === undefined) {
      line[AHEAD] = [];
      begin(line, message, response);
    } else if (ahead.push([message, response]) > MOST_AHEAD) {
      line.destroy();
    }
  };
}
