/** Something that a config asks for and that lives on: a key set, a watched file, a pool of connections. */
export interface Resource {
  /** Looks at once whether there is something new. */
  refresh?(): unknown;
  close(): void;
}

/**
 * The resource that `words` name: the one that is open already, or a new one. The words are all that it is made of,
 * so a config that says the same gets the same resource: a reload fetches no key set again and drops no connection
 * that it does not have to.
 */
export type Acquire = <T extends Resource>(words: readonly unknown[], open: () => T) => T;

/** What one config takes, until it is decided whether that config counts. */
export interface Transaction {
  readonly acquire: Acquire;
  /** It does: what only the config before had is closed. */
  commit(): void;
  /** It does not: what was opened for it is closed. */
  rollback(): void;
}

export interface ResourceRegistry {
  begin(): Transaction;
  refresh(): void;
  close(): void;
}

export function createResourceRegistry(): ResourceRegistry {
  let committed = new Map<string, Resource>();
  return {
    begin() {
      const acquired = new Map<string, Resource>();
      return {
        acquire<T extends Resource>(words: readonly unknown[], open: () => T): T {
          const key = JSON.stringify(words);
          const resource = acquired.get(key) ?? committed.get(key) ?? open();
          acquired.set(key, resource);
          return resource as T;
        },
        commit() {
          closeBut(committed, acquired);
          committed = acquired;
        },
        rollback: () => closeBut(acquired, committed),
      };
    },
    refresh() {
      for (const resource of committed.values()) void resource.refresh?.();
    },
    close: () => closeBut(committed, new Map()),
  };
}

function closeBut(resources: ReadonlyMap<string, Resource>, others: ReadonlyMap<string, Resource>): void {
  for (const [key, resource] of resources) if (others.get(key) !== resource) resource.close();
}
