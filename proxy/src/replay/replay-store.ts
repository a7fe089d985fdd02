/** `first` exactly once per key and ttl, over every replica that shares the store; `full` only where a bound can be reached. */
export type Turn = 'first' | 'seen' | 'full' | 'down';

export interface ReplayStore {
  /**
   * Claims a proof's one use, atomically. Never throws: a store that cannot be asked answers `down`.
   * Synchronous where the store is, so that the common path has no async hop.
   * @param key 32 bytes: see `replayKey`
   * @param ttlSeconds > 0; how long the key must be remembered, fractions allowed (rounded up)
   */
  claim(key: Buffer, ttlSeconds: number): Turn | Promise<Turn>;
  /** Whether a claim could be answered now; readiness asks. */
  ready(): boolean;
  /** Live claims, where the store knows (memory). */
  size?(): number;
  close(): Promise<void>;
}
