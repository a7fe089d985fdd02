/**
 * A store that forgot is not asked about what it forgot: flush, another server, failover, cluster. Real
 * servers, real loss.
 */
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { wallClock } from '../../src/clock.js';
import { openReplayStore } from '../../src/replay/open-replay-store.js';
import type { RedisConfig } from '../../src/redis/connect.js';
import { createRedisStore } from '../../src/replay/redis-store.js';
import type { ReplayStore } from '../../src/replay/replay-store.js';
import { claimNow, keyOf, made, thisSecond, WINDOW, young } from './contract.js';
import { hasRedis, RedisProcess } from './redis-process.js';
import { until } from '../support/until.js';

if (!hasRedis()) {
  const why = 'no redis-server or valkey-server in PATH';
  if (process.env.CI)
    it('finds a Redis to test against', () => {
      throw new Error(why);
    });
  else it.skip(`the epoch: ${why}`, () => {});
}

const stores: ReplayStore[] = [];
const servers: RedisProcess[] = [];
const problems: string[] = [];
const config = (port: number, more: Partial<RedisConfig> = {}): RedisConfig => ({
  store: 'redis',
  url: `redis://127.0.0.1:${port}`,
  keyPrefix: `agw:${randomUUID()}:`,
  timeoutSeconds: 0.3,
  topology: { kind: 'single' },
  onStoreFailure: 'deny',
  ...more,
});
const start = async (...extra: string[]) => {
  const server = await RedisProcess.start(...extra);
  servers.push(server);
  return server;
};
const open = async (options: RedisConfig) => {
  const store = await createRedisStore(options, {
    now: wallClock,
    windowSeconds: WINDOW,
    onProblem: (p) => problems.push(p),
  });
  stores.push(store);
  await until(() => store.ready());
  return store;
};
/** A proof that was used just now, and a moment after which the store is younger than it. */
const claimEarlier = async (store: ReplayStore, name: string) => {
  const { madeAt } = await claimNow(store, name);
  await sleep(1_100);
  return madeAt;
};

beforeEach(() => {
  problems.length = 0;
});
const links: { stop(): void }[] = [];
afterEach(async () => {
  for (const link of links.splice(0)) link.stop();
  for (const store of stores.splice(0)) await store.close();
  for (const server of servers.splice(0)) await server.stop();
});

