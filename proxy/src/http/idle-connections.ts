/** What waits for its next request, and can be told not to. */
export interface IdleConnection {
  closeIdle(): void;
}

/**
 * Connections between two requests. They cost their client nothing, so there is a bound: beyond it the one that waits
 * longest goes.
 */
export class IdleConnections {
  readonly #most: number;
  /** In the order in which they began to wait. */
  readonly #waiting = new Set<IdleConnection>();

  constructor(most: number) {
    this.#most = most;
  }

  add(connection: IdleConnection): void {
    this.#waiting.add(connection);
    if (this.#waiting.size <= this.#most) return;
    const [longest] = this.#waiting;
    this.#waiting.delete(longest!);
    longest!.closeIdle();
  }

  /** It has a request, or is gone. */
  delete(connection: IdleConnection): void {
    this.#waiting.delete(connection);
  }
}
