import { verifies } from '../checks/signature.js';
import type { Algorithm } from '../config/index.js';

/**
 * Whether a signature verifies: `verifies` itself, or one that answers a moment later. `unwelcome`: it was not looked at, since the address has caused too many refusals meanwhile;
 * `overloaded`: there is more to verify than can be in time.
 */
export type Verify = (network: string, ...work: Parameters<typeof verifies>) => Verdict | Promise<Verdict>;
export type Verdict = boolean | 'unwelcome' | 'overloaded';

/**
 * What a verification costs, in those of ES256, rounded up. Measured on Node 24.9 on a loaded machine, in µs of CPU:
 * ES256 120, ES384 1 250 to 1 330, EdDSA 192, RS256 42 with 2048 bits and 107 with 4096.
 */
export const VERIFICATION_COST: Readonly<Record<Algorithm, number>> = {
  ES256: 1,
  RS256: 1,
  PS256: 1,
  EdDSA: 2,
  Ed25519: 2,
  ES384: 11,
};

/**
 * Cost of what is verified in one go; then the event loop looks at its sockets again. Less than a millisecond; four
 * times as much saves 2 % more (measured).
 */
const AT_ONCE = 16;

export interface VerifyQueueOptions {
  /** Whether requests of this network may still cost a verification. */
  readonly isWelcome: (network: string) => boolean;
  /** Cost of what waits at the same time. */
  readonly most: number;
}

interface Waiting {
  readonly cost: number;
  readonly verify: () => boolean;
  readonly resolve: (verdict: Verdict) => void;
}

/**
 * Verifies the signatures of the requests that arrived together one right after the other, once all of them have been
 * read: the code and tables of a verification stay in the processor's caches then, which makes each a quarter cheaper
 * than one between two requests. A request that comes alone waits for nobody. Networks take turns, so that whoever
 * sends much, or what is dear to verify, waits behind itself. A bad signature ends the round, so that it is counted
 * before the next one of its address is looked at.
 */
export function createVerifyQueue({ isWelcome, most }: VerifyQueueOptions): Verify {
  /** By network, in the order of their turns. */
  const queues = new Map<string, Waiting[]>();
  let total = 0;
  const work = () => {
    let spent = 0;
    let bad = false;
    while (queues.size > 0 && spent < AT_ONCE && !bad) {
      const [network, queue] = queues.entries().next().value!;
      queues.delete(network);
      const { cost, verify, resolve } = queue.shift()!;
      if (queue.length > 0) queues.set(network, queue);
      total -= cost;
      spent += cost;
      const verdict = isWelcome(network) ? verify() : 'unwelcome';
      bad = verdict === false;
      resolve(verdict);
    }
    if (queues.size > 0) setImmediate(work);
  };
  return (network, alg, ...rest) =>
    new Promise((resolve) => {
      const cost = VERIFICATION_COST[alg];
      if (total + cost > most) return resolve('overloaded');
      if (queues.size === 0) setImmediate(work);
      total += cost;
      const item: Waiting = { cost, verify: () => verifies(alg, ...rest), resolve };
      const queue = queues.get(network);
      if (queue === undefined) queues.set(network, [item]);
      else queue.push(item);
    });
}
