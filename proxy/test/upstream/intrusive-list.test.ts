import fc from 'fast-check';
import { IntrusiveList } from '../../src/upstream/intrusive-list.js';

interface Member {
  readonly name: number;
  listIndex: number;
}
const names = (list: IntrusiveList<Member>): number[] =>
  list
    .which(() => true)
    .map(({ name }) => name)
    .sort((a, b) => a - b);

it('holds what came and has not left, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (turns) => {
      const list = new IntrusiveList<Member>();
      const members = Array.from({ length: 21 }, (_, name): Member => ({ name, listIndex: -1 }));
      const model = new Set<number>();
      for (const name of turns) {
        if (model.delete(name)) list.remove(members[name]!);
        else {
          model.add(name);
          list.add(members[name]!);
        }
      }
      expect(names(list)).toEqual([...model].sort((a, b) => a - b));
      for (const { name, listIndex } of members) expect(listIndex !== -1).toBe(model.has(name));
    }),
  );
});
it('lets members leave, others too, while its list is gone through', () => {
  const list = new IntrusiveList<Member>();
  const members = Array.from({ length: 5 }, (_, name): Member => ({ name, listIndex: -1 }));
  members.forEach((member) => list.add(member));
  const seen: number[] = [];
  for (const member of list.which(({ name }) => name !== 3)) {
    seen.push(member.name);
    list.remove(member);
    list.remove(members[4]!);
  }
  expect(seen).toEqual([0, 1, 2, 4]);
  expect(names(list)).toEqual([3]);
});
it('does nothing with what is not in it', () => {
  const list = new IntrusiveList<Member>();
  const [one, other] = [
    { name: 1, listIndex: -1 },
    { name: 2, listIndex: -1 },
  ];
  list.add(one);
  list.remove(other);
  list.remove(one);
  list.remove(one);
  expect(names(list)).toEqual([]);
});
