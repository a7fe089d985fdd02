import { randomBytes } from 'node:crypto';
import { lock, unlock } from '../memory/mutex.js';

/**
 * Of one bucket: tokens, the start of the interval that was filled last, when it will be full, when it was used
 * last (a count), and the hash of its key.
 */
const SLOT = 5;
const [TOKENS, FILLED_AT, FULL_AT, USED_AT, KEY] = [0, 1, 2, 3, 4];
/** Slots among which a key finds its own: bounds the work of one request. */
const WAYS = 16;
/** Before the slots: how often the table was used, and the lock. */
const HEADER = 2;
const [USES, LOCK] = [0, 1];
const WORD_BYTES = 8;
/** Of a hash: what a double holds exactly. */
const HASH_BITS = 53;

/** The buckets of several limiters, shared by the threads that have its memory. */
export interface BucketMemory {
  readonly memory: ArrayBuffer | SharedArrayBuffer;
  /** Strangers choose keys; nobody shall choose two that meet. */
  readonly seeds: readonly [number, number];
}

/** @param buckets kept at least, spread evenly */
export function bucketMemory(buckets: number, { shared }: { readonly shared: boolean }): BucketMemory {
  const bytes = (HEADER + Math.ceil(buckets / WAYS) * Math.min(buckets, WAYS) * SLOT) * WORD_BYTES;
  const seeds = randomBytes(8);
  return {
    memory: shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes),
    seeds: [seeds.readUInt32LE(0), seeds.readUInt32LE(4)],
  };
}

/** A bucket as it lies in the table; times in seconds since the epoch. */
export interface Bucket {
  tokens: number;
  filledAt: number;
  /** From then on it might as well be forgotten. */
  fullAt: number;
}

export interface BucketTable {
  /**
   * Runs `work` on the bucket of `key` and keeps what it makes of it; nobody else sees the table meanwhile. A
   * key that is not there gets an empty slot, or that of a bucket of its neighbourhood that is full, which
   * changes nothing, or that of the one used longest ago, whose key starts again with a full bucket.
   * @param fresh for a key that is not there
   */
  use<T>(key: string, at: number, fresh: Bucket, work: (bucket: Bucket) => T): T;
  /** A copy of the bucket of `key`. */
  look(key: string): Bucket | undefined;
}

export function createBucketTable({ memory, seeds }: BucketMemory): BucketTable {
  const words = new Float64Array(memory);
  const locks = new Int32Array(memory, LOCK * WORD_BYTES, 1);
  const slots = (words.length - HEADER) / SLOT;
  const ways = Math.min(slots, WAYS);
  const sets = slots / ways;
  const read = (slot: number): Bucket => ({
    tokens: words[slot + TOKENS]!,
    filledAt: words[slot + FILLED_AT]!,
    fullAt: words[slot + FULL_AT]!,
  });
  const setOf = (hash: number): number => HEADER + (hash % sets) * ways * SLOT;
  const find = (hash: number): number | undefined => {
    const first = setOf(hash);
    for (let slot = first; slot < first + ways * SLOT; slot += SLOT)
      if (words[slot + KEY] === hash) return slot;
    return undefined;
  };
  const makeRoom = (first: number, at: number): number => {
    let oldest = first;
    for (let slot = first; slot < first + ways * SLOT; slot += SLOT) {
      if (words[slot + KEY] === 0 || words[slot + FULL_AT]! <= at) return slot;
      if (words[slot + USED_AT]! < words[oldest + USED_AT]!) oldest = slot;
    }
    return oldest;
  };
  return {
    use(key, at, fresh, work) {
      const hash = hashOf(key, seeds);
      lock(locks, 0);
      try {
        const known = find(hash);
        const slot = known ?? makeRoom(setOf(hash), at);
        const bucket = known === undefined ? fresh : read(slot);
        const result = work(bucket);
        words[slot + TOKENS] = bucket.tokens;
        words[slot + FILLED_AT] = bucket.filledAt;
        words[slot + FULL_AT] = bucket.fullAt;
        words[slot + USED_AT] = words[USES] = words[USES]! + 1;
        words[slot + KEY] = hash;
        return result;
      } finally {
        unlock(locks, 0);
      }
    },
    look(key) {
      const hash = hashOf(key, seeds);
      lock(locks, 0);
      const slot = find(hash);
      const bucket = slot === undefined ? undefined : read(slot);
      unlock(locks, 0);
      return bucket;
    },
  };
}

/**
 * Two multiplicative hashes side by side, 53 bits of them, never 0. Not cryptographic: two keys that met would
 * share a bucket, no more.
 */
function hashOf(key: string, [a, b]: readonly [number, number]): number {
  let [x, y] = [a, b];
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    x = Math.imul(x ^ code, 0x9e3779b1);
    y = Math.imul(y ^ code, 0x5f356495);
    x ^= x >>> 15;
    y ^= y >>> 13;
  }
  x = Math.imul(x ^ (y >>> 11), 0x85ebca6b);
  y = Math.imul(y ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) * 2 ** (HASH_BITS - 32) + ((y ^ (y >>> 16)) >>> (64 - HASH_BITS)) || 1;
}
