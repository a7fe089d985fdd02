/** One bucket for all replicas, in a real Redis; each counts for itself while that is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClock } from '../../src/clock.js';
import type { Permit } from '../../src/limit/rate-limiter.js';
import { createSharedBuckets } from '../../src/limit/shared-buckets.js';
import { bucketMemory, createBucketTable } from '../../src/limit/bucket-table.js';
import { createTokenBuckets } from '../../src/limit/token-bucket.js';
import { connectRedis } from '../../src/redis/connect.js';
import { hasRedis, RedisProcess } from '../replay/redis-process.js';

if (!hasRedis()) {
  const why = 'no redis-server or valkey-server in PATH';
  if (process.env.CI)
    it('finds a Redis to test against', () => {
      throw new Error(why);
    });
  else it.skip(`shared buckets: ${why}`, () => {});
}

(hasRedis() ? describe : describe.skip)('shared buckets', () => {
  let redis: RedisProcess;
  const closers: (() => void)[] = [];
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(async () => {
    for (const close of closers) close();
    await redis.stop();
  });

  const replica = async (prefix: string, maxTokens = 5, tokensPerFill = 1, fillIntervalSeconds = 1) => {
    const client = connectRedis(
      {
        store: 'redis',
        url: `redis://127.0.0.1:${redis.port}`,
        keyPrefix: 'x',
        timeoutSeconds: 0.5,
        topology: { kind: 'single' },
        onStoreFailure: 'deny',
        epochMarginSeconds: 0,
      },
      () => {},
    );
    closers.push(() => void client.then((c) => c.disconnect()));
    const c = await client;
    while (c.status !== 'ready') await sleep(5);
    const shape = { maxTokens, tokensPerFill, fillIntervalSeconds };
    const buckets = createSharedBuckets({
      ...shape,
      prefix,
      redis: () => client,
      local: createTokenBuckets({
        ...shape,
        name: 'local',
        table: createBucketTable(bucketMemory(100, { shared: false })),
        now: wallClock,
      }),
    });
    await sleep(20); // it counts here until it has its connection
    return buckets;
  };
  const passed = (permits: readonly Permit[]) => permits.filter(({ allowed }) => allowed).length;

  it('two replicas admit together what one bucket holds, at once and over time', async () => {
    const [one, two] = [await replica('a'), await replica('a')];
    expect(
      passed(await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).take('k')))),
    ).toBe(5);
    expect(await one.take('other')).toEqual({ allowed: true, remaining: 4, fillSeconds: 1 });
    await sleep(2_100);
    expect(
      passed(await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).take('k')))),
    ).toBe(2);
  });
  it('says how much is left and when there is more', async () => {
    const one = await replica('b', 2, 1, 10);
    expect(await one.take('k')).toEqual({ allowed: true, remaining: 1, fillSeconds: 10 });
    expect(await one.take('k')).toEqual({ allowed: true, remaining: 0, fillSeconds: 10 });
    expect(await one.take('k')).toEqual({ allowed: false, retryAfterSeconds: 10 });
  });
  it('takes what a request costs, all of it or nothing; who was refused need not be asked about again', async () => {
    const one = await replica('f', 5, 1, 10);
    expect(await one.take('k', 3)).toEqual({ allowed: true, remaining: 2, fillSeconds: 10 });
    expect(one.peek('k', 3).allowed).toBe(true); // nobody was refused yet
    expect(await one.take('k', 3)).toEqual({ allowed: false, retryAfterSeconds: 10 });
    expect(one.peek('k', 3)).toEqual({ allowed: false, retryAfterSeconds: 10 });
    expect(one.peek('k', 2).allowed).toBe(true);
    expect(await one.take('k', 2)).toEqual({ allowed: true, remaining: 0, fillSeconds: 10 });
    expect(await one.take('all', 100)).toEqual({ allowed: true, remaining: 0, fillSeconds: 10 });
  });
  it('fills no further than its size', async () => {
    const one = await replica('c', 2, 2, 1);
    await one.take('k');
    await sleep(2_200);
    expect(passed(await Promise.all(Array.from({ length: 10 }, () => one.take('k'))))).toBe(2);
  });
  it('keeps no key that names a person, and none longer than it takes to fill', async () => {
    const one = await replica('d', 2, 1, 1);
    await one.take('https://as.example alice');
    const keys = (await redis.command('KEYS', '*')) as string[];
    expect(keys.some((key) => key.includes('alice'))).toBe(false);
    for (const key of keys) expect(await redis.command('PTTL', key)).toBeGreaterThan(0);
  });
  it('counts for itself while Redis is away', async () => {
    const one = await replica('e', 3, 1, 3600);
    await redis.kill();
    expect(passed(await Promise.all(Array.from({ length: 10 }, () => one.take('k'))))).toBe(3);
    await redis.restart();
  });
});
