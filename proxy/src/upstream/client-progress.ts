import type { ClientAnswer } from '../http/exchange.js';

/** Whether a client takes what its answer has ready for it. */
export class ClientProgress {
  readonly #response: ClientAnswer;
  #taken = 0;
  /** Of `performance.now()`; absent: at the last look it took what there was. */
  #stalledAt: number | undefined;

  constructor(response: ClientAnswer) {
    this.#response = response;
  }

  /**
   * For how long it has taken nothing of what is ready, counted from the look that first saw it; 0: it takes it.
   * @param given bytes of the body that were written to the answer so far
   */
  stalledSeconds(given: number): number {
    const { writableLength, writableEnded, writableFinished } = this.#response;
    const waits = writableLength > 0 || (writableEnded && !writableFinished);
    const taken = given - writableLength;
    if (!waits || taken > this.#taken) this.#stalledAt = undefined;
    else this.#stalledAt ??= performance.now();
    this.#taken = taken;
    return this.#stalledAt === undefined ? 0 : (performance.now() - this.#stalledAt) / 1000;
  }
}
