/**
 * `first` exactly once per key, over every replica that shares the store; `forgotten`: the proof may be from before
 * the store began to remember, so nobody can say;
 * `full` only where a bound can be reached.
 */
export type ClaimResult = 'first' | 'seen' | 'forgotten' | 'full' | 'down';

/** How a store is, for who operates it. */
export interface StoreState {
  /** Whether a claim could be answered by the store itself, not by what stands in for it. */
  readonly reachable: boolean;
  /** Seconds since the epoch: when its epoch began; of several the last. Absent: it is not known. */
  readonly remembersSince: number | undefined;
}

/** When a proof was made, as far as it is known. */
export interface ProofTime {
  /**
   * Seconds since the epoch, by the proof's own word or, where that counts instead, its nonce's: its window begins
   * here, whatever route it is for.
   */
  readonly madeAt: number;
  /** It cannot have been made before this: `madeAt` less what the client's clock may be ahead. */
  readonly notBefore: number;
  /** The nonce that it carries, whoever made it. */
  readonly nonce: string | undefined;
}

/**
 * Remembers which proofs were used. It has an epoch: the moment since which it remembers all of them. What may be
 * older is `forgotten`, unless it carries a nonce that was
 * given out in this epoch only. Claims are held for the longest window of any route, so that none can be forgotten
 * while some route would still take its proof.
 */
export interface ReplayStore {
  /**
   * Claims a proof's one use, atomically. Never throws: a store that cannot be asked answers `down`.
   * Synchronous where the store is, so that the common path has no async hop.
   * @param key 32 bytes: see `replayKey`
   */
  claim(key: Buffer, proof: ProofTime): ClaimResult | Promise<ClaimResult>;
  /** Gives a claim back: its request reached nobody. Never rejects: a store that cannot be asked keeps it. */
  release(key: Buffer): void | Promise<void>;
  /**
   * Whether the store knows that `key` was claimed; claims nothing. Saves the work on a proof that `claim` would
   * refuse, and decides nothing else: `false` also where
   * the store cannot be asked. Never rejects.
   */
  peek(key: Buffer): boolean | Promise<boolean>;
  /** What a proof can carry to show that it is of this epoch; absent: the store has several, or is away. */
  nonce(): string | undefined;
  /**
   * From now on routes take proofs for so many seconds after `madeAt`. A longer window than before begins a new
   * epoch: earlier claims end with the old one.
   */
  cover(windowSeconds: number): void;
  /** Whether a claim could be answered now; readiness asks. */
  ready(): boolean;
  state(): StoreState;
  /** Live claims, where the store knows (memory). */
  size?(): number;
  close(): Promise<void>;
}

/** Whether a proof can have been used before `since`, the first whole second of an epoch. */
export const predates = ({ notBefore, nonce }: ProofTime, since: number, epochNonce: string): boolean =>
  notBefore < since && nonce !== epochNonce;

/**
 * The first whole second after `seconds`: clients write whole seconds, so what was made in that very second may have
 * been used before it was over.
 */
export const secondAfter = (seconds: number): number => Math.floor(seconds) + 1;
