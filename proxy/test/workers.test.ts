/** What holds threads together, where the threads are not the gateway's own: those cannot be made to fail on demand. */
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import { wallClock } from '../src/clock.js';
import { parseConfig } from '../src/config/index.js';
import { shareClaims } from '../src/replay/memory-store.js';
import { bucketMemories } from '../src/request-pipeline.js';
import { shareOf, startWorkers } from '../src/workers/worker-pool.js';
import { freePort, ORIGIN, request } from './support/gateway.js';
import { until } from './support/until.js';

const program = (code: string) => {
  const source = `import { parentPort, workerData } from 'node:worker_threads'; ${code}`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
};
const SERVING = 'parentPort.postMessage({ kind: "serving" });';
const configOf = async (change: object = {}) => {
  const parsed = parseConfig({
    version: 1,
    workers: 2,
    publicOrigins: [ORIGIN],
    admin: { host: '127.0.0.1', port: await freePort() },
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/nowhere' } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        backend: { url: 'http://127.0.0.1:9' },
      },
    ],
    ...change,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
};
const start = async (code: string) => {
  const lost: Error[] = [];
  const workers = await startWorkers(await configOf(), {
    clock: wallClock,
    warn: () => {},
    program: program(code),
    onLost: (cause) => lost.push(cause),
  });
  return { workers, lost };
};
const BEATS = 'Atomics.store(workerData.beats, workerData.index, BigInt(Date.now()));';
const ANSWERS = (answers: string) => `${SERVING}
  const answers = { stop: undefined, waitingFor: [], metrics: [], ...(${answers}) };
  parentPort.on('message', ({ id, kind, ask }) => {
    const answer = answers[kind];
    parentPort.postMessage({ kind: 'answer', id, answer: typeof answer === 'function' ? answer(ask) : answer });
    if (kind === 'stop') parentPort.close();
  });`;

describe('a worker pool', () => {
  it('does not start where a thread does not, and says why', async () => {
    await expect(start('throw new Error("no port")')).rejects.toThrow('no port');
  });
  it('says when a thread is lost, by an error or by its end', async () => {
    const thrown = await start(`${SERVING} setTimeout(() => { throw new Error('bug'); }, 20)`);
    await until(() => thrown.lost.some(({ message }) => message === 'bug'));
    await thrown.workers.stop();
    const ended = await start(`${SERVING} setTimeout(() => process.exit(3), 20)`);
    await until(() => ended.lost.some(({ message }) => /ended with 3/.test(message)));
    await ended.workers.stop();
  });
  it('is not alive while the event loop of one thread does not turn', async () => {
    const { workers } = await start(`${BEATS} ${ANSWERS('{}')}`);
    expect((await request(workers.adminPort, { path: '/livez' })).status).toBe(200);
    await workers.stop();
    const stuck = await start(`if (workerData.index === 0) { ${BEATS} } ${ANSWERS('{}')}`);
    expect(await request(stuck.workers.adminPort, { path: '/livez' })).toMatchObject({
      status: 503,
      text: '{"status":"stalled"}',
    });
    for (const path of ['/', '/status'])
      expect((await request(stuck.workers.adminPort, { path })).status).toBe(503);
    await stuck.workers.stop();
  });
  it('is ready when all threads are, and names what any of them waits for', async () => {
    const { workers } = await start(
      ANSWERS('{ waitingFor: workerData.index === 0 ? [] : ["keys of issuer as"] }'),
    );
    expect(await request(workers.adminPort, { path: '/readyz' })).toMatchObject({
      status: 503,
      text: expect.stringContaining('keys of issuer as'),
    });
    await workers.stop();
  });
  it('goes back in all threads when one of them does not take a config', async () => {
    const took = `(config) => {
      globalThis.took = [...(globalThis.took ?? []), config.drainSeconds];
      return workerData.index === 1 && config.drainSeconds === 7 ? ["no keys"] : [];
    }`;
    const { workers } = await start(
      ANSWERS(`{ reload: ${took}, waitingFor: () => ['t' + workerData.index + ' ' + globalThis.took] }`),
    );
    expect(
      await workers.reload(
        await configOf({ drainSeconds: 7 }).then((config) => ({
          ...config,
          admin: { ...config.admin, port: workers.adminPort },
        })),
      ),
    ).toEqual(['no keys']);
    const { text } = await request(workers.adminPort, { path: '/readyz' });
    expect(JSON.parse(text)).toMatchObject({ waitingFor: ['t0 7,25', 't1 7'] });
    await workers.stop();
  });
  it('gives each thread its share of what is bounded for the process', async () => {
    const config = await configOf({
      workers: 3,
      limits: { maxConnections: 100, maxConnectionsPerAddress: 10 },
      upstream: { maxSockets: 7, maxQueued: 1 },
    });
    expect(shareOf(config)).toMatchObject({
      limits: { maxConnections: 34, maxConnectionsPerAddress: 4 },
      upstream: { maxSockets: 3, maxQueued: 1 },
    });
  });
});

