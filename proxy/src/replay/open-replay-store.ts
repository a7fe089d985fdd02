import type { Clock } from '../clock.js';
import type { Config, ReplayConfig } from '../config/index.js';
import { createMemoryStore, shareClaims, type SharedClaims } from './memory-store.js';
import { createRedisStore } from './redis-store.js';
import type { ReplayStore, ClaimResult } from './replay-store.js';
import { longestWindowSeconds } from './window.js';

export interface ReplayStoreOptions {
  readonly now: Clock;
  /** See `MemoryStoreOptions`. */
  readonly remembersSince?: number | undefined;
  /** Of `claimsToShare`, where several threads have the store. */
  readonly shared?: SharedClaims | undefined;
  readonly onProblem: (problem: string) => void;
  /** It is over. */
  readonly onRecovered?: ((what: string) => void) | undefined;
  /** The store answered, or did not in time. */
  readonly onClaimed?: (result: ClaimResult, seconds: number) => void;
  /** A proof passed that the store was not asked about. */
  readonly onUnchecked: () => void;
}

const LOCAL_ENTRIES = 1_000_000;

type Opened = Pick<Config, 'replay' | 'routes'>;

/**
 * What the threads of one process must share of a store, so that it remembers for all of them; `undefined`: the store
 * is elsewhere.
 */
export function claimsToShare(
  { replay, routes }: Opened,
  { now, remembersSince }: Pick<ReplayStoreOptions, 'now' | 'remembersSince'>,
): SharedClaims | undefined {
  const maxEntries = localEntries(replay);
  return maxEntries === undefined
    ? undefined
    : shareClaims({ maxEntries, windowSeconds: longestWindowSeconds(routes), now, remembersSince });
}

/** Of the claims in this process's memory; `undefined`: it has none. */
function localEntries(replay: ReplayConfig): number | undefined {
  if (replay.store === 'memory') return replay.maxEntries;
  return replay.onStoreFailure === 'local' ? LOCAL_ENTRIES : undefined;
}

/** The store that a config names, with what it says shall happen while that store is away. */
export async function openReplayStore(
  { replay, routes }: Opened,
  { now, remembersSince, shared, onProblem, onRecovered, onClaimed, onUnchecked }: ReplayStoreOptions,
): Promise<ReplayStore> {
  const windowSeconds = longestWindowSeconds(routes);
  const openLocal = (maxEntries: number) =>
    createMemoryStore({ maxEntries, windowSeconds, now, remembersSince, shared });
  if (replay.store === 'memory') return openLocal(replay.maxEntries);
  const store = await createRedisStore(replay, { now, windowSeconds, onProblem, onRecovered, onClaimed });
  switch (replay.onStoreFailure) {
    case 'deny':
      return store;
    case 'local':
      return backed(store, openLocal(LOCAL_ENTRIES), onUnchecked);
    case 'allow':
      return backed(store, undefined, onUnchecked);
  }
}

/**
 * A store, and what answers while it is away.
 * @param local told of everything, so that what passed before the outage is known in it; absent: all passes
 */
function backed(store: ReplayStore, local: ReplayStore | undefined, onUnchecked: () => void): ReplayStore {
  /** Keys that passed while the store was away: what it knows of them is another replica's claim. */
  const unchecked = new WeakSet<Buffer>();
  return {
    async claim(key, proof) {
      const result = await store.claim(key, proof);
      // The epoch of `local` is this process's start: what it was not told, it must not be asked about.
      const here = local === undefined ? 'first' : await local.claim(key, proof);
      // What passed here while the store was away it never heard of.
      if (result !== 'down' && result !== 'full')
        return result === 'first' && here === 'seen' ? here : result;
      onUnchecked();
      unchecked.add(key);
      return here;
    },
    async release(key) {
      await local?.release(key);
      if (!unchecked.has(key)) await store.release(key);
    },
    async peek(key) {
      return (await local?.peek(key)) === true || store.peek(key);
    },
    nonce: () => (store.ready() ? store.nonce() : local?.nonce()),
    cover(windowSeconds) {
      local?.cover(windowSeconds);
      store.cover(windowSeconds);
    },
    ready: () => true,
    state: () => store.state(),
    async close() {
      await store.close();
    },
  };
}
