import { createHash } from 'node:crypto';
import type { ReplayStore } from '../../src/replay/replay-store.js';

/** A store under test, on a clock that the store believes in. */
export interface Subject {
  readonly store: ReplayStore;
  /** Lets that much time pass for the store. */
  pass(seconds: number): Promise<void>;
}

export const keyOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Of a proof that no store can be too young for. */
export const NOW = Infinity;

/** What every replay store promises. `unitSeconds` is the step that its clock can tell apart. */
export function behavesLikeAReplayStore(subject: () => Subject, unitSeconds: number): void {
  const claim = async (name: string, ttl = 60 * unitSeconds) => subject().store.claim(keyOf(name), ttl, NOW);

  it('gives the first claim of a key its turn', async () => {
    expect(await claim('one')).toBe('first');
  });
  it('refuses every later claim of the key', async () => {
    await claim('two');
    expect(await claim('two')).toBe('seen');
    expect(await claim('two')).toBe('seen');
  });
  it('keeps keys apart', async () => {
    await claim('three');
    expect(await claim('four')).toBe('first');
  });
  it('keeps keys apart that differ in one bit of the last of their first 128', async () => {
    const key = keyOf('five');
    const other = Buffer.from(key);
    other[15]! ^= 1;
    expect(await subject().store.claim(key, 60, NOW)).toBe('first');
    expect(await subject().store.claim(other, 60, NOW)).toBe('first');
  });
  it('remembers a key for its ttl and lets it be claimed again after that', async () => {
    await claim('edge', 4 * unitSeconds);
    await subject().pass(3 * unitSeconds);
    expect(await claim('edge', 4 * unitSeconds)).toBe('seen');
    await subject().pass(2 * unitSeconds);
    expect(await claim('edge', 4 * unitSeconds)).toBe('first');
    expect(await claim('edge', 4 * unitSeconds)).toBe('seen');
  });
  it('knows of a claim that was made, and a look claims nothing', async () => {
    const { store } = subject();
    expect(await store.peek(keyOf('looked at'))).toBe(false);
    expect(await store.peek(keyOf('looked at'))).toBe(false);
    expect(await claim('looked at', 4 * unitSeconds)).toBe('first');
    expect(await store.peek(keyOf('looked at'))).toBe(true);
    await subject().pass(5 * unitSeconds);
    expect(await store.peek(keyOf('looked at'))).toBe(false);
  });
  it('does not prolong a claim when the key is seen again', async () => {
    await claim('fixed', 4 * unitSeconds);
    await subject().pass(3 * unitSeconds);
    await claim('fixed', 60 * unitSeconds);
    await subject().pass(2 * unitSeconds);
    expect(await claim('fixed')).toBe('first');
  });
  it('gives one of a hundred concurrent claims the turn', async () => {
    const turns = await Promise.all(Array.from({ length: 100 }, () => claim('crowd')));
    expect(turns.filter((t) => t === 'first')).toHaveLength(1);
    expect(turns.filter((t) => t === 'seen')).toHaveLength(99);
  });
  it('does not vouch for a proof that was made before it began to remember', async () => {
    expect(await subject().store.claim(keyOf('old'), 60, 1)).toBe('forgotten');
  });
  it('is ready', () => {
    expect(subject().store.ready()).toBe(true);
  });
}
