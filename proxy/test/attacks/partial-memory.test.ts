/**
 * The attack: a Redis that forgets in part. Somebody fills its memory, or it may throw out keys to make room, or its
 * clock is set back, or another server answers under the same address; a used proof is sent again.
 * A store that may have forgotten must not be believed: it refuses, or begins a new epoch, and says so. Real servers,
 * real loss.
 */
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClock } from '../../src/clock.js';
import { createRedisStore } from '../../src/replay/redis-store.js';
import { readServerInfo } from '../../src/replay/redis-servers.js';
import type { ReplayStore } from '../../src/replay/replay-store.js';
import { claimNow, keyOf, made, thisSecond, WINDOW, young } from '../replay/contract.js';
import { hasRedis, RedisProcess } from '../replay/redis-process.js';
import { until } from '../support/until.js';

const stores: ReplayStore[] = [];
const closing: (() => unknown)[] = [];
const problems: string[] = [];
const start = async (...extra: string[]) => {
  const server = await RedisProcess.start(...extra);
  closing.push(() => server.stop());
  return server;
};
const keyPrefix = `agw:${randomUUID()}:`;
const open = async (port: number, { ready = true, now = wallClock } = {}) => {
  const store = await createRedisStore(
    {
      store: 'redis',
      url: `redis://127.0.0.1:${port}`,
      keyPrefix,
      timeoutSeconds: 0.5,
      topology: { kind: 'single' },
      onStoreFailure: 'deny',
    },
    { now, windowSeconds: WINDOW, onProblem: (problem) => problems.push(problem) },
  );
  stores.push(store);
  if (ready) await until(() => store.ready());
  return store;
};
beforeEach(() => {
  problems.length = 0;
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const close of closing.splice(0)) await close();
});

