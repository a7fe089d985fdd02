import type { Config } from '../config/index.js';
import type { Authenticated } from '../pipeline/evidence.js';
import { Denial, deny } from '../pipeline/reason.js';
import { grow, then, type Stage } from '../pipeline/stage.js';

/**
 * A GET or DELETE may say that a body of unknown length follows, and then send none: an empty chunked body, an
 * END_STREAM in a frame of its own. Some clients and fronts always do. Its end is waited for, as long as a body may
 * be silent, and the backend gets a request without a body; one byte of a body refuses it.
 *
 * @param beforeWait what a request must pass before it is waited for
 */
export function awaitEnd(
  { limits }: Pick<Config, 'limits'>,
  beforeWait: Stage<Authenticated, Authenticated>,
): Stage<Authenticated, Authenticated> {
  const nothing = { ...limits, maxBodyBytes: 0 };
  const wait = then(beforeWait, async (x): Promise<Authenticated | Denial> => {
    const body = await x.readBody(nothing, undefined);
    if (!(body instanceof Denial)) {
      body.release();
      return grow(x, { framing: undefined });
    }
    return body.reason === 'body_too_large' ? deny('malformed_request', `a body in ${x.method}`) : body;
  });
  return (x) => (x.framing === 'chunked' && x.method !== 'POST' ? wait(x) : x);
}
