import type { ClientAnswer, ClientMessage } from './exchange.js';
import { FairQueue } from './fair-queue.js';
import { networkOf, plainAddress } from './trusted-peers.js';

export type Handle = (message: ClientMessage, response: ClientAnswer) => void;

interface Arrival {
  readonly cost: 1;
  readonly message: ClientMessage;
  readonly response: ClientAnswer;
}

/**
 * Requests that are begun in one turn of the event loop. Each of them comes back in later turns, when its signature
 * is verified, when its backend is connected and when that answers, so this is what bounds how long a turn takes. As
 * many as are verified in one go: with half of that a request costs 2 % more (measured).
 */
const AT_ONCE = 16;

/**
 * Begins a few requests in each turn of the event loop; networks take turns. One HTTP/2 connection brings a hundred
 * requests in a single read: handled together they would keep everybody else's waiting in each of the turns that a
 * request needs.
 *
 * A request that waits here is one that its connection holds anyway: HTTP/1.1 has one of each connection, HTTP/2 as
 * many as the session may have streams. A request whose client leaves meanwhile is begun all the same: it counts, and
 * has its record.
 */
export function createIntake(handle: Handle): Handle {
  const queue = new FairQueue<Arrival>();
  let begun = 0;
  let turnEnds = false;
  const begin = (message: ClientMessage, response: ClientAnswer) => {
    begun += 1;
    if (!turnEnds) {
      turnEnds = true;
      setImmediate(onTurnEnd);
    }
    handle(message, response);
  };
  const onTurnEnd = () => {
    turnEnds = false;
    begun = 0;
    while (begun < AT_ONCE && !queue.isEmpty) {
      const { message, response } = queue.next()!.item;
      begin(message, response);
    }
  };
  return (message, response) => {
    if (begun < AT_ONCE && queue.isEmpty) begin(message, response);
    else queue.add(networkOfClient(message), { cost: 1, message, response });
  };
}

/** Of its connection: what a trusted peer says of its own clients is read later. */
const networkOfClient = ({ http2, socket }: ClientMessage): string =>
  networkOf(plainAddress((http2?.connection ?? socket).remoteAddress ?? 'unknown'));