(hasRedis() ? describe : describe.skip)('the epoch of a Redis store', () => {
  it('refuses what is from before a FLUSHALL, in every replica; takes what is later or has its nonce', async () => {
    const redis = await start();
    const shared = config(redis.port);
    const [one, two] = [await open(shared), await open(shared)];
    const madeAt = await claimEarlier(one, 'flushed');
    await redis.command('flushall');
    expect(await two.claim(keyOf('flushed'), made(madeAt))).toBe('forgotten');
    expect(await one.claim(keyOf('flushed too'), made(madeAt))).toBe('forgotten');
    const fresh = { ...made(thisSecond()), nonce: one.nonce() };
    expect(await one.claim(keyOf('new'), fresh)).toBe('first');
    expect(await two.claim(keyOf('new'), fresh)).toBe('seen');
    await sleep(1010);
    expect(await two.claim(keyOf('next second'), made(thisSecond()))).toBe('first');
    expect(problems.join()).toMatch(/flushed/);
  });

  it('refuses what was made before the server was replaced by an empty one', async () => {
    const redis = await start();
    const store = await open(config(redis.port));
    const madeAt = await claimEarlier(store, 'before');
    await redis.kill();
    await redis.restart();
    await until(async () => (await store.claim(keyOf('after'), young())) === 'first');
    expect(await store.claim(keyOf('before'), made(madeAt))).toBe('forgotten');
  }, 20_000);

  it('a process that starts after the loss knows of it by the name in the marker', async () => {
    const redis = await start();
    const shared = config(redis.port);
    const madeAt = await claimEarlier(await open(shared), 'kept');
    // As a replica that was promoted has it: the marker of the old primary, not its last claims.
    await redis.command('set', `${shared.keyPrefix}epoch`, `${madeAt - 100} ${'0'.repeat(40)}`);
    expect(await (await open(shared)).claim(keyOf('lost'), made(madeAt))).toBe('forgotten');
  });

  it('keeps its epoch over a reconnect to the same server', async () => {
    const redis = await start();
    const store = await open(config(redis.port));
    const madeAt = await claimEarlier(store, 'same');
    await redis.command('client', 'kill', 'type', 'normal');
    await until(async () => (await store.claim(keyOf('same'), made(madeAt))) === 'seen');
    expect(await store.claim(keyOf('unused'), made(madeAt))).toBe('first');
  });

  it('follows a sentinel to the promoted replica; takes nothing that the old primary may have taken', async () => {
    const primary = await start();
    const replica = await start('--replicaof', '127.0.0.1', String(primary.port));
    const sentinel = await RedisProcess.sentinelOf(primary, 'jti');
    servers.push(sentinel);
    await until(async () =>
      String(await sentinel.command('sentinel', 'replicas', 'jti')).includes(String(replica.port)),
    );
    const store = await open(
      config(sentinel.port, { topology: { kind: 'sentinel', master: 'jti', sentinels: [] } }),
    );
    const madeAt = await claimEarlier(store, 'on the primary');
    await replica.command('replicaof', 'no', 'one'); // its last writes never arrive
    await replica.command(
      'del',
      ...((await replica.command('keys', '*-*')) as string[]).filter((k) => !k.endsWith('epoch')),
      'x',
    );
    await replica.command('replicaof', '127.0.0.1', '1');
    await primary.kill();
    await replica.command('replicaof', 'no', 'one');
    await until(async () => ['first', 'seen'].includes(await store.claim(keyOf('after'), young())), 25_000);
    expect(await store.claim(keyOf('on the primary'), made(madeAt))).toBe('forgotten');
  }, 60_000);

  /** Another key of the same bucket. */
  const besideOf = (name: string) => {
    const key = keyOf(name);
    key[0]! ^= 1;
    return key;
  };
  const cluster = async (replicas: number) => {
    const options = [
      '--cluster-enabled',
      'yes',
      '--cluster-node-timeout',
      '700',
      '--cluster-require-full-coverage',
      'no',
    ];
    const nodes = [await start(...options), await start(...options), await start(...options)];
    const [first] = nodes as [RedisProcess, ...RedisProcess[]];
    for (const [i, node] of nodes.entries()) {
      await node.command(
        'cluster',
        'addslotsrange',
        String(Math.ceil((i * 16384) / 3)),
        String(Math.ceil(((i + 1) * 16384) / 3) - 1),
      );
      await node.command('cluster', 'set-config-epoch', String(i + 1));
    }
    for (let i = 0; i < replicas; i++) nodes.push(await start(...options));
    for (const node of nodes.slice(1)) await node.command('cluster', 'meet', '127.0.0.1', String(first.port));
    const info = async (node: RedisProcess) => String(await node.command('cluster', 'info'));
    for (const node of nodes)
      await until(async () => (await info(node)).includes(`cluster_known_nodes:${nodes.length}`));
    for (const node of nodes.slice(3))
      await node.command('cluster', 'replicate', String(await nodes[2]!.command('cluster', 'myid')));
    for (const node of nodes) await until(async () => (await info(node)).includes('cluster_state:ok'));
    for (const node of nodes.slice(3))
      await until(async () =>
        String(await node.command('info', 'replication')).includes('master_link_status:up'),
      );
    return nodes;
  };

  it('spreads claims over a cluster, each taken once, and notices that one of its masters was flushed', async () => {
    const nodes = await cluster(0);
    const [first] = nodes as [RedisProcess, ...RedisProcess[]];
    const shared = config(first.port, {
      topology: { kind: 'cluster', nodes: [`127.0.0.1:${nodes[1]!.port}`] },
    });
    const [one, two] = [await open(shared), await open(shared)];
    const names = Array.from({ length: 200 }, (_, i) => `clustered ${i}`);
    // The markers of the buckets are made with the first claims, and each begins with a whole second.
    for (const store of [one, two])
      await until(async () => {
        const claims = names.map((name) => store.claim(besideOf(name), young()));
        return !(await Promise.all(claims)).includes('down');
      });
    await sleep(1_100);
    const madeAt = thisSecond();
    const turns = await Promise.all(
      names.flatMap((name) => [one, two].map((store) => store.claim(keyOf(name), made(madeAt)))),
    );
    expect(turns.filter((t) => t === 'first')).toHaveLength(200);
    expect(turns.filter((t) => t === 'seen')).toHaveLength(200);
    for (const node of nodes) expect(Number(await node.command('dbsize'))).toBeGreaterThan(20);
    await sleep(2100);
    await nodes[2]!.command('flushall');
    const again = await Promise.all(names.map((name) => one.claim(keyOf(name), made(madeAt))));
    expect(again).not.toContain('first');
    expect(again).toContain('forgotten');
    expect(again).toContain('seen');
  }, 60_000);

  it('takes nothing of a promoted replica of a cluster that the old master may have taken', async () => {
    const nodes = await cluster(1);
    const store = await open(
      config(nodes[0]!.port, { topology: { kind: 'cluster', nodes: [`127.0.0.1:${nodes[1]!.port}`] } }),
    );
    const names = Array.from({ length: 200 }, (_, i) => `failed over ${i}`);
    await Promise.all(names.map((name) => store.claim(besideOf(name), young()))); // makes the markers
    await sleep(1100);
    const madeAt = thisSecond();
    expect(await Promise.all(names.map((name) => store.claim(keyOf(name), made(madeAt))))).not.toContain(
      'seen',
    );
    await sleep(1100);
    await nodes[2]!.kill();
    await until(
      async () => String(await nodes[3]!.command('info', 'replication')).includes('role:master'),
      30_000,
    );
    // As if the last claims had not arrived there: all that it has are the markers.
    for (const key of ((await nodes[3]!.command('keys', '*')) as string[]).filter(
      (k) => !k.endsWith('epoch'),
    ))
      await nodes[3]!.command('del', key);
    await until(
      async () =>
        !(await Promise.all(names.map((name) => store.claim(keyOf(`${name} after`), young())))).includes(
          'down',
        ),
      30_000,
    );
    const again = await Promise.all(names.map((name) => store.claim(keyOf(name), made(madeAt))));
    expect(again).not.toContain('first');
    expect(again).toContain('forgotten');
    expect(again).toContain('seen'); // of the masters that lost nothing
  }, 90_000);
});