describe('threads that share memory', () => {
  const THREADS = 4;
  let code: string;
  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: {
        resolveDir: import.meta.dirname,
        contents: `import { parentPort, workerData } from 'node:worker_threads';
          import { createMemoryStore } from '../src/replay/memory-store.ts';
          import { createTokenBuckets } from '../src/limit/token-bucket.ts';
          import { createBucketTable } from '../src/limit/bucket-table.ts';
          const { claims, buckets, keys, maxEntries, start } = workerData;
          const store = createMemoryStore({ maxEntries, windowSeconds: 300, now: () => 1_800_000_000, shared: claims });
          const rate = { maxTokens: 1000, tokensPerFill: 1, fillIntervalSeconds: 3600 };
          const table = createBucketTable(buckets.callers);
          const limiter = createTokenBuckets({ name: 'a', table, ...rate, now: () => 1 });
          Atomics.add(start, 0, 1);
          while (Atomics.load(start, 0) < ${THREADS}); // all at once
          const turns = { first: 0, seen: 0, full: 0 };
          for (let i = 0; i < keys.length; i += 32) {
            const key = Buffer.from(keys.buffer, keys.byteOffset + i, 32);
            turns[store.claim(key, { madeAt: 1_800_000_000, notBefore: Infinity })] += 1;
          }
          let taken = 0;
          for (let i = 0; i < 1000; i++) if (limiter.take('caller').allowed) taken += 1;
          parentPort.postMessage({ turns, taken, size: store.size() });`,
      },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'esm',
    });
    code = outputFiles[0]!.text;
  });
  /** All threads claim the same keys in the same order, and then take tokens of one bucket. */
  const race = async (count: number, maxEntries: number) => {
    const keys = new Uint8Array(count * 32);
    for (let i = 0; i < keys.length; i += 65_536) crypto.getRandomValues(keys.subarray(i, i + 65_536));
    const workerData = {
      keys,
      maxEntries,
      claims: shareClaims({ maxEntries, windowSeconds: 300, now: () => 1_700_000_000, remembersSince: 0 }),
      buckets: bucketMemories(true),
      start: new Int32Array(new SharedArrayBuffer(4)),
    };
    const results = await Promise.all(
      Array.from(
        { length: THREADS },
        () =>
          new Promise<{ turns: Record<string, number>; taken: number; size: number }>((resolve, reject) => {
            new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData })
              .once('message', resolve)
              .once('error', reject);
          }),
      ),
    );
    const sum = (pick: (result: (typeof results)[number]) => number) =>
      results.reduce((total, result) => total + pick(result), 0);
    return {
      first: sum(({ turns }) => turns.first!),
      seen: sum(({ turns }) => turns.seen!),
      full: sum(({ turns }) => turns.full!),
      taken: sum(({ taken }) => taken),
      size: Math.max(...results.map(({ size }) => size)),
    };
  };

  it('claim each key once, and take no token twice', async () => {
    expect(await race(200_000, 1_000_000)).toEqual({
      first: 200_000,
      seen: (THREADS - 1) * 200_000,
      full: 0,
      taken: 1000,
      size: 200_000,
    });
  }, 60_000);
  it('claim no more than there is room for', async () => {
    const { first, size } = await race(20_000, 10_000);
    expect(first).toBeGreaterThanOrEqual(10_000);
    expect(first).toBeLessThan(10_000 + THREADS);
    expect(size).toBe(first);
  }, 60_000);
});
