import { bucketMemory, createBucketTable } from '../../src/limit/bucket-table.js';
import { createTokenBuckets } from '../../src/limit/token-bucket.js';

const open = (keys = 100_000) => {
  let time = 1_000;
  const buckets = createTokenBuckets({
    maxTokens: 3,
    tokensPerFill: 2,
    fillIntervalSeconds: 10,
    now: () => time,
    name: 'test',
    table: createBucketTable(bucketMemory(keys, { shared: false })),
  });
  return {
    take: buckets.take.bind(buckets),
    peek: buckets.peek.bind(buckets),
    buckets,
    drain: (key: string) => {
      while (buckets.take(key).allowed);
    },
    advance: (seconds: number) => {
      time += seconds;
    },
  };
};

describe('token buckets', () => {
  it("let a burst of the bucket's size pass, then say when to come again", () => {
    const { take, advance } = open();
    expect([take('a'), take('a'), take('a')]).toEqual(
      [2, 1, 0].map((remaining) => ({ allowed: true, remaining, fillSeconds: 10 })),
    );
    advance(3.5);
    expect(take('a')).toEqual({ allowed: false, retryAfterSeconds: 7 });
  });
  it('fill in whole steps, not drop by drop', () => {
    const { take, drain, advance } = open();
    drain('a');
    advance(9.9);
    expect(take('a').allowed).toBe(false);
    advance(0.1);
    expect(take('a')).toEqual({ allowed: true, remaining: 1, fillSeconds: 10 });
  });
  it('admit a caller who waits as long as he was told', () => {
    const { take, drain, advance } = open();
    drain('a');
    advance(2.3);
    const permit = take('a');
    advance(permit.allowed ? 0 : permit.retryAfterSeconds);
    expect(take('a').allowed).toBe(true);
  });
  it('take what something costs, all of it or nothing, and no more than they hold', () => {
    const { take, peek } = open();
    expect(take('a', 2)).toEqual({ allowed: true, remaining: 1, fillSeconds: 10 });
    expect(peek('a', 2).allowed).toBe(false);
    expect(take('a', 2)).toEqual({ allowed: false, retryAfterSeconds: 10 });
    expect(take('a', 100)).toEqual({ allowed: false, retryAfterSeconds: 10 });
    expect(take('a').allowed).toBe(true);
    expect(take('a', 3)).toEqual({ allowed: false, retryAfterSeconds: 20 });
    expect(take('b', 100)).toEqual({ allowed: true, remaining: 0, fillSeconds: 10 });
  });
  it('are drained of what is left, where something cost more', () => {
    const { drain, peek, buckets } = open();
    buckets.drain('a', 2);
    expect(peek('a')).toMatchObject({ allowed: true, remaining: 1 });
    buckets.drain('a', 2);
    expect(peek('a').allowed).toBe(false);
    drain('a');
  });
  it('never hold more than their size', () => {
    const { take, drain, peek, advance } = open();
    take('a');
    advance(1e6);
    expect(peek('a')).toEqual({ allowed: true, remaining: 3, fillSeconds: 10 });
    drain('a');
    expect(take('a').allowed).toBe(false);
  });
  it('count callers apart', () => {
    const { take, drain } = open();
    drain('a');
    expect(take('b').allowed).toBe(true);
  });
  it('can be looked into without taking', () => {
    const { take, peek } = open();
    peek('a');
    take('a');
    expect([peek('a'), peek('a')]).toEqual([
      { allowed: true, remaining: 2, fillSeconds: 10 },
      { allowed: true, remaining: 2, fillSeconds: 10 },
    ]);
  });
  it('add nothing when the clock is set back, and do not wait for the old time', () => {
    const { take, drain, advance } = open();
    drain('a');
    advance(-3_600);
    expect(take('a')).toEqual({ allowed: false, retryAfterSeconds: 10 });
    advance(10);
    expect(take('a').allowed).toBe(true);
  });
  it('drop full buckets first when there are too many', () => {
    const { take, drain, peek, advance } = open(3);
    drain('empty');
    take('nearly full');
    advance(10); // 'nearly full' is full again
    drain('empty');
    take('third');
    take('nearly full again');
    drain('empty');
    take('fourth');
    expect(peek('empty').allowed).toBe(false);
  });
  it('keep an empty old bucket while a full younger one can go', () => {
    const { take, drain, peek, advance } = open(2);
    drain('empty');
    take('light');
    advance(10);
    // One fill: 'light' is full, 'empty' has two of three.
    take('new');
    expect(peek('empty')).toEqual({ allowed: true, remaining: 2, fillSeconds: 10 });
  });
  it('forget the bucket used longest ago when none is full', () => {
    const { drain, peek } = open(2);
    drain('old');
    drain('young');
    drain('new');
    expect(peek('old')).toEqual({ allowed: true, remaining: 3, fillSeconds: 10 });
    expect(peek('young').allowed).toBe(false);
  });
  it('of many keys count each for itself', () => {
    const { take } = open();
    for (let i = 0; i < 20_000; i++) take(`key ${i}`);
    expect(
      Array.from({ length: 20_000 }, (_, i) => take(`key ${i}`)).every(
        (permit) => permit.allowed && permit.remaining === 1,
      ),
    ).toBe(true);
  });
  it('of several limiters in one table are apart, and each is full by its own measure', () => {
    const table = createBucketTable(bucketMemory(2, { shared: false }));
    let time = 0;
    const shape = { fillIntervalSeconds: 10, now: () => time, table };
    const small = createTokenBuckets({ ...shape, name: 'small', maxTokens: 1, tokensPerFill: 1 });
    const large = createTokenBuckets({ ...shape, name: 'large', maxTokens: 100, tokensPerFill: 1 });
    for (let i = 0; i < 100; i++) large.take('a');
    expect([small.take('a').allowed, small.take('a').allowed]).toEqual([true, false]);
    time = 10; // the small one is full again and goes; the large one has 1 of 100 and stays
    small.take('b');
    expect([large.peek('a'), small.peek('a').allowed]).toEqual([
      { allowed: true, remaining: 1, fillSeconds: 10 },
      true,
    ]);
  });
  it('have many limiters and keys at once, and their memory does not grow', () => {
    const memory = bucketMemory(1_000, { shared: true });
    const buckets = createTokenBuckets({
      maxTokens: 3,
      tokensPerFill: 1,
      fillIntervalSeconds: 1,
      now: () => 1,
      name: 'a',
      table: createBucketTable(memory),
    });
    for (let i = 0; i < 100_000; i++) buckets.take(`key ${i}`);
    expect(memory.memory.byteLength).toBeLessThan(1_000 * 48);
    expect(buckets.peek('key 99999')).toMatchObject({ remaining: 2 });
  });
});
