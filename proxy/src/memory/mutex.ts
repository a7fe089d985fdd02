/**
 * States of a word: nobody has it; somebody has it; and somebody waits for it (Drepper, "Futexes are tricky",
 * mutex 2).
 */
const FREE = 0;
const TAKEN = 1;
const WANTED = 2;

/**
 * Takes the lock in `words[at]`, waiting for whichever thread has it. For a few hundred instructions that
 * neither throw nor call anybody: a thread that ended with a lock taken would stop all the others. Not
 * reentrant. A thread that is alone never waits, so the words need not be shared then.
 */
export function lock(words: Int32Array<ArrayBufferLike>, at: number): void {
  if (Atomics.compareExchange(words, at, FREE, TAKEN) === FREE) return;
  while (Atomics.exchange(words, at, WANTED) !== FREE) Atomics.wait(words, at, WANTED);
}

export function unlock(words: Int32Array<ArrayBufferLike>, at: number): void {
  if (Atomics.exchange(words, at, FREE) === WANTED) Atomics.notify(words, at, 1);
}
