import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { wallClock } from '../../src/clock.js';
import type { RedisConfig } from '../../src/redis/connect.js';
import { createRedisStore } from '../../src/replay/redis-store.js';
import type { ReplayStore } from '../../src/replay/replay-store.js';
import { behavesLikeAReplayStore, keyOf, WINDOW, young } from './contract.js';
import { hasRedis, RedisProcess } from './redis-process.js';
import { until } from '../support/until.js';

const TIMEOUT = 0.3;
/** What decision 9 and the docs of the constructs say that an ACL user needs. */
const NEEDED = '+set +get +del +info +eval';
const COMMANDS = NEEDED.split(' ');
const shared = process.env.REDIS_URL;

const stores: ReplayStore[] = [];
const problems: string[] = [];
const recoveries: string[] = [];
const open = async (url: string, more: Partial<RedisConfig> = {}, ready = true) => {
  const store = await createRedisStore(
    {
      store: 'redis',
      url,
      keyPrefix: `agw:test:${randomUUID()}:`,
      timeoutSeconds: TIMEOUT,
      topology: { kind: 'single' },
      onStoreFailure: 'deny',
      ...more,
    },
    {
      now: wallClock,
      windowSeconds: WINDOW,
      onProblem: (problem) => problems.push(problem),
      onRecovered: (what) => recoveries.push(what),
    },
  );
  stores.push(store);
  if (ready) await until(() => store.ready());
  return store;
};
beforeEach(() => {
  problems.length = 0;
  recoveries.length = 0;
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

if (!hasRedis() && shared === undefined) {
  const why = 'no redis-server or valkey-server in PATH, and REDIS_URL is not set';
  if (process.env.CI)
    it('finds a Redis to test against', () => {
      throw new Error(why);
    });
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
  beforeEach(async () => {
    store = await open(url);
  });
  behavesLikeAReplayStore(() => ({ store, now: wallClock, pass: (seconds) => sleep(seconds * 1000) }), 0.1);

  it('shares its claims with the other replicas', async () => {
    const keyPrefix = `agw:test:${randomUUID()}:`;
    const [one, two] = [await open(url, { keyPrefix }), await open(url, { keyPrefix })];
    const turns = await Promise.all(
      Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? one : two).claim(keyOf('shared'), young())),
    );
    expect(turns.filter((t) => t === 'first')).toHaveLength(1);
  });
  it('writes the prefix, the hash of the proof, and an expiry in whole milliseconds', async () => {
    const keyPrefix = `agw:test:${randomUUID()}:`;
    await (await open(url, { keyPrefix })).claim(keyOf('stored'), young());
    const client = new Redis(url);
    const ttl = await client.pttl(keyPrefix + keyOf('stored').toString('base64url'));
    client.disconnect();
    // The window, and the margin that covers what is believed of Redis's clock.
    expect(ttl).toBeGreaterThan((WINDOW + 3) * 1000);
    expect(ttl).toBeLessThanOrEqual((WINDOW + 6) * 1000);
  });
});

