import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProofTime, ReplayStore } from '../../src/replay/replay-store.js';

/** A store under test, on a clock that the store believes in. */
export interface Subject {
  readonly store: ReplayStore;
  now(): number;
  /** Lets that much time pass for the store. */
  pass(seconds: number): Promise<void>;
}

/** For how long after it was made a proof passes, of every store under test. */
export const WINDOW = 60;

export const keyOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A proof that was made then, by a client whose clock is right. */
export const made = (at: number): ProofTime => ({ madeAt: at, notBefore: at, nonce: undefined });
/** A proof of then that no store can be too young for. */
export const known = (at: number): ProofTime => ({ madeAt: at, notBefore: Infinity, nonce: undefined });
export const young = (): ProofTime => known(Date.now() / 1000);
/** The whole second that a proof is made in. */
export const thisSecond = (): number => Math.floor(Date.now() / 1000);
/** Claims a proof that is made now, in the first whole second after the store's epoch began. */
export async function claimNow(store: ReplayStore, name: string): Promise<ProofTime> {
  await sleep(1_010);
  const proof = made(thisSecond());
  expect(await store.claim(keyOf(name), proof)).toBe('first');
  return proof;
}

/** What every replay store promises. `unitSeconds` is the step that its clock can tell apart. */
export function behavesLikeAReplayStore(subject: () => Subject, unitSeconds: number): void {
  const claim = async (name: string, proof = known(subject().now())) =>
    subject().store.claim(keyOf(name), proof);

  it('gives the first claim of a key its turn', async () => {
    expect(await claim('one')).toBe('first');
  });
  it('refuses every later claim of the key', async () => {
    await claim('two');
    expect(await claim('two')).toBe('seen');
    expect(await claim('two')).toBe('seen');
  });
  it('says that it can be reached, and since when it remembers', async () => {
    await claim('of an epoch');
    const { reachable, remembersSince } = subject().store.state();
    expect(reachable).toBe(true);
    expect(Number.isInteger(remembersSince)).toBe(true);
    expect(remembersSince).toBeGreaterThan(0);
    expect(remembersSince).toBeLessThanOrEqual(subject().now() + 1);
  });
  it('keeps keys apart', async () => {
    await claim('three');
    expect(await claim('four')).toBe('first');
  });
  it('keeps keys apart that differ in one bit of the last of their first 128', async () => {
    const key = keyOf('five');
    const other = Buffer.from(key);
    other[15]! ^= 1;
    const proof = known(subject().now());
    expect(await subject().store.claim(key, proof)).toBe('first');
    expect(await subject().store.claim(other, proof)).toBe('first');
  });
  it('knows a proof as long as it could pass, and takes none that it may have forgotten', async () => {
    const proof = known(subject().now() - WINDOW + 4 * unitSeconds);
    expect(await claim('edge', proof)).toBe('first');
    await subject().pass(3 * unitSeconds);
    expect(await claim('edge', proof)).toBe('seen');
    await subject().pass(2 * unitSeconds);
    expect(await claim('edge', proof)).toBe('forgotten');
    expect(await claim('never claimed', proof)).toBe('forgotten');
  });
  it('knows of a claim that was made, and a look claims nothing', async () => {
    const { store } = subject();
    expect(await store.peek(keyOf('looked at'))).toBe(false);
    expect(await store.peek(keyOf('looked at'))).toBe(false);
    expect(await claim('looked at')).toBe('first');
    expect(await store.peek(keyOf('looked at'))).toBe(true);
  });
  it('gives one of a hundred concurrent claims the turn', async () => {
    const turns = await Promise.all(Array.from({ length: 100 }, () => claim('crowd')));
    expect(turns.filter((t) => t === 'first')).toHaveLength(1);
    expect(turns.filter((t) => t === 'seen')).toHaveLength(99);
  });
  it('takes a claim back, once, and then it can be made again, once', async () => {
    const { store } = subject();
    expect(await claim('given back')).toBe('first');
    await store.release(keyOf('given back'));
    await subject().pass(unitSeconds);
    expect(await claim('given back')).toBe('first');
    expect(await claim('given back')).toBe('seen');
    await store.release(keyOf('never claimed'));
    expect(await claim('never claimed')).toBe('first');
  });
  it('does not vouch for a proof that was made before it began to remember, and burns nothing of it', async () => {
    const { store, now } = subject();
    const proof = { madeAt: now(), notBefore: 1, nonce: undefined };
    expect(await store.claim(keyOf('old'), proof)).toBe('forgotten');
    expect(await store.claim(keyOf('old'), proof)).toBe('forgotten');
    expect(await store.peek(keyOf('old'))).toBe(false);
  });
  it('takes a proof that carries the nonce of its epoch, once, whatever its date', async () => {
    const { store, now } = subject();
    const proof = { madeAt: now(), notBefore: 1, nonce: store.nonce() };
    expect(proof.nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]{20,}$/); // NQCHAR, RFC 9449 8.1
    expect(await store.claim(keyOf('fresh'), { ...proof, nonce: 'guessed' })).toBe('forgotten');
    expect(await store.claim(keyOf('fresh'), proof)).toBe('first');
    expect(await store.claim(keyOf('fresh'), proof)).toBe('seen');
  });
  it('begins a new epoch when a window grows: claims until then end with the old one', async () => {
    const { store, now } = subject();
    const before = { madeAt: now(), notBefore: now(), nonce: store.nonce() };
    store.cover(WINDOW - 1);
    expect(await store.claim(keyOf('as before'), before)).toBe('first');
    store.cover(WINDOW * 10);
    expect(await store.claim(keyOf('grown'), before)).toBe('forgotten');
    expect(store.nonce()).not.toBe(before.nonce);
    expect(await store.claim(keyOf('grown'), { ...before, nonce: store.nonce() })).toBe('first');
    const old = known(now() - WINDOW * 9);
    expect(await store.claim(keyOf('old and good'), old)).toBe('first');
    expect(await store.claim(keyOf('old and good'), old)).toBe('seen');
  });
  it('is ready', () => {
    expect(subject().store.ready()).toBe(true);
  });
}
