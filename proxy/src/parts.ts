/** Something that a config asks for and that lives on: a key set, a watched file, a pool of connections. */
export interface Part {
  /** Looks at once whether there is something new. */
  refresh?(): unknown;
  close(): void;
}

/**
 * The part that `words` name: the one that is open already, or a new one. The words are all that it is made of,
 * so a config that says the same gets the same part: a reload fetches no key set again and drops no connection
 * that it does not have to.
 */
export type Take = <T extends Part>(words: readonly unknown[], open: () => T) => T;

/** What one config takes, until it is decided whether that config counts. */
export interface Draft {
  readonly take: Take;
  /** It does: what only the config before had is closed. */
  keep(): void;
  /** It does not: what was opened for it is closed. */
  drop(): void;
}

export interface Parts {
  draft(): Draft;
  refresh(): void;
  close(): void;
}

export function createParts(): Parts {
  let kept = new Map<string, Part>();
  return {
    draft() {
      const taken = new Map<string, Part>();
      return {
        take<T extends Part>(words: readonly unknown[], open: () => T): T {
          const key = JSON.stringify(words);
          const part = taken.get(key) ?? kept.get(key) ?? open();
          taken.set(key, part);
          return part as T;
        },
        keep() {
          closeBut(kept, taken);
          kept = taken;
        },
        drop: () => closeBut(taken, kept),
      };
    },
    refresh() {
      for (const part of kept.values()) void part.refresh?.();
    },
    close: () => closeBut(kept, new Map()),
  };
}

function closeBut(parts: ReadonlyMap<string, Part>, others: ReadonlyMap<string, Part>): void {
  for (const [key, part] of parts) if (others.get(key) !== part) part.close();
}
