import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { wallClock } from '../../src/clock.js';
import { createRedisStore, type RedisReplayConfig } from '../../src/replay/redis-store.js';
import type { ReplayStore } from '../../src/replay/replay-store.js';
import { behavesLikeAReplayStore, keyOf, NOW } from './contract.js';
import { hasRedis, RedisProcess } from './redis-process.js';

const TIMEOUT = 0.3;
const shared = process.env.REDIS_URL;

const stores: ReplayStore[] = [];
const problems: string[] = [];
const open = async (url: string, more: Partial<RedisReplayConfig> = {}, ready = true) => {
  const store = await createRedisStore({ store: 'redis', url, keyPrefix: `agw:test:${randomUUID()}:`, timeoutSeconds: TIMEOUT, topology: { kind: 'single' }, onStoreFailure: 'deny', epochMarginSeconds: 0, ...more }, { now: wallClock, onProblem: (p) => problems.push(p) });
  stores.push(store);
  if (ready) await until(() => store.ready());
  return store;
};
const until = async (holds: () => boolean | Promise<boolean>, seconds = 8) => {
  for (let i = 0; i < seconds * 50; i++) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`not so within ${seconds} s`);
};
beforeEach(() => { problems.length = 0; });
afterEach(async () => { for (const store of stores.splice(0)) await store.close(); });

if (!hasRedis() && shared === undefined) {
  const why = 'no redis-server or valkey-server in PATH, and REDIS_URL is not set';
  if (process.env.CI) it('finds a Redis to test against', () => { throw new Error(why); });
  else it.skip(`the Redis store: ${why}`, () => {});
}

(hasRedis() || shared !== undefined ? describe : describe.skip)('the Redis store', () => {
  let redis: RedisProcess | undefined;
  let url: string;
  beforeAll(async () => {
    redis = shared === undefined ? await RedisProcess.start() : undefined;
    url = shared ?? `redis://127.0.0.1:${redis!.port}`;
  });
  afterAll(() => redis?.stop());

  let store: ReplayStore;
  beforeEach(async () => { store = await open(url); });
  behavesLikeAReplayStore(() => ({ store, pass: (seconds) => sleep(seconds * 1000) }), 0.1);

  it('shares its claims with the other replicas', async () => {
    const keyPrefix = `agw:test:${randomUUID()}:`;
    const [one, two] = [await open(url, { keyPrefix }), await open(url, { keyPrefix })];
    const turns = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? one : two).claim(keyOf('shared'), 60, NOW)));
    expect(turns.filter((t) => t === 'first')).toHaveLength(1);
  });
  it('writes the prefix, the hash of the proof, and an expiry in whole milliseconds', async () => {
    const keyPrefix = `agw:test:${randomUUID()}:`;
    await (await open(url, { keyPrefix })).claim(keyOf('stored'), 59.9991, NOW);
    const client = new Redis(url);
    const ttl = await client.pttl(keyPrefix + keyOf('stored').toString('base64url'));
    client.disconnect();
    expect(ttl).toBeGreaterThan(58_000);
    expect(ttl).toBeLessThanOrEqual(60_000);
  });
});

(hasRedis() ? describe : describe.skip)('the Redis store, when Redis fails', () => {
  let redis: RedisProcess;
  const url = () => `redis://127.0.0.1:${redis.port}`;
  afterEach(() => redis.stop());

  it('says down while Redis is dead, and works again after it is back', async () => {
    redis = await RedisProcess.start();
    const store = await open(url());
    expect(await store.claim(keyOf('before'), 60, NOW)).toBe('first');
    await redis.kill();
    const began = performance.now();
    expect(await store.claim(keyOf('dead'), 60, NOW)).toBe('down');
    expect(performance.now() - began).toBeLessThan(TIMEOUT * 1000 + 200);
    await until(() => !store.ready());
    const again = performance.now();
    expect(await store.claim(keyOf('dead'), 60, NOW)).toBe('down');
    expect(performance.now() - again).toBeLessThan(100);
    await until(() => problems.length > 0);
    await redis.restart();
    await until(async () => await store.claim(keyOf('back'), 60, NOW) === 'first');
    // However many attempts failed in between.
    expect(problems).toEqual([expect.stringContaining(`replay store ${url()}: `)]);
  }, 20_000);

  it('says down in time while Redis hangs, and leaves a connection that stays silent', async () => {
    redis = await RedisProcess.start();
    const store = await open(url());
    redis.signal('SIGSTOP');
    const began = performance.now();
    expect(await store.claim(keyOf('hung'), 60, NOW)).toBe('down');
    expect(performance.now() - began).toBeLessThan(TIMEOUT * 1000 + 200);
    await until(() => !store.ready(), TIMEOUT * 4 + 2);
    redis.signal('SIGCONT');
    await until(async () => await store.claim(keyOf('after'), 60, NOW) === 'first');
    // The claim that got no answer may have been taken: the proof is spent rather than good twice.
    expect(await store.claim(keyOf('hung'), 60, NOW)).toBe('seen');
  }, 20_000);

  it('says down when Redis has no memory left and may not forget', async () => {
    redis = await RedisProcess.start();
    const store = await open(url());
    await redis.command('config', 'set', 'maxmemory', '1');
    expect(await store.claim(keyOf('big'), 60, NOW)).toBe('down');
    expect(problems[0]).toMatch(/OOM/);
  });

  it('is not ready, and says down, where nothing listens from the start', async () => {
    redis = await RedisProcess.start();
    await redis.kill();
    const store = await open(url(), {}, false);
    expect(await store.claim(keyOf('x'), 60, NOW)).toBe('down');
    expect(store.ready()).toBe(false);
    await until(() => problems.length === 1);
  });

  it('reads the password from its file, again before every new connection', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'agw-secret-'));
    try {
      const file = join(folder, 'password');
      writeFileSync(file, 'wrong\n');
      redis = await RedisProcess.start('--requirepass', 'correct horse');
      const store = await open(url(), { password: { file } }, false);
      await until(() => problems.length > 0);
      expect(await store.claim(keyOf('refused'), 60, NOW)).toBe('down');
      expect(problems.join()).not.toContain('wrong\n');
      writeFileSync(file, 'correct horse\n');
      await until(async () => await store.claim(keyOf('accepted'), 60, NOW) === 'first');
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 20_000);
});
