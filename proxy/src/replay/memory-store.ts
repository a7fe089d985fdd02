import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.js';
import { ClaimTable, wordsFor, type KeyWords } from './claim-table.js';
import { EPOCH_WORDS, MemoryEpoch } from './memory-epoch.js';
import {
  secondAfter,
  type ClaimResult,
  type ProofTime,
  type ReplayStore,
  type StoreState,
} from './replay-store.js';

export interface MemoryStoreOptions {
  /** Live claims at most; then `full`. */
  readonly maxEntries: number;
  /** For how long after it was made a proof passes, on any route. */
  readonly windowSeconds: number;
  readonly now: Clock;
  /**
   * Seconds since the epoch: since when it knows of every proof. Default: now, as a process before this one may have
   * taken what was made until now.
   */
  readonly remembersSince?: number | undefined;
  /** Of `shareClaims` for the same `maxEntries`: the claims of all threads that have it. */
  readonly shared?: SharedClaims | undefined;
}

export interface MemoryStore extends ReplayStore {
  size(): number;
  /** Of all claims; at most 24 a claim when the store is full. */
  bytes(): number;
}

/** What threads share of a store: it began once, for all of them. */
export interface SharedClaims {
  readonly memory: SharedArrayBuffer;
  /** Of the nonces of its epochs. */
  readonly seed: string;
}

/** Claims a table is built for, at most: rebuilding one takes a fraction of a millisecond. */
const TABLE_SHARE = 4096;
/** One table is tidied every so many claims; tables that grew full of expired claims tidy themselves. */
const TIDY_EVERY = 64;
const TIDY_FOR_SIZE = 32;
/**
 * Hashes spread unevenly: so many standard deviations on top let nearly every table take its part without growing
 * further, or, where it cannot, ever.
 */
const DEVIATIONS = { growing: 3, fixed: 6 } as const;
const WORD_BYTES = 4;
/** Live claims of all tables, and the epoch, in memory of their own. */
const HELD_WORDS = 1;
const STATE_WORDS = HELD_WORDS + EPOCH_WORDS;

function split(maxEntries: number, deviations: number): { readonly count: number; readonly share: number } {
  const count = 2 ** Math.max(0, Math.ceil(Math.log2(maxEntries / TABLE_SHARE)));
  const share = maxEntries / count;
  return { count, share: count === 1 ? share : share + deviations * Math.sqrt(share) };
}

const wordsOf = (key: Buffer): KeyWords => [
  key.readUInt32LE(0),
  key.readUInt32LE(4),
  key.readUInt32LE(8),
  key.readUInt32LE(12),
];

/** Memory for `maxEntries` claims, which the system gives as it is used. */
export function shareClaims({
  maxEntries,
  windowSeconds,
  now,
  remembersSince,
}: Omit<MemoryStoreOptions, 'shared'>): SharedClaims {
  const { count, share } = split(maxEntries, DEVIATIONS.fixed);
  const memory = new SharedArrayBuffer((STATE_WORDS + count * wordsFor(share)) * WORD_BYTES);
  const epoch = new Int32Array(memory, HELD_WORDS * WORD_BYTES, EPOCH_WORDS);
  MemoryEpoch.begin(epoch, remembersSince ?? secondAfter(now()), windowSeconds);
  return { memory, seed: randomUUID() };
}

function tablesOf(
  maxEntries: number,
  shared: SharedClaims | undefined,
): {
  readonly held: Int32Array;
  readonly epoch: Int32Array;
  readonly tables: readonly ClaimTable[];
} {
  const { count, share } = split(maxEntries, shared === undefined ? DEVIATIONS.growing : DEVIATIONS.fixed);
  const words = wordsFor(share);
  const tableOf = (i: number) =>
    new ClaimTable(
      share,
      shared && new Uint32Array(shared.memory, (STATE_WORDS + i * words) * WORD_BYTES, words),
    );
  const state =
    shared === undefined ? new Int32Array(STATE_WORDS) : new Int32Array(shared.memory, 0, STATE_WORDS);
  return {
    held: state.subarray(0, HELD_WORDS),
    epoch: state.subarray(HELD_WORDS),
    tables: Array.from({ length: count }, (_, i) => tableOf(i)),
  };
}

