/** What can be in an IntrusiveList. */
export interface ListMember {
  /** Where it is in there, which only the list writes; -1: it is not. */
  listIndex: number;
}

/**
 * What comes and goes with every request, and is looked at together now and then. Coming and going allocate
 * nothing: a Set is copied every few of them, into the old generation once it lives there, and whatever the
 * copies held stays until a full collection.
 */
export class IntrusiveList<T extends ListMember> {
  readonly #members: T[] = [];

  add(member: T): void {
    member.listIndex = this.#members.push(member) - 1;
  }

  /** Does nothing with what is not in it. */
  remove(member: T): void {
    if (member.listIndex === -1) return;
    const last = this.#members.pop()!;
    if (last !== member) {
      this.#members[member.listIndex] = last;
      last.listIndex = member.listIndex;
    }
    member.listIndex = -1;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Those that fit, in no order; they may leave while the list is gone through. */
  which(fits: (member: T) => boolean): T[] {
    return this.#members.filter(fits);
  }
}
