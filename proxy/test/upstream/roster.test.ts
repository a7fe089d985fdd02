import fc from 'fast-check';
import { Roster } from '../../src/upstream/roster.js';

interface Member {
  readonly name: number;
  place: number;
}
const names = (roster: Roster<Member>): number[] =>
  roster
    .which(() => true)
    .map(({ name }) => name)
    .sort((a, b) => a - b);

it('holds what came and has not left, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (turns) => {
      const roster = new Roster<Member>();
      const members = Array.from({ length: 21 }, (_, name): Member => ({ name, place: -1 }));
      const model = new Set<number>();
      for (const name of turns) {
        if (model.delete(name)) roster.remove(members[name]!);
        else {
          model.add(name);
          roster.add(members[name]!);
        }
      }
      expect(names(roster)).toEqual([...model].sort((a, b) => a - b));
      for (const { name, place } of members) expect(place !== -1).toBe(model.has(name));
    }),
  );
});
it('lets members leave, others too, while its list is gone through', () => {
  const roster = new Roster<Member>();
  const members = Array.from({ length: 5 }, (_, name): Member => ({ name, place: -1 }));
  members.forEach((member) => roster.add(member));
  const seen: number[] = [];
  for (const member of roster.which(({ name }) => name !== 3)) {
    seen.push(member.name);
    roster.remove(member);
    roster.remove(members[4]!);
  }
  expect(seen).toEqual([0, 1, 2, 4]);
  expect(names(roster)).toEqual([3]);
});
it('does nothing with what is not in it', () => {
  const roster = new Roster<Member>();
  const [one, other] = [
    { name: 1, place: -1 },
    { name: 2, place: -1 },
  ];
  roster.add(one);
  roster.remove(other);
  roster.remove(one);
  roster.remove(one);
  expect(names(roster)).toEqual([]);
});
