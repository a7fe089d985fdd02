import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { lock, unlock } from '../memory/mutex.js';
import { predates, secondAfter, type ProofTime } from './replay-store.js';

/** Whole seconds since the epoch in `TIME` and `SINCE`. */
const [LOCK, TIME, SINCE, NUMBER, WINDOW] = [0, 1, 2, 3, 4];
export const EPOCH_WORDS = 5;
/** A clock that is set back by less than this is waited for. */
const STEP_SECONDS = 5;

/**
 * Since when a memory store remembers everything, and the time that it lives by, for all threads. That time never
 * goes back: what has expired by it is forgotten, and what could have
 * expired by it is refused, so the two cannot part. A clock that is set back further begins a new epoch instead of a
 * long wait.
 */
export class MemoryEpoch {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #now: Clock;
  readonly #seed: string;
  #nonce: { readonly number: number; readonly text: string } | undefined;

  /** @param words `EPOCH_WORDS`, which `begin` has written @param seed unguessable, the same in all threads */
  constructor(words: Int32Array<ArrayBufferLike>, seed: string, now: Clock) {
    this.#words = words;
    this.#seed = seed;
    this.#now = now;
  }

  static begin(words: Int32Array<ArrayBufferLike>, sinceSecond: number, windowSeconds: number): void {
    words[SINCE] = sinceSecond;
    words[WINDOW] = Math.ceil(windowSeconds);
  }

  /** Whole seconds; in every thread at least what it was in any thread before. */
  time(): number {
    const read = Math.floor(this.#now());
    for (;;) {
      const latest = Atomics.load(this.#words, TIME);
      if (read === latest) return read;
      if (read < latest) {
        if (latest - read <= STEP_SECONDS) return latest;
        this.#renew(latest, { time: read });
        return Atomics.load(this.#words, TIME);
      }
      if (Atomics.compareExchange(this.#words, TIME, latest, read) === latest) return read;
    }
  }

  get since(): number {
    return Atomics.load(this.#words, SINCE);
  }

  get windowSeconds(): number {
    return Atomics.load(this.#words, WINDOW);
  }

  /** See `ReplayStore.cover`. */
  cover(windowSeconds: number): void {
    if (windowSeconds > this.windowSeconds)
      this.#renew(this.time(), { windowSeconds: Math.ceil(windowSeconds) });
  }

  /** Whether its claim may have been forgotten by now, or was never made here. */
  mayHaveForgotten(proof: ProofTime, time: number): boolean {
    return (
      proof.madeAt + this.windowSeconds < time ||
      predates(proof, Atomics.load(this.#words, SINCE), this.nonce())
    );
  }

  nonce(): string {
    const number = Atomics.load(this.#words, NUMBER);
    if (this.#nonce?.number !== number)
      this.#nonce = { number, text: hash('sha256', `${this.#seed} ${number}`, 'base64url').slice(0, 22) };
    return this.#nonce.text;
  }

  /** @param latest the time until which claims were made */
  #renew(latest: number, change: { readonly time?: number; readonly windowSeconds?: number }): void {
    const words = this.#words;
    lock(words, LOCK);
    const { time, windowSeconds } = change;
    // Another thread may have done it already.
    if (time === undefined ? windowSeconds! > words[WINDOW]! : words[TIME] === latest) {
      Atomics.add(words, NUMBER, 1); // first: a nonce of the epoch before is worth nothing from here on
      Atomics.store(words, SINCE, Math.max(words[SINCE]!, secondAfter(latest)));
      if (time !== undefined) Atomics.store(words, TIME, time);
      if (windowSeconds !== undefined) Atomics.store(words, WINDOW, windowSeconds);
    }
    unlock(words, LOCK);
  }
}
