import { FairQueue } from '../../src/http/fair-queue.js';

const queueOf = (...items: [network: string, what: string, cost: number][]) => {
  const queue = new FairQueue<{ cost: number; what: string }>();
  for (const [network, what, cost] of items) queue.add(network, { what, cost });
  return queue;
};
const drain = (queue: ReturnType<typeof queueOf>) => {
  const order: string[] = [];
  while (!queue.isEmpty) order.push(queue.next()!.item.what);
  return order;
};

it('gives networks a turn each, and what one of them sent in its order', () => {
  const queue = queueOf(['a', 'a1', 1], ['a', 'a2', 1], ['a', 'a3', 1], ['b', 'b1', 1], ['c', 'c1', 1]);
  expect(drain(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'a3']);
  expect(queue.next()).toBeUndefined();
});

it('knows what waits, of each network and of all', () => {
  const queue = queueOf(['a', 'a1', 5], ['b', 'b1', 2]);
  queue.add('a', { what: 'a2', cost: 1 });
  expect([queue.costOf('a'), queue.costOf('b'), queue.costOf('c'), queue.cost]).toEqual([6, 2, 0, 8]);
  expect(queue.next()).toEqual({ network: 'a', item: { what: 'a1', cost: 5 } });
  expect([queue.costOf('a'), queue.cost]).toEqual([1, 3]);
});

it('drops what came last of the network that has most, if that is more than was asked about', () => {
  const queue = queueOf(['a', 'a1', 1], ['b', 'b1', 4], ['b', 'b2', 3], ['c', 'c1', 2]);
  expect(queue.dropLatest(7)).toBeUndefined();
  expect(queue.dropLatest(6)).toEqual({ what: 'b2', cost: 3 });
  expect(queue.dropLatest(3)).toEqual({ what: 'b1', cost: 4 });
  expect(drain(queue)).toEqual(['a1', 'c1']);
  expect(queue.cost).toBe(0);
  expect(queue.dropLatest(0)).toBeUndefined();
});
