/**
 * `first` exactly once per key and ttl, over every replica that shares the store; `forgotten`: made before the store began to remember, so nobody can say;
 * `full` only where a bound can be reached.
 */
export type Turn = 'first' | 'seen' | 'forgotten' | 'full' | 'down';

export interface ReplayStore {
  /**
   * Claims a proof's one use, atomically. Never throws: a store that cannot be asked answers `down`.
   * Synchronous where the store is, so that the common path has no async hop.
   * @param key 32 bytes: see `replayKey`
   * @param ttlSeconds > 0; how long the key must be remembered, fractions allowed (rounded up)
   * @param madeAt seconds since the epoch: when the proof was made, by its own word
   */
  claim(key: Buffer, ttlSeconds: number, madeAt: number): Turn | Promise<Turn>;
  /**
   * Whether the store knows that `key` was claimed; claims nothing. Saves the work on a proof that `claim` would refuse, and decides nothing else: `false` also where
   * the store cannot be asked. Never rejects.
   */
  peek(key: Buffer): boolean | Promise<boolean>;
  /** Whether a claim could be answered now; readiness asks. */
  ready(): boolean;
  /** Live claims, where the store knows (memory). */
  size?(): number;
  close(): Promise<void>;
}
