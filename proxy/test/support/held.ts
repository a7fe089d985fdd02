import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * Bytes of array buffers in this process: of the gateway, and next to nothing of a backend and a client beside
 * it. What sits in sockets is the kernel's.
 */
export function held(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** A busy machine collects late: what is held for good stays held. */
export async function settlesBelow(bytes: number, start: number): Promise<void> {
  for (let i = 0; i < 20 && held() - start >= bytes; i++) await sleep(50);
  expect(held() - start).toBeLessThan(bytes);
}
