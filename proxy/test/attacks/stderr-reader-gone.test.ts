/**
 * The attack: what reads the gateway's standard error goes away, as a log collector does that is restarted or
 * killed, and then something happens that the gateway has to say. `process.stderr` throws EPIPE then, and
 * nobody catches it: one line ended the process, and with it every open stream.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config/index.js';
import { startGatewayProcess, type GatewayProcess } from '../../../test/e2e/support/gateway-process.js';
import { ORIGIN, request } from '../support/gateway.js';
import { jwkOf, rsa } from '../support/mint.js';

const WAIT_MS = 5_000;
const dir = mkdtempSync(join(tmpdir(), 'agw-stderr-'));
afterAll(() => rmSync(dir, { recursive: true }));
beforeAll(() =>
  writeFileSync(
    join(dir, 'jwks.json'),
    JSON.stringify({ keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
  ),
);

const configOf = (workers: number): ConfigInput => ({
  version: 1,
  publicOrigins: [ORIGIN],
  workers,
  issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
  replay: { store: 'memory' },
  routes: [
    {
      kind: 'mcp',
      name: 'mcp',
      pathPrefix: '/mcp',
      auth: { profile: 'dpop', issuers: ['as'] },
      backend: { url: 'http://127.0.0.1:9' },
    },
  ],
  audit: { file: join(dir, 'audit.jsonl') },
  drainSeconds: 1,
});

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
  const gateway = await startGatewayProcess(configOf(workers), { dir, name: `gone-${workers}` });
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
