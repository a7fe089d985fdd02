import { verifies } from '../checks/signature.js';
import type { Algorithm } from '../config/index.js';
import { FairQueue } from '../http/fair-queue.js';

/**
 * Whether a signature verifies: `verifies` itself, or one that answers a moment later. `unwelcome`: it was not
 * looked at, since the address has caused too many requests or refusals meanwhile; `limited`: since whose proof
 * it says it is may not have more now; `overloaded`: there is more to verify than can be in time.
 */
export type Verify = (
  requester: Requester,
  ...work: Parameters<typeof verifies>
) => VerifyResult | Promise<VerifyResult>;
export type VerifyResult = boolean | 'unwelcome' | 'limited' | 'overloaded';

export interface Requester {
  readonly network: string;
  /** Asked when its turn comes: whether the rate limit of the key that it names is used up. */
  readonly isLimited: () => boolean;
}

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
  /**
   * Whether requests of this network may still cost a verification, of that cost; asked once for each, right
   * before.
   */
  readonly isWelcome: (network: string, cost: number) => boolean;
  /** Cost of what waits at the same time. */
  readonly most: number;
}

interface Waiting {
  readonly cost: number;
  readonly isLimited: () => boolean;
  readonly verify: () => boolean;
  readonly resolve: (result: VerifyResult) => void;
}

/**
 * Verifies the signatures of the requests that arrived together one right after the other, once all of them have been
 * read: the code and tables of a verification stay in the processor's caches then, which makes each a quarter cheaper
 * than one between two requests. A request that comes alone waits for nobody. Networks take turns, so that whoever
 * sends much, or what is dear to verify, waits behind itself; where there is no room, what came last of the network
 * that has most in the queue goes. A bad signature ends the round, so that it is counted before the next one of its
 * address is looked at.
 */
export function createVerifyQueue({ isWelcome, most }: VerifyQueueOptions): Verify {
  const queue = new FairQueue<Waiting>();
  const resultFor = (network: string, { cost, isLimited, verify }: Waiting): VerifyResult => {
    if (isLimited()) return 'limited';
    return isWelcome(network, cost) ? verify() : 'unwelcome';
  };
  const work = () => {
    let spent = 0;
    let bad = false;
    while (!queue.isEmpty && spent < AT_ONCE && !bad) {
      const { network, item } = queue.next()!;
      const result = resultFor(network, item);
      spent += typeof result === 'boolean' ? item.cost : 1;
      bad = result === false;
      item.resolve(result);
    }
    if (!queue.isEmpty) setImmediate(work);
  };
  /** @returns false: nobody has more in the queue than this network would have. */
  const makeRoom = (network: string, cost: number): boolean => {
    while (queue.cost + cost > most) {
      const dropped = queue.dropLatest(queue.costOf(network) + cost);
      if (dropped === undefined) return false;
      dropped.resolve('overloaded');
    }
    return true;
  };
  return ({ network, isLimited }, alg, ...rest) =>
    new Promise((resolve) => {
      const cost = VERIFICATION_COST[alg];
      if (!makeRoom(network, cost)) return resolve('overloaded');
      if (queue.isEmpty) setImmediate(work);
      queue.add(network, { cost, isLimited, verify: () => verifies(alg, ...rest), resolve });
    });
}
