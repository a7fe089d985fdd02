/**
 * A bounded map that forgets what was not used for long: all that was used among the last `max / 2` entries
 * stays. In two halves, so that reading what is there already writes nothing: a Map that is touched by deleting
 * and setting again is copied every few touches, into the old generation, and what it held then stays until a
 * full collection.
 */
export class Lru<K, V> {
  readonly #half: number;
  readonly #halves: boolean;
  #recent = new Map<K, V>();
  #before = new Map<K, V>();

  /** @param max entries, at least 1: of one there are no halves */
  constructor(max: number) {
    this.#halves = max > 1;
    this.#half = this.#halves ? Math.floor(max / 2) : 1;
  }

  get(key: K): V | undefined {
    const value = this.#recent.get(key);
    if (value !== undefined) return value;
    const older = this.#before.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    if (this.#recent.size >= this.#half && !this.#recent.has(key)) {
      if (this.#halves) this.#before = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, value);
  }

  delete(key: K): void {
    this.#recent.delete(key);
    this.#before.delete(key);
  }
}