/** A way to a server whose answers it changes, byte by byte. */
async function startMask(to: number, change: (text: string) => string): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((from) => {
    const there = net.connect(to, '127.0.0.1');
    for (const socket of [from, there]) sockets.add(socket.on('error', () => {}));
    from.pipe(there);
    there.on('data', (chunk) => from.write(change(chunk.toString('latin1')), 'latin1'));
    from.on('close', () => there.destroy());
    there.on('close', () => from.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

it('reads what servers that speak the protocol say of themselves, and takes no silence for a yes', () => {
  const valkey =
    'server_name:valkey\r\nrun_id:abc\r\nserver_time_usec:1500000\r\nmaxmemory:0\r\n' +
    'maxmemory_policy:noeviction\r\nevicted_keys:0';
  const keydb = 'run_id:abc\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\nevicted_keys:7';
  const dragonfly = 'redis_version:7.4.0\r\nmaxmemory:100\r\nmaxmemory_policy:eviction\r\nevicted_keys:0';
  const strange = 'redis_version:7.4.0\r\nmaxmemory:100';
  expect(readServerInfo(valkey)).toEqual({
    runId: 'abc',
    evictedKeys: 0,
    mayForget: undefined,
    timeSeconds: 1.5,
  });
  expect(readServerInfo(keydb)).toMatchObject({ runId: 'abc', evictedKeys: 7, mayForget: 'allkeys-lru' });
  expect(readServerInfo(dragonfly)).toMatchObject({
    runId: undefined,
    mayForget: 'eviction',
    timeSeconds: undefined,
  });
  expect(readServerInfo(strange).mayForget).toBe('nothing');
});

(hasRedis() ? describe : describe.skip)('a Redis that forgets in part', () => {
  it.each(['allkeys-lru', 'volatile-lru', 'volatile-ttl'])(
    'is not believed under %s: not ready, and down',
    async (policy) => {
      const redis = await start('--maxmemory', '100mb', '--maxmemory-policy', policy);
      const store = await open(redis.port, { ready: false });
      await until(() => problems.length > 0);
      expect(problems.join()).toContain(`maxmemory-policy must be noeviction, got ${policy}`);
      expect([store.ready(), await store.claim(keyOf('x'), young())]).toEqual([false, 'down']);
      await redis.command('config', 'set', 'maxmemory-policy', 'noeviction');
      await until(() => store.ready());
      expect(await store.claim(keyOf('x'), young())).toBe('first');
    },
    20_000,
  );

  it('has a new epoch when keys were thrown out under an older policy, also for a later process', async () => {
    const redis = await start('--maxmemory', '100mb');
    const store = await open(redis.port);
    const proof = await claimNow(store, 'evicted');
    await redis.command('config', 'set', 'maxmemory-policy', 'allkeys-lru');
    await until(() => !store.ready());
    await redis.command('config', 'set', 'maxmemory', '1');
    await redis.command('set', 'pressure', '1').catch(() => {});
    await redis.command('config', 'set', 'maxmemory', '0');
    await redis.command('config', 'set', 'maxmemory-policy', 'noeviction');
    await until(() => store.ready());
    const later = await open(redis.port);
    for (const each of [store, later]) expect(await each.claim(keyOf('evicted'), proof)).toBe('forgotten');
  }, 30_000);

  it('is not ready while every claim fails, as with OOM, and ready again by itself', async () => {
    const redis = await start();
    const store = await open(redis.port);
    await redis.command('config', 'set', 'maxmemory', '1');
    expect(await store.claim(keyOf('big'), young())).toBe('full');
    expect(store.ready()).toBe(false);
    expect(problems.join()).toMatch(/OOM/);
    await sleep(1_500);
    expect(store.ready()).toBe(false);
    await redis.command('config', 'set', 'maxmemory', '0');
    await until(() => store.ready());
    expect(await store.claim(keyOf('big'), young())).toBe('first');
  }, 20_000);

  it('that does not say who it is counts as another one after every reconnect', async () => {
    const redis = await start();
    const port = await startMask(redis.port, (text) => text.replace('run_id:', 'xun_id:'));
    const store = await open(port);
    const proof = await claimNow(store, 'unnamed');
    expect(await store.claim(keyOf('unnamed'), proof)).toBe('seen');
    await redis.command('client', 'kill', 'type', 'normal');
    await until(() => !store.ready());
    await until(() => store.ready());
    expect(await store.claim(keyOf('unused'), proof)).toBe('forgotten');
    expect(await store.claim(keyOf('unused'), { ...proof, nonce: store.nonce() })).toBe('first');
  }, 30_000);

  it('whose clock is set back has a new epoch: what it counted as over may be gone', async () => {
    const redis = await start();
    let back = 0;
    const port = await startMask(redis.port, (text) =>
      text.replace(
        /(server_time_usec:)(\d+)/,
        (_, name: string, micros: string) => name + String(Number(micros) - back * 1e6),
      ),
    );
    const store = await open(port);
    const proof = await claimNow(store, 'before the step');
    const nonce = store.nonce();
    back = 8;
    await until(() => store.nonce() !== nonce);
    expect(await store.claim(keyOf('unused'), proof)).toBe('forgotten');
  }, 30_000);

  it('refuses a proof that it may have forgotten though the clock of a gateway was set back', async () => {
    const redis = await start();
    const slow = await open(redis.port, { now: () => wallClock() - 8 });
    // By its own clock it passes for two more seconds.
    expect(
      await slow.claim(keyOf('over'), {
        madeAt: wallClock() - WINDOW - 6,
        notBefore: Infinity,
        nonce: undefined,
      }),
    ).toBe('forgotten');
  });

  it('has an epoch that no replica moves back: the one whose clock is slow takes what the other wrote', async () => {
    const redis = await start();
    const [fast, slow] = [await open(redis.port), await open(redis.port, { now: () => wallClock() - 20 })];
    const since = thisSecond();
    // As a failover has it: the marker names another server, and the slow one is the first to see it.
    await redis.command('set', `${keyPrefix}epoch`, `${since + 100} gone 0 ${WINDOW} nonce`);
    await slow.claim(keyOf('e'), made(since));
    const marker = String(await redis.command('get', `${keyPrefix}epoch`));
    expect(Number(marker.split(' ')[0])).toBeGreaterThanOrEqual(since + 100);
    expect(await fast.claim(keyOf('f'), made(since + 50))).toBe('forgotten');
  });
});
