/** Against a real Redis: REDIS_URL, or a redis-server of our own. In CI one must be there. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '../../src/config/index.js';
import { createRedisStore, type RedisReplayConfig } from '../../src/replay/redis-store.js';
import { freePort } from '../support/gateway.js';
import { replayStoreContract } from './contract.js';

const { REDIS_URL, CI } = process.env;
const installed = (() => {
  try {
    execFileSync('redis-server', ['--version']);
    return true;
  } catch {
    return false;
  }
})();
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function configOf(url: string): RedisReplayConfig {
  const parsed = parseConfig({
    version: 1, publicOrigins: ['https://x'], issuers: [{ name: 'a', issuer: 'a', jwks: { file: '/x' } }], replay: { store: 'redis', url, keyPrefix: `test:${randomBytes(6).toString('hex')}:`, timeoutSeconds: 0.3 },
    routes: [{ kind: 'mcp', name: 'a', pathPrefix: '/a', auth: { profile: 'dpop', issuers: ['a'], audiences: ['a'] }, backend: { url: 'http://a' } }],
  });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.config.replay as RedisReplayConfig;
}

async function startRedis(port: number, dir: string): Promise<ChildProcess> {
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir], { stdio: 'ignore' });
  for (let i = 0; i < 100; i++) {
    try {
      if (execFileSync('redis-cli', ['-p', String(port), 'ping'], { stdio: 'pipe' }).toString().trim() === 'PONG') return child;
    } catch { /* not yet */ }
    await wait(30);
  }
  throw new Error('redis-server did not start');
}
const readied = async (store: { ready(): boolean }) => {
  for (let i = 0; i < 100 && !store.ready(); i++) await wait(30);
};

if (REDIS_URL === undefined && !installed) {
  if (CI !== undefined) it('needs a Redis in CI', () => { throw new Error('neither REDIS_URL nor redis-server: install redis-server'); });
  else {
    process.stderr.write('skipped: the Redis replay store, for want of REDIS_URL or redis-server on the PATH\n');
    it.skip('the Redis replay store (no REDIS_URL, no redis-server)', () => {});
  }
} else {
  replayStoreContract('Redis', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-redis-'));
    const port = await freePort();
    const server = REDIS_URL === undefined ? await startRedis(port, dir) : undefined;
    const store = await createRedisStore(configOf(REDIS_URL ?? `redis://127.0.0.1:${port}`), { onProblem: () => {} });
    await readied(store);
    return {
      store,
      pass: (seconds) => wait(seconds * 1000).then(() => undefined),
      async stop() {
        await store.close();
        server?.kill('SIGKILL');
        rmSync(dir, { recursive: true, force: true });
      },
    };
  });

  (installed ? describe : describe.skip)('the Redis replay store, when Redis goes,', () => {
    it('answers down in time: killed, hung, refusing; and works again when it is back', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'agw-redis-'));
      const port = await freePort();
      const problems: string[] = [];
      let server = await startRedis(port, dir);
      const store = await createRedisStore(configOf(`redis://127.0.0.1:${port}`), { onProblem: (problem) => problems.push(problem) });
      try {
        await readied(store);
        const key = randomBytes(32);
        expect(await store.claim(key, 60)).toBe('first');

        server.kill('SIGSTOP');
        const began = performance.now();
        expect(await store.claim(randomBytes(32), 60)).toBe('down');
        expect(performance.now() - began).toBeLessThan(1000);
        server.kill('SIGCONT');
        for (let i = 0; i < 50 && (await store.claim(key, 60)) !== 'seen'; i++) await wait(50);
        expect(await store.claim(key, 60)).toBe('seen');

        execFileSync('redis-cli', ['-p', String(port), 'config', 'set', 'maxmemory', '1']);
        expect(await store.claim(randomBytes(32), 60)).toBe('down'); // OOM: refused, never taken for granted
        execFileSync('redis-cli', ['-p', String(port), 'config', 'set', 'maxmemory', '0']);

        server.kill('SIGKILL');
        await wait(100);
        expect(await store.claim(randomBytes(32), 60)).toBe('down');
        expect(store.ready()).toBe(false);
        expect(problems.join()).toContain('requests are refused until it answers');

        server = await startRedis(port, dir);
        await readied(store);
        expect(await store.claim(randomBytes(32), 60)).toBe('first');
      } finally {
        await store.close();
        server.kill('SIGKILL');
        rmSync(dir, { recursive: true, force: true });
      }
    }, 30_000);
  });
}