(hasRedis() ? describe : describe.skip)('the Redis store, when Redis fails', () => {
  let redis: RedisProcess;
  const url = () => `redis://127.0.0.1:${redis.port}`;
  afterEach(() => redis.stop());

  it('says down while Redis is dead, and works again after it is back', async () => {
    redis = await RedisProcess.start();
    const store = await open(url());
    expect(await store.claim(keyOf('before'), young())).toBe('first');
    await redis.kill();
    const began = performance.now();
    expect(await store.claim(keyOf('dead'), young())).toBe('down');
    expect(performance.now() - began).toBeLessThan(TIMEOUT * 1000 + 200);
    await until(() => !store.ready());
    const again = performance.now();
    expect(await store.claim(keyOf('dead'), young())).toBe('down');
    expect(performance.now() - again).toBeLessThan(100);
    await until(() => problems.length > 0);
    await redis.restart();
    await until(async () => (await store.claim(keyOf('back'), young())) === 'first');
    // However many attempts failed in between.
    expect(problems).toEqual([expect.stringContaining(`replay store ${url()}: `)]);
    expect(recoveries).toEqual([`replay store ${url()}`]);
  }, 20_000);

  it('says down in time while Redis hangs, and leaves a connection that stays silent', async () => {
    redis = await RedisProcess.start();
    const store = await open(url());
    redis.signal('SIGSTOP');
    const began = performance.now();
    expect(await store.claim(keyOf('hung'), young())).toBe('down');
    expect(performance.now() - began).toBeLessThan(TIMEOUT * 1000 + 200);
    await until(() => !store.ready(), (TIMEOUT * 4 + 2) * 1000);
    redis.signal('SIGCONT');
    await until(async () => (await store.claim(keyOf('after'), young())) === 'first');
    // The claim that got no answer may have been taken: the proof is spent rather than good twice.
    expect(await store.claim(keyOf('hung'), young())).toBe('seen');
  }, 20_000);

  it('says full when Redis has no memory left and may not forget', async () => {
    redis = await RedisProcess.start();
    const store = await open(url());
    await redis.command('config', 'set', 'maxmemory', '1');
    expect(await store.claim(keyOf('big'), young())).toBe('full');
    expect(problems[0]).toMatch(/OOM/);
    expect(recoveries).toEqual([]);
    await redis.command('config', 'set', 'maxmemory', '0');
    expect(await store.claim(keyOf('big'), young())).toBe('first');
    expect(recoveries).toEqual([`replay store ${url()}`]);
  });

  it('is not ready, and says down, where nothing listens from the start', async () => {
    redis = await RedisProcess.start();
    await redis.kill();
    const store = await open(url(), {}, false);
    expect(await store.claim(keyOf('x'), young())).toBe('down');
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
      expect(await store.claim(keyOf('refused'), young())).toBe('down');
      expect(problems.join()).not.toContain('wrong\n');
      writeFileSync(file, 'correct horse\n');
      await until(async () => (await store.claim(keyOf('accepted'), young())) === 'first');
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 20_000);

  it.each(['docs/decisions/0009-epoch-of-the-replay-store.md', 'lib/values/replay-store.ts', 'API.md'])(
    '%s names the commands that an ACL user needs',
    (name) => {
      const text = readFileSync(join(import.meta.dirname, '..', '..', '..', name), 'utf8');
      expect(text.includes(`\`${NEEDED}\``)).toBe(true);
    },
  );
  it('speaks TLS to a server of its CA and to no other, as an ACL user with the few commands it needs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'agw-redis-tls-'));
    const file = (name: string) => join(folder, name);
    try {
      for (const name of ['server', 'other']) {
        execFileSync(
          'openssl',
          [
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:P-256',
            '-nodes',
            '-days',
            '1',
            '-subj',
            `/CN=${name}`,
            '-addext',
            'subjectAltName=IP:127.0.0.1',
            '-keyout',
            file(`${name}.key`),
            '-out',
            file(`${name}.crt`),
          ],
          { stdio: 'pipe' },
        );
      }
      writeFileSync(file('password'), 'of-the-gateway\n');
      redis = await RedisProcess.start();
      await redis.command('acl', 'setuser', 'gateway', 'on', '>of-the-gateway', '~agw:*', ...COMMANDS);
      const tlsPort = redis.port + 1 > 65_000 ? redis.port - 1 : redis.port + 1;
      for (const [key, value] of [
        ['tls-cert-file', file('server.crt')],
        ['tls-key-file', file('server.key')],
        ['tls-ca-cert-file', file('server.crt')],
        ['tls-auth-clients', 'no'],
      ] as const)
        await redis.command('config', 'set', key, value);
      await redis.command('config', 'set', 'tls-port', String(tlsPort));
      const over = { username: 'gateway', password: { file: file('password') } };
      const store = await open(`rediss://127.0.0.1:${tlsPort}`, {
        ...over,
        keyPrefix: 'agw:tls:',
        caFile: file('server.crt'),
      });
      expect([await store.claim(keyOf('tls'), young()), await store.claim(keyOf('tls'), young())]).toEqual([
        'first',
        'seen',
      ]);
      await store.release(keyOf('tls'));
      expect([await store.claim(keyOf('tls'), young()), await store.peek(keyOf('tls'))]).toEqual([
        'first',
        true,
      ]);
      problems.length = 0;
      const wrong = await open(
        `rediss://127.0.0.1:${tlsPort}`,
        { ...over, keyPrefix: 'agw:tls:', caFile: file('other.crt') },
        false,
      );
      await until(() => problems.length > 0);
      expect(problems.join()).toMatch(/self-signed certificate/);
      expect(await wrong.claim(keyOf('tls 2'), young())).toBe('down');
      problems.length = 0;
      const poor = await open(
        `rediss://127.0.0.1:${tlsPort}`,
        { ...over, keyPrefix: 'other:', caFile: file('server.crt') },
        false,
      );
      await until(() => problems.length > 0);
      expect(problems.join()).toMatch(/permission|NOPERM/i);
      expect([poor.ready(), await poor.claim(keyOf('tls 3'), young())]).toEqual([false, 'down']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 20_000);
});
