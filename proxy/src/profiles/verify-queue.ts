import { verifies } from '../checks/signature.js';

/**
 * Whether a signature verifies: `verifies` itself, or one that answers a moment later. `unwelcome`: it was not looked at, since the address has caused too many refusals meanwhile;
 * `overloaded`: there is more to verify than can be in time.
 */
export type Verify = (network: string, ...work: Parameters<typeof verifies>) => Verdict | Promise<Verdict>;
export type Verdict = boolean | 'unwelcome' | 'overloaded';

/** Verified in one go; then the event loop looks at its sockets again. Less than a millisecond of P-256; four times as many save 2 % more (measured). */
const AT_ONCE = 16;

export interface VerifyQueueOptions {
  /** Whether requests of this network may still cost a verification. */
  readonly isWelcome: (network: string) => boolean;
  /** Waiting at the same time. */
  readonly most: number;
}

interface Waiting {
  readonly network: string;
  readonly verify: () => boolean;
  readonly resolve: (verdict: Verdict) => void;
}

/**
 * Verifies the signatures of the requests that arrived together one right after the other, once all of them have been read: the code and tables of a verification stay in the
 * processor's caches then, which makes each a quarter cheaper than one between two requests. A request that comes alone waits for nobody. A bad signature ends the round, so that
 * it is counted before the next one of its address is looked at.
 */
export function createVerifyQueue({ isWelcome, most }: VerifyQueueOptions): Verify {
  let waiting: Waiting[] = [];
  const work = () => {
    let done = 0;
    for (const { network, verify, resolve } of waiting.slice(0, AT_ONCE)) {
      done += 1;
      const verdict = isWelcome(network) ? verify() : 'unwelcome';
      resolve(verdict);
      if (verdict === false) break;
    }
    waiting = waiting.slice(done); // under load it may never be empty
    if (waiting.length > 0) setImmediate(work);
  };
  return (network, ...signature) =>
    new Promise((resolve) => {
      if (waiting.length >= most) return resolve('overloaded');
      if (waiting.push({ network, verify: () => verifies(...signature), resolve }) === 1) setImmediate(work);
    });
}