/**
 * Claims of one process (RFC 9449 11.1): forgotten when they expire and never before, so a full store refuses
 * (`full`) rather than forget. Its memory is this process's: a restart forgets, and two replicas do not share it;
 * threads do. Spread over many small tables, of which no claim rebuilds more than it must.
 */
class TableStore implements MemoryStore {
  readonly #maxEntries: number;
  /** Live claims of all tables, of every thread. */
  readonly #held: Int32Array;
  readonly #tables: readonly ClaimTable[];
  readonly #epoch: MemoryEpoch;
  #claims = 0;
  /** The table that is tidied next. */
  #next = 0;

  constructor({ maxEntries, windowSeconds, now, remembersSince, shared }: MemoryStoreOptions) {
    const { held, epoch, tables } = tablesOf(maxEntries, shared);
    if (shared === undefined) MemoryEpoch.begin(epoch, remembersSince ?? secondAfter(now()), windowSeconds);
    this.#maxEntries = maxEntries;
    this.#held = held;
    this.#tables = tables;
    this.#epoch = new MemoryEpoch(epoch, shared?.seed ?? randomUUID(), now);
  }

  claim(key: Buffer, proof: ProofTime): ClaimResult {
    const at = this.#epoch.time();
    if (this.#epoch.mayHaveForgotten(proof, at)) return 'forgotten';
    // The first whole second at which no route takes the proof any more.
    const until = secondAfter(proof.madeAt + this.#epoch.windowSeconds);
    const words = wordsOf(key);
    const table = this.#tableOf(key);
    this.#claims += 1;
    if (this.#claims % TIDY_EVERY === 0) this.#tidy(1, at);
    if (this.#isFull()) this.#makeRoom(at);
    table.lock();
    const known = table.renew(words, at, until);
    const isFullNow = known === 'absent' && this.#isFull();
    const grown = known === 'absent' && !isFullNow ? table.insert(words, at, until) : 0;
    table.unlock();
    if (isFullNow || grown === undefined) return 'full';
    Atomics.add(this.#held, 0, grown);
    return known === 'seen' ? 'seen' : 'first';
  }

  release(key: Buffer): void {
    const table = this.#tableOf(key);
    table.lock();
    table.expire(wordsOf(key));
    table.unlock();
  }

  peek(key: Buffer): boolean {
    const table = this.#tableOf(key);
    table.lock();
    const known = table.has(wordsOf(key), this.#epoch.time());
    table.unlock();
    return known;
  }

  nonce(): string | undefined {
    return this.#epoch.nonce();
  }

  cover(windowSeconds: number): void {
    this.#epoch.cover(windowSeconds);
  }

  ready(): boolean {
    return true;
  }

  state(): StoreState {
    return { reachable: true, remembersSince: this.#epoch.since };
  }

  size(): number {
    this.#tidy(TIDY_FOR_SIZE, this.#epoch.time());
    return Atomics.load(this.#held, 0);
  }

  bytes(): number {
    return this.#tables.reduce((sum, table) => sum + table.bytes, 0);
  }

  async close(): Promise<void> {}

  #tableOf(key: Buffer): ClaimTable {
    return this.#tables[key.readUInt32LE(16) % this.#tables.length]!;
  }

  #isFull(): boolean {
    return Atomics.load(this.#held, 0) >= this.#maxEntries;
  }

  /** Forgets the expired claims of the next tables. */
  #tidy(howMany: number, at: number): void {
    const count = this.#tables.length;
    for (let i = 0; i < Math.min(howMany, count); i++) {
      this.#purge(this.#tables[this.#next]!, at);
      this.#next = (this.#next + 1) % count;
    }
  }

  /** Forgets the expired claims of the first table that has any. */
  #makeRoom(at: number): void {
    for (const table of this.#tables) {
      if (!this.#isFull()) return;
      this.#purge(table, at);
    }
  }

  #purge(table: ClaimTable, at: number): void {
    if (table.soonest > at) return;
    table.lock();
    Atomics.sub(this.#held, 0, table.purge(at));
    table.unlock();
  }
}

export const createMemoryStore = (options: MemoryStoreOptions): MemoryStore => new TableStore(options);
