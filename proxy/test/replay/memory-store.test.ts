import { createCipheriv } from 'node:crypto';
import { createMemoryStore } from '../../src/replay/memory-store.js';
import { behavesLikeAReplayStore, keyOf, known, made, WINDOW } from './contract.js';

const START = 1_800_000_000;
const open = (maxEntries: number, start = START) => {
  let time = start;
  return {
    store: createMemoryStore({
      maxEntries,
      windowSeconds: WINDOW,
      now: () => time,
      remembersSince: start - 1_000_000,
    }),
    now: () => time,
    /** A proof that passes for so many more seconds. */
    lasting: (seconds: number) => known(time + seconds - WINDOW),
    advance: (seconds: number) => {
      time += seconds;
    },
  };
};

/** Distinct 32-byte keys that are spread like hashes: a key stream, which costs less than a million hashes. */
function* keys(count: number, seed = 1): Generator<Buffer> {
  const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(32 * 4_096);
  for (let i = 0; i < count; i += 4_096) {
    const block = stream.update(zeros);
    const end = 32 * Math.min(4_096, count - i);
    for (let at = 0; at < end; at += 32) yield block.subarray(at, at + 32);
  }
}

/** Of this thread: what else runs on the machine does not count. */
const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

describe('the memory store', () => {
  let at: ReturnType<typeof open>;
  beforeEach(() => {
    at = open(1_000);
  });
  behavesLikeAReplayStore(
    () => ({ store: at.store, now: at.now, pass: async (seconds) => at.advance(seconds) }),
    1,
  );

  it('answers without a promise', () => {
    expect(at.store.claim(keyOf('now'), at.lasting(1))).toBe('first');
  });
  it('holds a claim to the last moment at which its proof passes, when that is within a second', () => {
    const { store, advance, lasting } = open(1_000, START + 0.9);
    const proof = lasting(1.05);
    void store.claim(keyOf('late'), proof);
    advance(1.04);
    expect(store.claim(keyOf('late'), proof)).toBe('seen');
    advance(1.1);
    expect(store.claim(keyOf('late'), proof)).toBe('forgotten');
  });
  it('vouches for nothing from the second in which it began, unless it carries the nonce of this start', () => {
    let time = START + 0.2;
    const store = createMemoryStore({ maxEntries: 1_000, windowSeconds: WINDOW, now: () => time });
    // Whole seconds: it may have been used a moment before the store began.
    expect(store.claim(keyOf('same second'), made(START))).toBe('forgotten');
    expect(store.claim(keyOf('with nonce'), { ...made(START), nonce: store.nonce() })).toBe('first');
    time += 0.8;
    expect(store.claim(keyOf('same second'), made(START))).toBe('forgotten');
    expect(store.claim(keyOf('next second'), made(START + 1))).toBe('first');
  });

  it.each([1_000, 4_097, 20_000])('takes %i live claims and no more, and forgets none of them', (max) => {
    const { store, lasting } = open(max);
    for (const key of keys(max)) expect(store.claim(key, lasting(60))).toBe('first');
    expect(store.claim(keyOf('one more'), lasting(60))).toBe('full');
    expect(store.size()).toBe(max);
    for (const key of keys(max))
      if (store.claim(key, lasting(60)) !== 'seen') throw new Error('forgot a live claim');
  });
  it('tells a replay from a new proof when it is full', () => {
    for (const key of keys(1_000)) void at.store.claim(key, at.lasting(60));
    expect(at.store.claim([...keys(1)][0]!, at.lasting(60))).toBe('seen');
  });
  it('uses the room of expired claims again, down to the last', () => {
    const { store, advance, lasting } = open(20_000);
    for (const key of keys(19_999)) void store.claim(key, lasting(60));
    void store.claim(keyOf('short'), lasting(5));
    expect(store.claim(keyOf('waits'), lasting(60))).toBe('full');
    advance(6);
    expect(store.claim(keyOf('waits'), lasting(60))).toBe('first');
    expect(store.claim(keyOf('waits too'), lasting(60))).toBe('full');
    advance(61);
    for (const key of keys(20_000, 7)) expect(store.claim(key, lasting(60))).toBe('first');
  });
  it('counts down after the traffic is over', () => {
    for (const key of keys(500)) void at.store.claim(key, at.lasting(60));
    at.advance(61);
    expect(at.store.size()).toBe(0);
  });
  it('keeps its size over many generations of claims', () => {
    const { store, advance, lasting } = open(10_000);
    for (let generation = 1; generation <= 30; generation++) {
      for (const key of keys(9_000, generation))
        if (store.claim(key, lasting(60)) !== 'first') throw new Error('refused a new proof');
      advance(61);
    }
    expect(store.bytes() / 10_000).toBeLessThanOrEqual(24);
  });

  it.each([1_000_000, 300_000])(
    'holds %i claims in at most 24 bytes each, and no claim takes long',
    (max) => {
      const { store, advance, lasting } = open(max);
      let long = 0;
      const run = (seed: number) => {
        for (const key of keys(max, seed)) {
          const before = cpuMs();
          void store.claim(key, lasting(60));
          if (cpuMs() - before > 5) long += 1;
        }
      };
      run(1);
      expect(store.size()).toBe(max);
      expect(store.bytes() / max).toBeLessThanOrEqual(24);
      advance(61); // all at once: the worst case for reuse
      run(99);
      expect(store.bytes() / max).toBeLessThanOrEqual(24);
      // A claim takes a fraction of a millisecond; what is left are the collector's pauses.
      expect(long).toBeLessThan(20);
    },
  );
});
