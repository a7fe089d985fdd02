import { lock, unlock } from '../memory/mutex.js';

/**
 * 128 bits of the key and the second of its expiry: 20 bytes a slot, where a Map of strings takes more than a
 * hundred.
 */
const WORDS = 5;
/** Before the slots: how many are used, the first second at which one expires, and the lock. */
const HEADER = 3;
const [USED, SOONEST, LOCK] = [0, 1, 2];
const NEVER = 0xffff_ffff;
/** The first second that is no empty slot. */
const LONG_AGO = 1;
const FIRST_CAPACITY = 64;
/** Up to here probing stays short (about 50 neighbouring slots for a new key). */
const MAX_LOAD = 0.9;
/**
 * A table that is still fuller than this without its expired claims grows, else it would be rebuilt again after a few
 * more.
 */
const CALM_LOAD = 0.85;

/** Four words of a claim's key; a SHA-256, so the words place it as they are. */
export type KeyWords = readonly [number, number, number, number];

type Words = Uint32Array<ArrayBufferLike>;

const capacityFor = (share: number): number => Math.ceil(share / MAX_LOAD) + 1;

/** Words of a table that threads share, for that many claims: it cannot grow. */
export const wordsFor = (share: number): number => HEADER + capacityFor(share) * WORDS;

/**
 * Open addressing over one typed array. Slots are freed by rebuilding only; small tables keep that short.
 * Seconds are whole Unix times; 0 marks an empty slot. Every method but `lock` and `soonest` is called with the lock
 * taken.
 */
export class ClaimTable {
  readonly #fullCapacity: number;
  readonly #fixed: boolean;
  #words: Words;
  #locks: Int32Array<ArrayBufferLike>;
  #capacity: number;

  /**
   * @param share claims that the table is built for; it takes more, in small steps.
   * @param shared `wordsFor(share)` words, all 0, that other threads make the same table of; it takes what fits.
   */
  constructor(share: number, shared?: Words) {
    this.#fullCapacity = capacityFor(share);
    this.#fixed = shared !== undefined;
    this.#words = shared ?? new Uint32Array(HEADER + FIRST_CAPACITY * WORDS);
    this.#locks = new Int32Array(this.#words.buffer, this.#words.byteOffset, HEADER);
    this.#capacity = (this.#words.length - HEADER) / WORDS;
  }

  /** No claim expires before this second. */
  get soonest(): number {
    const words = this.#words;
    return words[USED] === 0 ? Infinity : words[SOONEST]!;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  lock(): void {
    lock(this.#locks, LOCK);
  }

  unlock(): void {
    unlock(this.#locks, LOCK);
  }

  /** Whether the key has a live claim. */
  has(key: KeyWords, at: number): boolean {
    return this.#words[this.#slotOf(key) + 4]! > at;
  }

  /**
   * Lets a claim end now, if there is one: its slot is free at the next rebuild, and the key can be claimed again at
   * once.
   */
  expire(key: KeyWords): void {
    const slot = this.#slotOf(key);
    if (this.#words[slot + 4] === 0) return;
    this.#words[slot + 4] = LONG_AGO;
    this.#words[SOONEST] = LONG_AGO;
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

  /**
   * Adds a key that is absent; returns by how many claims the table grew, less than 0 if expired ones made room, and
   * `undefined` where there is none.
   */
  insert(key: KeyWords, at: number, until: number): number | undefined {
    let freed = 0;
    if (this.#used + 1 > this.#capacity * MAX_LOAD) {
      freed = this.purge(at);
      if (this.#used + 1 > this.#capacity * CALM_LOAD && !this.#fixed)
        this.#rebuild(this.#nextCapacity(), at);
      if (this.#used + 1 >= this.#capacity) return undefined;
    }
    const slot = this.#slotOf(key);
    this.#words.set(key, slot);
    this.#words[slot + 4] = until;
    this.#words[SOONEST] = Math.min(this.soonest, until);
    this.#words[USED] = this.#used + 1;
    return 1 - freed;
  }

  /** Forgets what has expired; returns how many. */
  purge(at: number): number {
    if (this.soonest > at) return 0;
    const before = this.#used;
    this.#rebuild(this.#capacity, at);
    return before - this.#used;
  }

  get #used(): number {
    return this.#words[USED]!;
  }

  #nextCapacity(): number {
    const next = Math.ceil(this.#capacity * 1.5);
    return this.#capacity < this.#fullCapacity
      ? Math.min(next, this.#fullCapacity)
      : Math.ceil(this.#capacity * 1.03) + 1;
  }

  /** Where the key is, or the empty slot where it would be; there is always one. */
  #slotOf(key: KeyWords): number {
    const words = this.#words;
    const [a, b, c, d] = key;
    let slot = HEADER + (a % this.#capacity) * WORDS;
    while (
      words[slot + 4] !== 0 &&
      !(words[slot] === a && words[slot + 1] === b && words[slot + 2] === c && words[slot + 3] === d)
    ) {
      slot += WORDS;
      if (slot === words.length) slot = HEADER;
    }
    return slot;
  }

  #rebuild(capacity: number, at: number): void {
    const old = this.#fixed ? this.#words.slice() : this.#words;
    const words: Words = this.#fixed
      ? this.#words.fill(0, HEADER)
      : new Uint32Array(HEADER + capacity * WORDS);
    let used = 0;
    let soonest = NEVER;
    for (let i = HEADER; i < old.length; i += WORDS) {
      const expiry = old[i + 4]!;
      if (expiry <= at) continue; // empty ones too
      let slot = HEADER + (old[i]! % capacity) * WORDS;
      while (words[slot + 4] !== 0) {
        slot += WORDS;
        if (slot === words.length) slot = HEADER;
      }
      for (let w = 0; w < WORDS; w++) words[slot + w] = old[i + w]!;
      used += 1;
      if (expiry < soonest) soonest = expiry;
    }
    words[USED] = used;
    words[SOONEST] = soonest;
    if (this.#fixed) return;
    words[LOCK] = old[LOCK]!; // it is ours
    this.#words = words;
    this.#locks = new Int32Array(words.buffer, 0, HEADER);
    this.#capacity = capacity;
  }
}
