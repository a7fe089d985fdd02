import type { Reason } from '../pipeline/reason.js';

/** How often a reason was given, and when last. */
export interface ReasonCount {
  readonly reason: Reason;
  readonly count: number;
  /** RFC 3339, UTC. */
  readonly lastAt: string;
}

/** What became of the requests of a route since the process began. */
export interface RouteCounts {
  /** By the backend, or of what needs no credentials by the gateway. */
  readonly answered: number;
  readonly refused: number;
  /** The latest first. */
  readonly refusals: readonly ReasonCount[];
  /** What a strict route would have refused, of a permissive one; the latest first. */
  readonly wouldRefuse: readonly ReasonCount[];
}

interface Tally {
  count: number;
  lastAt: number;
}

interface RouteTally {
  answered: number;
  readonly refusals: Map<Reason, Tally>;
  readonly wouldRefuse: Map<Reason, Tally>;
}

const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString();

/**
 * Counts requests by route and reason. Both are closed sets, of the config and of the table of reasons: what clients
 * send makes no new entry, and who they are is not in it.
 */
export class RequestCounts {
  readonly #routes = new Map<string, RouteTally>();
  readonly #now: () => number;

  /** @param now seconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  answered(route: string): void {
    this.#of(route).answered += 1;
  }

  refused(route: string, reason: Reason): void {
    this.#add(this.#of(route).refusals, reason);
  }

  wouldRefuse(route: string, reason: Reason): void {
    this.#add(this.#of(route).wouldRefuse, reason);
  }

  /** @returns zeros for a route that nobody has asked for yet */
  of(route: string): RouteCounts {
    const tally = this.#routes.get(route);
    const refusals = listOf(tally?.refusals);
    return {
      answered: tally?.answered ?? 0,
      refused: refusals.reduce((sum, { count }) => sum + count, 0),
      refusals,
      wouldRefuse: listOf(tally?.wouldRefuse),
    };
  }

  #of(route: string): RouteTally {
    let tally = this.#routes.get(route);
    if (tally === undefined) {
      tally = { answered: 0, refusals: new Map(), wouldRefuse: new Map() };
      this.#routes.set(route, tally);
    }
    return tally;
  }

  #add(tallies: Map<Reason, Tally>, reason: Reason): void {
    const tally = tallies.get(reason);
    if (tally === undefined) return void tallies.set(reason, { count: 1, lastAt: this.#now() });
    tally.count += 1;
    tally.lastAt = this.#now();
  }
}

const listOf = (tallies: ReadonlyMap<Reason, Tally> = new Map()): ReasonCount[] =>
  latestFirst([...tallies].map(([reason, { count, lastAt }]) => ({ reason, count, lastAt: timeOf(lastAt) })));

/** Times of one format and one zone are in the order of their text. */
const latestFirst = (counts: ReasonCount[]): ReasonCount[] =>
  counts.sort((a, b) => b.lastAt.localeCompare(a.lastAt) || a.reason.localeCompare(b.reason));

/** The counts of several threads as those of one. */
export function sumOfCounts(threads: readonly RouteCounts[]): RouteCounts {
  const total = (read: (counts: RouteCounts) => number) =>
    threads.reduce((sum, counts) => sum + read(counts), 0);
  return {
    answered: total(({ answered }) => answered),
    refused: total(({ refused }) => refused),
    refusals: sumByReason(threads.flatMap(({ refusals }) => refusals)),
    wouldRefuse: sumByReason(threads.flatMap(({ wouldRefuse }) => wouldRefuse)),
  };
}

function sumByReason(counts: readonly ReasonCount[]): ReasonCount[] {
  const sums = new Map<Reason, ReasonCount>();
  for (const next of counts) {
    const sum = sums.get(next.reason);
    sums.set(next.reason, {
      reason: next.reason,
      count: (sum?.count ?? 0) + next.count,
      lastAt: sum !== undefined && sum.lastAt > next.lastAt ? sum.lastAt : next.lastAt,
    });
  }
  return latestFirst([...sums.values()]);
}