/** A way to a port that can be cut and mended. */
async function startLink(to: number) {
  let isOpen = true;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((from) => {
    if (!isOpen) return void from.destroy();
    const there = net.connect(to, '127.0.0.1');
    for (const [one, other] of [
      [from, there],
      [there, from],
    ] as const) {
      sockets.add(one);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
    from.pipe(there).pipe(from);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    isOpen = false;
    for (const socket of sockets) socket.destroy();
  };
  const link = {
    port: (server.address() as net.AddressInfo).port,
    cut,
    mend: () => {
      isOpen = true;
    },
    stop() {
      cut();
      server.close();
    },
  };
  links.push(link);
  return link;
}

(hasRedis() ? describe : describe.skip)('what happens while Redis is away', () => {
  const openWith = async (
    port: number,
    onStoreFailure: 'local' | 'allow',
    unchecked: () => void,
    more: Partial<RedisConfig> = {},
  ) => {
    const store = await openReplayStore(
      {
        replay: config(port, { onStoreFailure, ...more }),
        routes: [{ auth: { profile: 'dpop', proofMaxAgeSeconds: WINDOW } }] as never,
      },
      {
        remembersSince: 0,
        now: wallClock,
        onProblem: (p) => problems.push(p),
        onUnchecked: unchecked,
      },
    );
    stores.push(store);
    return store;
  };

  it('local: this process still takes each proof once, also one that Redis had taken', async () => {
    const redis = await start();
    let unchecked = 0;
    const store = await openWith(redis.port, 'local', () => {
      unchecked += 1;
    });
    // Redis answers: the process alone would have told that a claim was not checked.
    await until(async () => {
      unchecked = 0;
      await store.claim(keyOf(randomUUID()), young());
      return unchecked === 0;
    });
    expect(await store.claim(keyOf('known'), young())).toBe('first');
    expect(unchecked).toBe(0);
    await redis.kill();
    await until(async () => {
      await store.claim(keyOf(randomUUID()), young());
      return unchecked > 0;
    });
    expect(await store.claim(keyOf('known'), young())).toBe('seen');
    expect(await store.claim(keyOf('new'), young())).toBe('first');
    expect(await store.claim(keyOf('new'), young())).toBe('seen');
  }, 20_000);

  it('local: and what it took meanwhile it takes no more when Redis is back, which never heard of it', async () => {
    const redis = await start();
    const link = await startLink(redis.port);
    let unchecked = 0;
    const store = await openWith(link.port, 'local', () => {
      unchecked += 1;
    });
    await until(async () => (await store.claim(keyOf('x'), young())) === 'seen');
    link.cut();
    unchecked = 0;
    expect([await store.claim(keyOf('meanwhile'), young()), unchecked]).toEqual(['first', 1]);
    link.mend();
    await until(async () => {
      unchecked = 0;
      await store.claim(keyOf(randomUUID()), young());
      return unchecked === 0;
    });
    expect(await store.claim(keyOf('meanwhile'), young())).toBe('seen');
    expect(unchecked).toBe(0);
  }, 20_000);

  it('local: gives nothing back that it did not take: the claim of another replica stays', async () => {
    const redis = await start();
    const link = await startLink(redis.port);
    const shared = { keyPrefix: `agw:${randomUUID()}:` };
    let unchecked = 0;
    const cut = await openWith(link.port, 'local', () => (unchecked += 1), shared);
    const other = await openWith(redis.port, 'local', () => {}, shared);
    await until(async () => (await other.claim(keyOf('x'), young())) === 'seen');
    await until(async () => {
      unchecked = 0;
      await cut.claim(keyOf(randomUUID()), young());
      return unchecked === 0;
    });
    expect(await other.claim(keyOf('taken'), young())).toBe('first');
    link.cut();
    const key = keyOf('taken');
    expect([await cut.claim(key, young()), unchecked]).toEqual(['first', 1]);
    link.mend();
    await until(async () => {
      unchecked = 0;
      await cut.claim(keyOf(randomUUID()), young());
      return unchecked === 0;
    });
    await cut.release(key);
    const third = await openWith(redis.port, 'allow', () => {}, shared);
    await until(async () => (await third.claim(keyOf('x'), young())) === 'seen');
    expect(await third.claim(keyOf('taken'), young())).toBe('seen');
  }, 20_000);

  it('allow: counts every proof that passed so', async () => {
    const redis = await start();
    await redis.kill();
    let unchecked = 0;
    const store = await openWith(redis.port, 'allow', () => {
      unchecked += 1;
    });
    expect([await store.claim(keyOf('a'), young()), await store.claim(keyOf('a'), young())]).toEqual([
      'first',
      'first',
    ]);
    expect(unchecked).toBe(2);
  });
});
