import type { Config } from '../config/index.js';
import type { WholeBody } from '../pipeline/evidence.js';
import { deny, type Denial } from '../pipeline/reason.js';
import { bodyPace } from './body-pace.js';
import type { BodyHolder, BodyPool } from './body-pool.js';
import { cameWhole, type ClientAnswer, type ClientMessage } from './exchange.js';
import { isFragmented } from './gather-pieces.js';
import { HeldBody } from './held-body.js';

const RETRY_AFTER_SECONDS = 1;

export interface BodyReading {
  readonly message: ClientMessage;
  /** When it is over, so is the body. */
  readonly response: ClientAnswer;
  readonly limits: Config['limits'];
  readonly pool: BodyPool;
  readonly holder: BodyHolder;
}

/**
 * The whole body of a request that a decision needs, in one buffer: never more than `maxBodyBytes`, never slower than
 * its pace, and never more of all of them than the pool has.
 */
export function readBody(reading: BodyReading): Promise<WholeBody | Denial> {
  const { message, response, limits, pool, holder } = reading;
  // It left while its request was checked: its `close` has been said already.
  if (response.destroyed) return Promise.resolve(goneDenial(message));
  return new Promise((resolve) => {
    const pace = bodyPace(limits);
    const settle = (result: WholeBody | Denial) => {
      clearTimeout(timer);
      message.off('data', take).off('end', end).off('close', gone);
      resolve(result);
    };
    const refuse = (denial: Denial) => {
      body.release();
      message.pause();
      settle(denial);
    };
    const busy = () =>
      refuse(deny('overloaded', 'bodies that rules are for', { retryAfterSeconds: RETRY_AFTER_SECONDS }));
    const body = new HeldBody(pool.lease(holder, limits, busy), Number(message.headers['content-length']));
    const stalled = () => refuse(deny('body_stalled'));
    let timer = setTimeout(stalled, pace(0) * 1000);
    const take = (chunk: Buffer) => {
      const bytes = body.length + chunk.length;
      clearTimeout(timer);
      if (bytes > limits.maxBodyBytes)
        return refuse(deny('body_too_large', `at most ${limits.maxBodyBytes} bytes`));
      if (isFragmented(message)) return refuse(deny('body_fragmented'));
      timer = setTimeout(stalled, pace(bytes) * 1000);
      body.append(chunk);
    };
    const gone = () => refuse(goneDenial(message));
    const end = () => {
      if (!cameWhole(message) || isFragmented(message) || response.destroyed) return gone();
      body.settle();
      response.once('close', () => body.release());
      settle(body);
    };
    message.on('data', take).on('end', end).on('close', gone);
  });
}

/** A stream of too many pieces is reset. */
const goneDenial = (message: ClientMessage): Denial =>
  isFragmented(message) ? deny('body_fragmented') : deny('body_stalled', 'the client went away');
