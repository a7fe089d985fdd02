/**
 * Redis goes away under load, in every way it can: no proof passes twice, refusals come at once, and so does
 * the recovery.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasRedis, RedisProcess } from '../../../proxy/test/replay/redis-process.js';
import { needs } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startLoad, type Sent } from '../support/load.js';
import { machineSlowness } from '../support/machine-slowness.js';
import { openScene, type Scene } from '../support/scene.js';

const SLOWNESS = machineSlowness();
const PER_SECOND = Math.round(300 / SLOWNESS);
const AWAY_MS = 2_000;

needs('the loss of Redis', hasRedis() ? [] : ['redis-server']);

(hasRedis() ? describe : describe.skip)('the loss of Redis', () => {
  let scene: Scene;
  let redis: RedisProcess;
  let gateway: GatewayProcess;
  beforeEach(async () => {
    redis = await RedisProcess.start();
    scene = await openScene({ replay: { store: 'redis', url: `redis://127.0.0.1:${redis.port}` } });
    gateway = await startGatewayProcess(scene.config, { dir: scene.dir, name: 'gateway' });
  });
  afterEach(async () => {
    await gateway.stop();
    await redis.stop();
    scene.stop();
  });

  it.each<[string, () => Promise<void>, () => Promise<void>]>([
    ['kill -9', () => redis.kill(), () => redis.restart()],
    ['SIGSTOP', async () => redis.signal('SIGSTOP'), async () => redis.signal('SIGCONT')],
    [
      'out of memory',
      async () => {
        await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      },
      async () => {
        await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      },
    ],
    [
      'READONLY',
      async () => {
        await redis.command('REPLICAOF', '127.0.0.1', '1');
      },
      async () => {
        await redis.command('REPLICAOF', 'NO', 'ONE');
      },
    ],
  ])(
    'by %s: 0 replays, 503 within a second, back within two',
    async (_, lose, restore) => {
      const made: ReturnType<Scene['ask']>[] = [];
      /** Of a request, the first one with its proof: every proof is sent twice, at some distance. */
      const proofOf: number[] = [];
      const make = (n: number) => {
        const before = n - 201;
        proofOf[n] = n % 2 === 1 && made[before] !== undefined ? before : n;
        return (made[n] = made[proofOf[n]] ?? scene.ask());
      };
      const load = startLoad({ port: gateway.port, perSecond: PER_SECOND, make });
      await sleep(1_500);
      const lostAt = performance.now();
      await lose();
      await sleep(AWAY_MS);
      await restore();
      const backAt = performance.now();
      await sleep(3_500);
      const sent = await load.stop();

      const passed = (of: readonly Sent[]) => of.filter(({ status }) => status === 200);
      const uses = new Map<number, number>();
      for (const { number } of passed(sent))
        uses.set(proofOf[number]!, (uses.get(proofOf[number]!) ?? 0) + 1);
      expect([...uses.values()].filter((count) => count > 1)).toEqual([]);
      expect(scene.reached()).toBe(passed(sent).length);
      // Nothing but these answers, and every request has one.
      expect([...new Set(sent.map(({ status, error }) => status ?? error))].sort()).toEqual([200, 401, 503]);
      const away = sent.filter(({ at }) => at > lostAt + 1_000 && at < backAt);
      expect(away.length).toBeGreaterThan((PER_SECOND * (AWAY_MS - 1_000)) / 1000 / 2);
      // A hung Redis that comes back answers what it was asked before.
      expect(passed(away).filter(({ until }) => until < backAt)).toEqual([]);
      expect(
        Math.max(...sent.filter(({ status }) => status === 503).map(({ at, until }) => until - at)),
      ).toBeLessThan(1_000);
      const fresh = sent.filter(({ number, at }) => at > backAt + 2_000 && proofOf[number] === number);
      expect(fresh.length).toBeGreaterThan(PER_SECOND / 4);
      expect(fresh.filter(({ status }) => status !== 200)).toEqual([]);
      const firstBack = Math.min(
        ...passed(sent)
          .filter(({ at }) => at > backAt)
          .map(({ until }) => until),
      );
      process.stderr.write(
        `${sent.length} requests, ${sent.filter(({ status }) => status === 503).length} refused with 503, ` +
          `back after ${Math.round(firstBack - backAt)} ms\n`,
      );
    },
    60_000,
  );
});
