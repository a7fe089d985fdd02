import { createHash } from 'node:crypto';
import { createMemoryStore } from '../../src/replay/memory-store.js';
import { replayStoreContract } from './contract.js';

const keyOf = (n: number) => createHash('sha256').update(String(n)).digest();

replayStoreContract('memory', async () => {
  let now = 1_700_000_000.25;
  const store = createMemoryStore({ maxEntries: 10_000, now: () => now });
  return { store, pass: async (seconds) => { now += seconds; }, stop: () => store.close() };
});

describe('the memory replay store, full,', () => {
  it('refuses new claims, keeps the old ones, and takes new ones when old ones have expired', () => {
    let now = 1000;
    const store = createMemoryStore({ maxEntries: 1000, now: () => now });
    for (let n = 0; n < 1000; n++) expect(store.claim(keyOf(n), n < 500 ? 10 : 100)).toBe('first');
    expect(store.claim(keyOf(1000), 10)).toBe('full');
    for (let n = 0; n < 1000; n++) expect(store.claim(keyOf(n), 10)).toBe('seen');
    now += 11;
    for (let n = 0; n < 500; n++) expect(store.claim(keyOf(2000 + n), 10)).toBe('first');
    expect(store.size!()).toBe(1000);
    expect(store.claim(keyOf(9999), 10)).toBe('full');
    for (let n = 500; n < 1000; n++) expect(store.claim(keyOf(n), 10)).toBe('seen');
  });
  it('is right about every key of a long random run', () => {
    let now = 5000;
    const store = createMemoryStore({ maxEntries: 5000, now: () => now });
    const until = new Map<number, number>();
    let seed = 7;
    const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
    for (let i = 0; i < 60_000; i++) {
      now += random() * 0.02;
      const n = Math.floor(random() * 3000);
      const ttl = 1 + Math.floor(random() * 20);
      const end = until.get(n) ?? -1;
      const turn = store.claim(keyOf(n), ttl);
      if (end > now) expect(turn).toBe('seen'); // what is alive is never forgotten
      else if (end + 1 < now) expect(turn).toBe('first'); // and what expired a second ago is
      if (turn === 'first') until.set(n, now + ttl);
    }
  });
  it('takes a million claims in the memory that it says, none of them for long', () => {
    const store = createMemoryStore({ maxEntries: 1_000_000, now: () => 1000 });
    const keys = Array.from({ length: 1_000_000 }, (_, n) => { const k = Buffer.alloc(32); k.writeUInt32LE((n * 2654435761) >>> 0, 0); k.writeUInt32LE(n, 4); k.writeUInt32LE((n * 40503 + 7) >>> 0, 16); return k; });
    const before = process.memoryUsage().arrayBuffers;
    const times = new Float64Array(keys.length);
    for (const [n, k] of keys.entries()) {
      const began = performance.now();
      if (store.claim(k, 60) !== 'first') throw new Error('not first');
      times[n] = performance.now() - began;
    }
    expect(store.size!()).toBe(1_000_000);
    expect(times.sort()[999_800]).toBeLessThan(5); // milliseconds, a rebuild of a shard included; the very slowest are pauses of the collector
    global.gc?.();
    expect((process.memoryUsage().arrayBuffers - before) / 1_000_000).toBeLessThan(60); // with what the collector has not taken back yet
  });
});
