/**
 * Places that many networks share, for work that a request causes before anything is proved of it. A network may have
 * as many as it leaves free: alone half of them, beside another that has its share a quarter; so whoever asks without
 * end always leaves places for others.
 */
export class NetworkShare {
  readonly #places: number;
  #taken = 0;
  readonly #byNetwork = new Map<string, number>();

  constructor(places: number) {
    this.#places = places;
  }

  /** False: it has its share, and must come again. Each true needs its `leave`. */
  enter(network: string): boolean {
    const own = this.#byNetwork.get(network) ?? 0;
    if (own >= this.#places - this.#taken) return false;
    this.#byNetwork.set(network, own + 1);
    this.#taken += 1;
    return true;
  }

  leave(network: string): void {
    const own = this.#byNetwork.get(network)! - 1;
    if (own === 0) this.#byNetwork.delete(network);
    else this.#byNetwork.set(network, own);
    this.#taken -= 1;
  }

  /** Runs `work` in a place of `network`; `undefined`: there is none for it. */
  within<T>(network: string, work: () => Promise<T>): Promise<T> | undefined {
    if (!this.enter(network)) return undefined;
    return work().finally(() => this.leave(network));
  }
}
