import type { Clock } from '../clock.js';
import { ClaimTable, type KeyWords } from './claim-table.js';
import type { ReplayStore } from './replay-store.js';

export interface MemoryStoreOptions {
  /** Live claims at most; then `full`. */
  readonly maxEntries: number;
  /** Added to the moment it was opened: a proof made before that may have been used in a process before this one. */
  readonly epochMarginSeconds?: number;
  readonly now: Clock;
}

export interface MemoryStore extends ReplayStore {
  size(): number;
  /** Of all claims; at most 24 a claim when the store is full. */
  bytes(): number;
}

/** Claims a table is built for, at most: rebuilding one takes a fraction of a millisecond. */
const TABLE_SHARE = 4096;
/** One table is tidied every so many claims; tables that grew full of expired claims tidy themselves. */
const TIDY_EVERY = 64;
const TIDY_FOR_SIZE = 32;

/**
 * Claims of one process: forgotten when they expire and never before, so a full store refuses (`full`) rather than forget. Its memory is this process's: a restart
 * forgets, and two replicas do not share it. Spread over many small tables, of which no claim rebuilds more than it must.
 */
export function createMemoryStore({ maxEntries, epochMarginSeconds = 0, now }: MemoryStoreOptions): MemoryStore {
  const count = 2 ** Math.max(0, Math.ceil(Math.log2(maxEntries / TABLE_SHARE)));
  const share = maxEntries / count;
  // Hashes spread unevenly: three standard deviations on top let nearly every table take its part without growing further.
  const tables = Array.from({ length: count }, () => new ClaimTable(count === 1 ? share : share + 3 * Math.sqrt(share)));
  // Whole seconds, as clients write iat.
  const epoch = Math.floor(now()) + epochMarginSeconds;
  let held = 0;
  let claims = 0;
  let next = 0;

  const tidy = (howMany: number) => {
    const at = Math.floor(now());
    for (let i = 0; i < Math.min(howMany, count); i++) {
      held -= tables[next]!.purge(at);
      next = (next + 1) % count;
    }
  };
  /** Whether there is room, after forgetting the expired claims of the first table that has any. */
  const makeRoom = (at: number): boolean => {
    for (const table of tables) {
      if (held < maxEntries) return true;
      held -= table.purge(at);
    }
    return held < maxEntries;
  };

  return {
    claim(key, ttlSeconds, madeAt) {
      if (madeAt < epoch) return 'forgotten';
      const seconds = now();
      // Whole seconds, both rounded so that a claim is held its ttl or up to a second longer, never shorter.
      const at = Math.floor(seconds);
      const until = Math.max(1, Math.ceil(seconds + ttlSeconds));
      const words: KeyWords = [key.readUInt32LE(0), key.readUInt32LE(4), key.readUInt32LE(8), key.readUInt32LE(12)];
      const table = tables[key.readUInt32LE(16) % count]!;
      claims += 1;
      if (claims % TIDY_EVERY === 0) tidy(1);
      const turn = table.renew(words, at, until);
      if (turn !== 'absent') return turn;
      if (!makeRoom(at)) return 'full';
      held += table.insert(words, at, until);
      return 'first';
    },
    ready: () => true,
    size() {
      tidy(TIDY_FOR_SIZE);
      return held;
    },
    bytes: () => tables.reduce((sum, table) => sum + table.bytes, 0),
    async close() {},
  };
}
