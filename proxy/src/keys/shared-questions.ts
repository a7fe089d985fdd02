import { NetworkShare } from './network-share.js';

/** Questions under way at once. */
const MAX_OPEN = 64;
/** Requests that wait for their answers: each may hold a connection and what its client has sent so far. */
const MAX_WAITING = 256;

/**
 * Questions to a server outside, on behalf of requests: one at a time about one subject, whoever asks, and bounded in
 * number and in who waits for them, with a share for each network. The place is charged when it is asked.
 */
export class SharedQuestions<T> {
  readonly #asking = new NetworkShare(MAX_OPEN);
  readonly #waiting = new NetworkShare(MAX_WAITING);
  readonly #open = new Map<string, Promise<T>>();

  /** @returns `undefined`: this network has its share of questions or of those who wait */
  ask(network: string, subject: string, ask: () => Promise<T>): Promise<T> | undefined {
    return this.#waiting.enter(network) ? this.#join(network, subject, ask) : undefined;
  }

  #join(network: string, subject: string, ask: () => Promise<T>): Promise<T> | undefined {
    const answer = this.#open.get(subject) ?? this.#begin(network, subject, ask);
    if (answer === undefined) {
      this.#waiting.leave(network);
      return undefined;
    }
    return answer.finally(() => this.#waiting.leave(network));
  }

  #begin(network: string, subject: string, ask: () => Promise<T>): Promise<T> | undefined {
    const asked = this.#asking.within(network, ask)?.finally(() => this.#open.delete(subject));
    if (asked !== undefined) this.#open.set(subject, asked);
    return asked;
  }
}
