import type { IncomingMessage } from 'node:http';
import { deny, type Denial } from '../pipeline/reason.js';

/** The whole body of a request that a decision needs; never more than `maxBytes`, never slower than a byte in `idleSeconds`. */
export function readBody(message: IncomingMessage, maxBytes: number, idleSeconds: number): Promise<Buffer | Denial> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (result: Buffer | Denial) => {
      clearTimeout(timer);
      message.off('data', take).off('end', end).off('close', gone);
      if (!(result instanceof Buffer)) message.pause();
      resolve(result);
    };
    const timer = setTimeout(() => settle(deny('body_stalled')), idleSeconds * 1000);
    const take = (chunk: Buffer) => {
      timer.refresh();
      bytes += chunk.length;
      if (bytes > maxBytes) settle(deny('body_too_large', `at most ${maxBytes} bytes`));
      else chunks.push(chunk);
    };
    const end = () => settle(Buffer.concat(chunks));
    const gone = () => settle(deny('body_stalled', 'the client went away'));
    message.on('data', take).on('end', end).on('close', gone);
  });
}
