/** 128 bits of the key and the second of its expiry: 20 bytes a slot, where a Map of strings takes more than a hundred. */
const WORDS = 5;
const FIRST_CAPACITY = 64;
/** Up to here probing stays short (about 50 neighbouring slots for a new key). */
const MAX_LOAD = 0.9;
/** A table that is still fuller than this without its expired claims grows, else it would be rebuilt again after a few more. */
const CALM_LOAD = 0.85;

/** Four words of a claim's key; a SHA-256, so the words place it as they are. */
export type KeyWords = readonly [number, number, number, number];

/**
 * Open addressing over one typed array. Slots are freed by rebuilding only; small tables keep that short.
 * Seconds are whole Unix times; 0 marks an empty slot.
 */
export class ClaimTable {
  readonly #fullCapacity: number;
  #words = new Uint32Array(FIRST_CAPACITY * WORDS);
  #capacity = FIRST_CAPACITY;
  #used = 0;
  #soonest = Infinity;

  /** @param share claims that the table is built for; it takes more, in small steps. */
  constructor(share: number) {
    this.#fullCapacity = Math.ceil(share / MAX_LOAD) + 1;
  }

  /** No claim expires before this second. */
  get soonest(): number {
    return this.#soonest;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  /** `seen`: live. `first`: it had expired and is claimed again in its own slot. `absent`: `insert` may follow. */
  renew(key: KeyWords, at: number, until: number): 'seen' | 'first' | 'absent' {
    const slot = this.#slotOf(key);
    const expiry = this.#words[slot + 4]!;
    if (expiry === 0) return 'absent';
    if (expiry > at) return 'seen';
    this.#words[slot + 4] = until;
    return 'first';
  }

  /** Adds a key that is absent; returns by how many claims the table grew, less than 0 if expired ones made room. */
  insert(key: KeyWords, at: number, until: number): number {
    let freed = 0;
    if (this.#used + 1 > this.#capacity * MAX_LOAD) {
      freed = this.purge(at);
      if (this.#used + 1 > this.#capacity * CALM_LOAD) this.#rebuild(this.#nextCapacity(), at);
    }
    const slot = this.#slotOf(key);
    this.#words.set(key, slot);
    this.#words[slot + 4] = until;
    this.#used += 1;
    this.#soonest = Math.min(this.#soonest, until);
    return 1 - freed;
  }

  /** Forgets what has expired; returns how many. */
  purge(at: number): number {
    if (this.#soonest > at) return 0;
    const before = this.#used;
    this.#rebuild(this.#capacity, at);
    return before - this.#used;
  }

  #nextCapacity(): number {
    const next = Math.ceil(this.#capacity * 1.5);
    return this.#capacity < this.#fullCapacity ? Math.min(next, this.#fullCapacity) : Math.ceil(this.#capacity * 1.03) + 1;
  }

  /** Where the key is, or the empty slot where it would be; there is always one. */
  #slotOf(key: KeyWords): number {
    const words = this.#words;
    const [a, b, c, d] = key;
    let slot = (a % this.#capacity) * WORDS;
    while (words[slot + 4] !== 0 && !(words[slot] === a && words[slot + 1] === b && words[slot + 2] === c && words[slot + 3] === d)) {
      slot += WORDS;
      if (slot === words.length) slot = 0;
    }
    return slot;
  }

  #rebuild(capacity: number, at: number): void {
    const old = this.#words;
    const words = new Uint32Array(capacity * WORDS);
    this.#used = 0;
    this.#soonest = Infinity;
    for (let i = 0; i < old.length; i += WORDS) {
      const expiry = old[i + 4]!;
      if (expiry <= at) continue; // empty ones too
      let slot = (old[i]! % capacity) * WORDS;
      while (words[slot + 4] !== 0) {
        slot += WORDS;
        if (slot === words.length) slot = 0;
      }
      for (let w = 0; w < WORDS; w++) words[slot + w] = old[i + w]!;
      this.#used += 1;
      if (expiry < this.#soonest) this.#soonest = expiry;
    }
    this.#words = words;
    this.#capacity = capacity;
  }
}
