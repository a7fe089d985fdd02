import fc from 'fast-check';
import { Lru } from '../../src/checks/lru.js';

const filled = (max: number, keys: Iterable<number>): Lru<number, string> => {
  const lru = new Lru<number, string>(max);
  for (const key of keys) lru.set(key, `value ${key}`);
  return lru;
};
const held = (lru: Lru<number, string>, upTo: number): number[] =>
  Array.from({ length: upTo }, (_, key) => key).filter((key) => lru.get(key) !== undefined);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

it('keeps what was used last, set or read', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }),
      fc.array(fc.tuple(fc.constantFrom('set', 'get', 'delete'), fc.nat(60)), { size: 'large' }),
      (max, steps) => {
        const lru = new Lru<number, number>(max);
        /** In the order of their last use; what was taken out keeps its place there. */
        const model = new Map<number, number | undefined>();
        const used = (key: number, value: number) => {
          model.delete(key);
          model.set(key, value);
        };
        steps.forEach(([step, key], turn) => {
          if (step === 'set') {
            lru.set(key, turn);
            used(key, turn);
          } else if (step === 'delete') {
            lru.delete(key);
            if (model.has(key)) model.set(key, undefined);
          } else {
            const value = lru.get(key);
            if (value === undefined) return; // it may have been forgotten
            expect(value).toBe(model.get(key)); // never is it another value than the one that was set last
            used(key, value);
          }
        });
        const kept = [...model].reverse().slice(0, Math.floor(max / 2));
        for (const [key, value] of kept) expect(lru.get(key)).toBe(value);
      },
    ),
    { numRuns: 500 },
  );
});
it('has nothing of what was taken out, however long it was there', () => {
  for (const others of range(10)) {
    const lru = filled(10, [-1, ...range(others)]);
    lru.delete(-1);
    expect(lru.get(-1)).toBeUndefined();
  }
});
it('forgets at its size', () => {
  const many = filled(100, range(1000));
  expect(held(many, 1000).length).toBeLessThanOrEqual(100);
  expect(held(filled(100, range(1000)), 1000).length).toBeGreaterThanOrEqual(50);
});
it('keeps what is used, however much else comes', () => {
  const lru = new Lru<number, string>(10);
  lru.set(-1, 'used');
  for (const key of range(10_000)) {
    lru.set(key, 'once');
    if (key % 4 === 0) expect(lru.get(-1)).toBe('used');
  }
});
it.each([1, 2, 3, 4, 5])('of size %d holds that many at most, and what was set last', (max) => {
  const lru = filled(max, range(20));
  expect(lru.get(19)).toBe('value 19');
  expect(held(lru, 20).length).toBeLessThanOrEqual(max);
});
