/** What can be in a Roster. */
export interface Seated {
  /** Where it is in there, which only the roster writes; -1: it is not. */
  place: number;
}

/**
 * What comes and goes with every request, and is looked at together now and then. Coming and going allocate
 * nothing: a Set is copied every few of them, into the old generation once it lives there, and whatever the
 * copies held stays until a full collection.
 */
export class Roster<T extends Seated> {
  readonly #members: T[] = [];

  add(member: T): void {
    member.place = this.#members.push(member) - 1;
  }

  /** Does nothing with what is not in it. */
  remove(member: T): void {
    if (member.place === -1) return;
    const last = this.#members.pop()!;
    if (last !== member) {
      this.#members[member.place] = last;
      last.place = member.place;
    }
    member.place = -1;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Those that fit, in no order; they may leave while the list is gone through. */
  which(fits: (member: T) => boolean): T[] {
    return this.#members.filter(fits);
  }
}
