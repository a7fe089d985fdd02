/**
 * The attack: what reads the gateway's standard error goes away, as a log collector does that is restarted or
 * killed, and then something happens that the gateway has to say. `process.stderr` throws EPIPE then, and
 * nobody catches it: one line ended the process, and with it every open stream.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGatewayProcess, type GatewayProcess } from '../../../test/e2e/support/gateway-process.js';
import { request } from '../support/gateway.js';
import { oneRoute } from '../support/one-route.js';

const WAIT_MS = 5_000;
const dir = mkdtempSync(join(tmpdir(), 'agw-stderr-'));
afterAll(() => rmSync(dir, { recursive: true }));

async function linesLost({ adminPort }: GatewayProcess): Promise<number> {
  const { text } = await request(adminPort, { path: '/metrics' });
  return Number(/^agentgateway_event_lines_lost_total (\d+)$/m.exec(text)![1]);
}

/** A config that is no good is said on standard error. */
function makeItSpeak(gateway: GatewayProcess): void {
  gateway.rewrite('no config');
  gateway.child.kill('SIGHUP');
}

it.each([1, 2])('loses and counts the line, and nothing else, with %d workers', async (workers) => {
  const gateway = await startGatewayProcess(oneRoute(dir, { workers }), { dir, name: `gone-${workers}` });
  try {
    expect(await linesLost(gateway)).toBe(0);
    gateway.child.stderr!.destroy();
    makeItSpeak(gateway);
    const until = performance.now() + WAIT_MS;
    while ((await linesLost(gateway)) === 0 && performance.now() < until) await sleep(20);
    expect(await linesLost(gateway)).toBeGreaterThan(0);
    expect((await request(gateway.port, { method: 'POST', path: '/mcp' })).status).toBe(401);
    expect(gateway.child.exitCode).toBeNull();
  } finally {
    expect(await gateway.stop()).toBe(0);
  }
});
