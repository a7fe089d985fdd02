import type { Config } from '../config/index.js';

/** Whose body it is. */
export interface BodyHolder {
  readonly network: string;
  /** Absent: nobody was authenticated. */
  readonly caller: string | undefined;
}

/** What one body holds of the pool. */
export interface BodyLease {
  /** Takes more. Where there is no room for it a body is ended, maybe this one. */
  grow(bytes: number): void;
  /** The body is whole: it is not ended for others any more, and counts until it is released. */
  settle(): void;
  /** Gives all back; again is nothing. */
  release(): void;
}

export interface BodyPool {
  /** @param end called when the body has to make room: ends it, and releases the lease */
  lease(holder: BodyHolder, limits: Config['limits'], end: () => void): BodyLease;
}

interface Holding {
  /** Network, and caller: each has a share. */
  readonly holders: readonly string[];
  readonly openedAt: number;
  readonly end: () => void;
  bytes: number;
}

/** Of all bodies that a thread holds as a whole, unless a single one may be larger than its share. */
const POOL_BYTES = 32 * 2 ** 20;
/** So many shares has the pool; a network or caller has one. */
const SHARES = 4;

/**
 * The memory of the bodies that a thread reads as a whole. Where a share or the pool is used up, one that is still read
 * is ended for it: not the one that came last, but the one that holds most for the longest time.
 */
export function createBodyPool(): BodyPool {
  let total = 0;
  const heldBy = new Map<string, number>();
  const reading = new Set<Holding>();

  const add = (holding: Holding, bytes: number) => {
    holding.bytes += bytes;
    total += bytes;
    for (const holder of holding.holders) {
      const held = (heldBy.get(holder) ?? 0) + bytes;
      if (held === 0) heldBy.delete(holder);
      else heldBy.set(holder, held);
    }
  };
  const shareOf = ({ holders }: Holding) => Math.max(...holders.map((holder) => heldBy.get(holder) ?? 0));
  /** Ends one of those that are read. @returns false: there was none */
  const endOne = (may: (holding: Holding) => boolean): boolean => {
    const now = performance.now();
    const costOf = (holding: Holding) => shareOf(holding) * holding.bytes * (now - holding.openedAt);
    let worst: Holding | undefined;
    for (const holding of reading)
      if (may(holding) && (worst === undefined || costOf(holding) > costOf(worst))) worst = holding;
    worst?.end();
    return worst !== undefined;
  };
  const makeRoom = (holding: Holding, { maxBodyBytes }: Config['limits']) => {
    const share = Math.max(POOL_BYTES / SHARES, maxBodyBytes);
    for (const holder of holding.holders)
      while ((heldBy.get(holder) ?? 0) > share && endOne(({ holders }) => holders.includes(holder)));
    while (total > share * SHARES && endOne(() => true));
  };

  return {
    lease({ network, caller }, limits, end) {
      const holders = [`network ${network}`];
      if (caller !== undefined) holders.push(`caller ${caller}`);
      const holding: Holding = { holders, openedAt: performance.now(), end, bytes: 0 };
      reading.add(holding);
      return {
        grow(bytes) {
          add(holding, bytes);
          makeRoom(holding, limits);
        },
        settle: () => void reading.delete(holding),
        release() {
          reading.delete(holding);
          add(holding, -holding.bytes);
        },
      };
    },
  };
}
