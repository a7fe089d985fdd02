import { IntrusiveList, type ListMember } from './intrusive-list.js';

/** A moment that a request must not outlast; moved as it gets on. */
export interface Deadline {
  /** From now on. */
  extend(seconds: number): void;
  cancel(): void;
}

export interface Deadlines {
  /** Calls `expired` once, `seconds` from now or up to a tick later, unless extended or cancelled. */
  start(seconds: number, expired: () => void): Deadline;
  close(): void;
}

const TICK_MS = 250;

/**
 * Deadlines that are looked at together: a timer of its own for every phase of every request costs more than
 * what it guards.
 */
export function createDeadlines(): Deadlines {
  const open = new IntrusiveList<Entry>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const entry of open.which(({ at }) => at <= now)) {
      entry.cancel();
      entry.expired();
    }
  }, TICK_MS);
  timer.unref();

  class Entry implements Deadline, ListMember {
    at = 0;
    listIndex = -1;
    readonly expired: () => void;
    constructor(seconds: number, expired: () => void) {
      this.expired = expired;
      this.extend(seconds);
      open.add(this);
    }

    extend(seconds: number): void {
      this.at = performance.now() + seconds * 1000;
    }

    cancel(): void {
      open.remove(this);
    }
  }

  return { start: (seconds, expired) => new Entry(seconds, expired), close: () => clearInterval(timer) };
}
