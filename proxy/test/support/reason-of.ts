import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, GatewayFixture } from './gateway.js';

/** The machine may be busy. */
const MOST_MS = 15_000;

/** What the audit record of this answer says; waits for its line, and for no other. */
export async function reasonOf({ dir }: GatewayFixture, { headers }: Answer): Promise<string> {
  const id = `"request.id":"${String(headers['x-request-id'])}"`;
  for (let waited = 0; waited < MOST_MS; waited += 5) {
    // Behind the last end of a line nothing is whole yet.
    const whole = readFileSync(join(dir, 'audit.jsonl'), 'utf8').split('\n').slice(0, -1);
    const line = whole.findLast((text) => text.includes(id));
    if (line !== undefined) return (JSON.parse(line) as { reason: string }).reason;
    await sleep(5);
  }
  throw new Error(`no audit record with ${id}`);
}
