import { IntrusiveList, type ListMember } from './intrusive-list.js';

/** What holds a connection to a backend, or waits for one. */
export interface SlotHolder extends ListMember {
  /** Whose request it is: what shares are counted by. */
  readonly caller: string;
  /**
   * Of an event stream, which ends when its client or its backend wants; anything else is an exchange that ends
   * soon.
   */
  readonly isStream: boolean;
  /** A stream that its client opens again by itself when it ends. */
  readonly listening: boolean;
  /** Seconds since the epoch. */
  readonly receivedAt: number;
  /** A connection is free: it is this one's now. */
  start(): void;
  /** Ends it, since others need its connection. */
  makeRoom(): void;
}

export type Entrance = 'started' | 'queued' | 'busy';

export interface SlotLimits {
  /** Exchanges that hold a connection at a time. */
  readonly maxSockets: number;
  /** Event streams that hold a connection at a time, beside them. */
  readonly maxStreams: number;
  /** Exchanges that wait for one. */
  readonly maxQueued: number;
  /** One more waits, or one fewer. */
  readonly onQueued: (change: 1 | -1) => void;
}

/**
 * Who may have a connection to one backend. Exchanges and event streams are counted apart, so that streams,
 * which last, never keep an exchange waiting. When all connections for exchanges are in use, the others wait: a
 * caller has at most half of the places there, and whoever has half of the connections waits behind the others.
 * When all places for streams are taken, the caller with the most of them loses one.
 */
export class ConnectionSlots {
  readonly #limits: SlotLimits;
  readonly #exchanges = new IntrusiveList<SlotHolder>();
  readonly #streams = new IntrusiveList<SlotHolder>();
  /** Changed only while all connections are in use. */
  readonly #queue = new Set<SlotHolder>();

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  queued(): number {
    return this.#queue.size;
  }

  /** `started`: it has a connection; `start` is called only for one that was `queued`. */
  enter(holder: SlotHolder): Entrance {
    if (holder.isStream) return this.#enterStreams(holder);
    if (this.#queue.size === 0 && this.#exchanges.size < this.#limits.maxSockets) {
      this.#exchanges.add(holder);
      return 'started';
    }
    if (this.#queue.size >= this.#limits.maxQueued || this.#fillsQueue(holder.caller)) return 'busy';
    this.#queue.add(holder);
    this.#limits.onQueued(1);
    return 'queued';
  }

  /** The answer of an exchange turned out to be an event stream: it is counted with those from now on. */
  becomeStream(holder: SlotHolder): void {
    if (holder.listIndex === -1) return;
    this.#exchanges.remove(holder);
    if (this.#streams.size >= this.#limits.maxStreams) end(this.#fullest().victim, this.#streams);
    this.#streams.add(holder);
    this.#startNext();
  }

  /** Its connection is free, or it does not wait any more. Does nothing with what holds none. */
  leave(holder: SlotHolder): void {
    if (this.#queue.delete(holder)) return this.#limits.onQueued(-1);
    if (holder.listIndex === -1) return;
    if (holder.isStream) return this.#streams.remove(holder);
    this.#exchanges.remove(holder);
    this.#startNext();
  }

  #startNext(): void {
    if (this.#queue.size === 0 || this.#exchanges.size >= this.#limits.maxSockets) return;
    const next = this.#next();
    this.#queue.delete(next);
    this.#limits.onQueued(-1);
    this.#exchanges.add(next);
    next.start();
  }

  /** Who waits longest of the callers that have fewer than half of all connections; else of all. */
  #next(): SlotHolder {
    const share = Math.ceil(this.#limits.maxSockets / 2);
    const held = countByCaller(this.#exchanges.which(() => true));
    const waiting = [...this.#queue];
    return waiting.find(({ caller }) => (held.get(caller) ?? 0) < share) ?? waiting[0]!;
  }

  #enterStreams(holder: SlotHolder): Entrance {
    if (this.#streams.size >= this.#limits.maxStreams) {
      const { count, victim } = this.#fullest();
      const own = this.#streams.which(({ caller }) => caller === holder.caller).length;
      if (own + 1 >= count) return 'busy';
      end(victim, this.#streams);
    }
    this.#streams.add(holder);
    return 'started';
  }

  /** Whether this caller has half of the places in the queue. */
  #fillsQueue(caller: string): boolean {
    let own = 0;
    for (const waiting of this.#queue) if (waiting.caller === caller) own += 1;
    return own >= Math.ceil(this.#limits.maxQueued / 2);
  }

  /** The caller with the most streams: how many, and which of them can best be spared. */
  #fullest(): { readonly count: number; readonly victim: SlotHolder } {
    const streams = this.#streams.which(() => true);
    const [caller, count] = [...countByCaller(streams)].reduce((a, b) => (b[1] > a[1] ? b : a));
    const own = streams.filter((holder) => holder.caller === caller);
    const listening = own.filter((holder) => holder.listening);
    const victim = (listening.length > 0 ? listening : own).reduce((a, b) =>
      b.receivedAt < a.receivedAt ? b : a,
    );
    return { count, victim };
  }
}

function countByCaller(holders: readonly SlotHolder[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { caller } of holders) counts.set(caller, (counts.get(caller) ?? 0) + 1);
  return counts;
}

/** Its place is free at once, a moment before its connection is closed. */
function end(victim: SlotHolder, places: IntrusiveList<SlotHolder>): void {
  places.remove(victim);
  victim.makeRoom();
}
