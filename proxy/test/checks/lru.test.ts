import fc from 'fast-check';
import { Lru } from '../../src/checks/lru.js';

const filled = (max: number, keys: Iterable<number>): Lru<number, string> => {
  const lru = new Lru<number, string>(max);
  for (const key of keys) lru.set(key, `value ${key}`);
  return lru;
};
const held = (lru: Lru<number, string>, upTo: number): number[] => Array.from({ length: upTo }, (_, key) => key).filter((key) => lru.get(key) !== undefined);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

it('keeps what was set last, and never more than its size', () => {
  fc.assert(fc.property(fc.integer({ min: 2, max: 40 }), fc.array(fc.tuple(fc.constantFrom('set', 'get', 'delete'), fc.nat(60))), (max, steps) => {
    const lru = new Lru<number, number>(max);
    const model = new Map<number, number>();
    steps.forEach(([step, key], turn) => {
      if (step === 'set') {
        lru.set(key, turn);
        model.delete(key);
        model.set(key, turn);
      } else if (step === 'delete') {
        lru.delete(key);
        model.delete(key);
      } else {
        const value = lru.get(key);
        // It may have been forgotten; never is it another value than the one that was set last.
        if (value !== undefined) expect(value).toBe(model.get(key));
      }
    });
    const kept = [...model].reverse().slice(0, Math.floor(max / 2));
    for (const [key, value] of kept) expect(lru.get(key)).toBe(value);
  }));
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
it('takes one entry where it is told to', () => {
  const lru = new Lru<number, string>(1);
  lru.set(1, 'one');
  expect(lru.get(1)).toBe('one');
});
