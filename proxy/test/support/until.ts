import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until it holds; fails when it does not in time, which is plenty on a busy machine. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() >= end) throw new Error(`not so within ${ms} ms: ${String(holds)}`);
    await sleep(10);
  }
}
