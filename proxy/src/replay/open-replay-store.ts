import type { Clock } from '../clock.js';
import type { ReplayConfig } from '../config/index.js';
import { createMemoryStore, shareClaims, type SharedClaims } from './memory-store.js';
import { createRedisStore } from './redis-store.js';
import type { ReplayStore, Turn } from './replay-store.js';

export interface ReplayStoreOptions {
  readonly now: Clock;
  /** Of `claimsToShare`, where several threads have the store. */
  readonly shared?: SharedClaims | undefined;
  readonly onProblem: (problem: string) => void;
  /** The store answered, or did not in time. */
  readonly onClaimed?: (turn: Turn, seconds: number) => void;
  /** A proof passed that the store was not asked about. */
  readonly onUnchecked: () => void;
}

const LOCAL_ENTRIES = 1_000_000;

/** What the threads of one process must share of a store, so that it remembers for all of them; `undefined`: the store is elsewhere. */
export function claimsToShare(config: ReplayConfig, now: Clock): SharedClaims | undefined {
  if (config.store === 'memory') return shareClaims(config.maxEntries, now);
  return config.onStoreFailure === 'local' ? shareClaims(LOCAL_ENTRIES, now) : undefined;
}

/** The store that a config names, with what it says shall happen while that store is away. */
export async function openReplayStore(
  config: ReplayConfig,
  { now, shared, onProblem, onClaimed, onUnchecked }: ReplayStoreOptions,
): Promise<ReplayStore> {
  if (config.store === 'memory')
    return createMemoryStore({
      maxEntries: config.maxEntries,
      epochMarginSeconds: config.epochMarginSeconds,
      now,
      shared,
    });
  const store = timed(await createRedisStore(config, { now, onProblem }), onClaimed ?? (() => {}));
  if (config.onStoreFailure === 'deny') return store;
  // Its epoch is this process's start: what it was not told, it must not be asked about.
  const local = createMemoryStore({ maxEntries: LOCAL_ENTRIES, now, shared });
  const mode = config.onStoreFailure;
  return {
    async claim(key, ttlSeconds, madeAt) {
      const turn = await store.claim(key, ttlSeconds, madeAt);
      // Told of everything, so that what passed before the outage is known in it.
      const here = mode === 'local' ? local.claim(key, ttlSeconds, madeAt) : 'first';
      // What passed here while the store was away it never heard of.
      if (turn !== 'down') return turn === 'first' && here === 'seen' ? here : turn;
      onUnchecked();
      return here;
    },
    async peek(key) {
      return (mode === 'local' && local.peek(key) === true) || store.peek(key);
    },
    ready: () => true,
    async close() {
      await store.close();
    },
  };
}

function timed(store: ReplayStore, tell: (turn: Turn, seconds: number) => void): ReplayStore {
  return {
    ...store,
    async claim(key, ttlSeconds, madeAt) {
      const began = performance.now();
      const turn = await store.claim(key, ttlSeconds, madeAt);
      tell(turn, (performance.now() - began) / 1000);
      return turn;
    },
  };
}
