import type { Config } from '../config/index.js';
import { bodyPace } from './body-pace.js';
import { cameWhole, type ClientMessage } from './exchange.js';
import { deny, type Denial } from '../pipeline/reason.js';

/** Of all bodies that a thread is reading for decisions. */
const MAX_HELD_BYTES = 32 * 2 ** 20;
const RETRY_AFTER_SECONDS = 1;
let held = 0;

/** The whole body of a request that a decision needs; never more than `maxBytes`, never slower than its pace, and never more of all of them than a thread has room for. */
export function readBody(message: ClientMessage, limits: Config['limits']): Promise<Buffer | Denial> {
  return new Promise((resolve) => {
    const { maxBodyBytes: maxBytes } = limits;
    const pace = bodyPace(limits);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (result: Buffer | Denial) => {
      clearTimeout(timer);
      held -= bytes;
      message.off('data', take).off('end', end).off('close', gone);
      if (!(result instanceof Buffer)) message.pause();
      resolve(result);
    };
    const stalled = () => settle(deny('body_stalled'));
    let timer = setTimeout(stalled, pace(0) * 1000);
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      held += chunk.length;
      clearTimeout(timer);
      timer = setTimeout(stalled, pace(bytes) * 1000);
      if (bytes > maxBytes) settle(deny('body_too_large', `at most ${maxBytes} bytes`));
      else if (held > MAX_HELD_BYTES)
        settle(deny('overloaded', 'bodies that rules are for', { retryAfterSeconds: RETRY_AFTER_SECONDS }));
      else chunks.push(chunk);
    };
    const gone = () => settle(deny('body_stalled', 'the client went away'));
    const end = () => (cameWhole(message) ? settle(Buffer.concat(chunks)) : gone());
    message.on('data', take).on('end', end).on('close', gone);
  });
}
