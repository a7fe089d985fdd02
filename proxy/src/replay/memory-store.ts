import type { Clock } from '../clock.js';
import type { ReplayStore, Turn } from './replay-store.js';

export interface MemoryStoreOptions {
  /** Live claims at most; then `full`. */
  readonly maxEntries: number;
  readonly now: Clock;
}

/** 128 bits of the key and the second of its expiry. */
const WORDS = 5;
const FIRST_CAPACITY = 64;
const MAX_LOAD = 0.9;

/** Open addressing over one array; capacity is a power of two or, grown to the bound, what the bound needs. */
interface Shard {
  words: Uint32Array;
  capacity: number;
  used: number;
}

/**
 * Claims of one process, forgotten when they expire and never before. Twenty bytes a slot: a Map of strings takes five times that. The key is a SHA-256, so its own
 * bits place it; shards keep any one rebuild short.
 */
export function createMemoryStore({ maxEntries, now }: MemoryStoreOptions): ReplayStore {
  const epoch = Math.floor(now());
  const shardCount = 1 << Math.max(0, Math.ceil(Math.log2(maxEntries / 2048)));
  const shards: (Shard | undefined)[] = new Array<Shard | undefined>(shardCount).fill(undefined);
  let live = 0;

  /** Seconds since the store was opened, 1 or more: 0 marks an empty slot. */
  const tick = (seconds: number) => Math.max(1, Math.ceil(seconds - epoch));

  const rebuild = (shard: Shard, capacity: number, at: number) => {
    const { words } = shard;
    const kept = new Uint32Array(capacity * WORDS);
    let used = 0;
    for (let i = 0; i < words.length; i += WORDS) {
      if (words[i + 4]! <= at) continue;
      let slot = words[i]! % capacity;
      while (kept[slot * WORDS + 4] !== 0) slot = slot + 1 === capacity ? 0 : slot + 1;
      kept.set(words.subarray(i, i + WORDS), slot * WORDS);
      used += 1;
    }
    live -= shard.used - used;
    shard.words = kept;
    shard.capacity = capacity;
    shard.used = used;
  };

  const sweepAll = (at: number) => {
    for (const shard of shards) if (shard !== undefined) rebuild(shard, shard.capacity, at);
  };
  let sweptAt = 0;

  const claim = (key: Buffer, ttlSeconds: number): Turn => {
    const seconds = now();
    const at = Math.floor(seconds - epoch);
    const [a, b, c, d] = [key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8), key.readUInt32LE(12)];
    const shardAt = key.readUInt32LE(16) & (shardCount - 1);
    const shard = shards[shardAt] ??= { words: new Uint32Array(FIRST_CAPACITY * WORDS), capacity: FIRST_CAPACITY, used: 0 };

    let slot = a % shard.capacity;
    for (;;) {
      const i = slot * WORDS;
      const expiry = shard.words[i + 4]!;
      if (expiry === 0) break;
      if (shard.words[i] === a && shard.words[i + 1] === b && shard.words[i + 2] === c && shard.words[i + 3] === d) {
        if (expiry > at) return 'seen';
        shard.words[i + 4] = tick(seconds + ttlSeconds); // its slot, its turn again
        return 'first';
      }
      slot = slot + 1 === shard.capacity ? 0 : slot + 1;
    }
    if (live >= maxEntries) {
      // Expired claims still count until their shard is rebuilt; once a second they are all looked for.
      if (sweptAt === at) return 'full';
      sweptAt = at;
      sweepAll(at);
      if (live >= maxEntries) return 'full';
      return claim(key, ttlSeconds);
    }
    if (shard.used + 1 > shard.capacity * MAX_LOAD) {
      rebuild(shard, shard.capacity, at);
      // Half empty after the expired went: the room is enough. Else a third more, so that little of it stands empty.
      if (shard.used + 1 > shard.capacity * 0.75) rebuild(shard, Math.ceil(shard.capacity * 1.25), at);
      return claim(key, ttlSeconds);
    }
    const i = slot * WORDS;
    shard.words[i] = a;
    shard.words[i + 1] = b;
    shard.words[i + 2] = c;
    shard.words[i + 3] = d;
    shard.words[i + 4] = tick(seconds + ttlSeconds);
    shard.used += 1;
    live += 1;
    return 'first';
  };

  return {
    claim,
    ready: () => true,
    size: () => live,
    async close() { shards.fill(undefined); },
  };
}
