/** What waits of one network. */
interface Line<T> {
  readonly network: string;
  readonly waiting: T[];
  cost: number;
}

/**
 * What waits for a turn, by network. Networks take turns, so that whoever sends much waits behind itself.
 *
 * A plain array, and no Map: the table of a Map that changes with every request is copied every few of them, into the
 * old generation once it lives there, and whatever the copies held stays until a full collection. The networks that
 * wait at the same time are few, or each has little; to find one is a walk over them, of which there are no more than
 * connections.
 */
export class FairQueue<T extends { readonly cost: number }> {
  /** In the order of their turns; none is empty. */
  readonly #lines: Line<T>[] = [];
  #cost = 0;

  /** Of all that waits. */
  get cost(): number {
    return this.#cost;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  costOf(network: string): number {
    return this.#lineOf(network)?.cost ?? 0;
  }

  add(network: string, item: T): void {
    let line = this.#lineOf(network);
    if (line === undefined) {
      line = { network, waiting: [], cost: 0 };
      this.#lines.push(line);
    }
    line.waiting.push(item);
    line.cost += item.cost;
    this.#cost += item.cost;
  }

  /** Takes what came first of the network whose turn it is. */
  next(): { readonly network: string; readonly item: T } | undefined {
    const line = this.#lines.shift();
    if (line === undefined) return undefined;
    const item = line.waiting.shift()!;
    this.#left(line, item);
    if (line.waiting.length > 0) this.#lines.push(line);
    return { network: line.network, item };
  }

  /** Takes what came last of the network that has most here; undefined: none has more than `cost`. */
  dropLatest(cost: number): T | undefined {
    const most = this.#lines.reduce((a, b) => (b.cost > a.cost ? b : a), this.#lines[0]!);
    if (most === undefined || most.cost <= cost) return undefined;
    const item = most.waiting.pop()!;
    this.#left(most, item);
    if (most.waiting.length === 0) this.#lines.splice(this.#lines.indexOf(most), 1);
    return item;
  }

  #lineOf(network: string): Line<T> | undefined {
    return this.#lines.find((line) => line.network === network);
  }

  #left(line: Line<T>, { cost }: T): void {
    line.cost -= cost;
    this.#cost -= cost;
  }
}
