import { createTokenBuckets } from '../../src/limit/token-bucket.js';

function buckets(options: Partial<Parameters<typeof createTokenBuckets>[0]> = {}) {
  const clock = { now: 1000 };
  return { clock, limiter: createTokenBuckets({ maxTokens: 3, tokensPerFill: 2, fillIntervalSeconds: 10, now: () => clock.now, ...options }) };
}

describe('token buckets', () => {
  it('let a burst of maxTokens through, then say when the next one may come', () => {
    const { limiter, clock } = buckets();
    expect([1, 2, 3].map(() => limiter.take('a').allowed)).toEqual([true, true, true]);
    clock.now += 4;
    expect(limiter.take('a')).toEqual({ allowed: false, retryAfterSeconds: 6 });
  });
  it('fill by tokensPerFill at each interval, never over maxTokens', () => {
    const { limiter, clock } = buckets();
    for (let i = 0; i < 3; i++) limiter.take('a');
    clock.now += 10;
    expect([limiter.take('a').allowed, limiter.take('a').allowed, limiter.take('a').allowed]).toEqual([true, true, false]);
    clock.now += 1000;
    expect(limiter.peek('a')).toEqual({ allowed: true, remaining: 3 });
  });
  it('are one a key', () => {
    const { limiter } = buckets({ maxTokens: 1 });
    expect([limiter.take('a').allowed, limiter.take('a').allowed, limiter.take('b').allowed]).toEqual([true, false, true]);
  });
  it('take nothing for a look', () => {
    const { limiter } = buckets({ maxTokens: 1 });
    for (let i = 0; i < 5; i++) expect(limiter.peek('a').allowed).toBe(true);
    expect(limiter.take('a').allowed).toBe(true);
  });
  it('give nothing away when the clock goes back, and go on from there', () => {
    const { limiter, clock } = buckets({ maxTokens: 1, tokensPerFill: 1 });
    limiter.take('a');
    clock.now -= 500;
    expect(limiter.take('a').allowed).toBe(false);
    clock.now += 10;
    expect(limiter.take('a').allowed).toBe(true);
  });
  it('are bounded in number: the one used longest ago goes', () => {
    const { limiter } = buckets({ maxTokens: 1, maxKeys: 2 });
    limiter.take('a');
    limiter.take('b');
    limiter.take('a');
    limiter.take('c'); // b goes
    expect(limiter.peek('a').allowed).toBe(false);
    expect(limiter.peek('b').allowed).toBe(true);
  });
});
