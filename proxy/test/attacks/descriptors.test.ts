/**
 * The attack: more connections than the process has descriptors, with nothing in them. Each costs its sender
 * one packet. Without a bound of its own the process runs into EMFILE: the kernel refuses every descriptor, so
 * probes and metrics go unanswered as well, kubelet restarts the pod, and nothing says why.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGatewayProcess } from '../../../test/e2e/support/gateway-process.js';
import { request } from '../support/gateway.js';
import { oneRoute } from '../support/one-route.js';

const DESCRIPTORS = 256;
const CONNECTIONS = 400;
const dir = mkdtempSync(join(tmpdir(), 'agw-descriptors-'));
afterAll(() => rmSync(dir, { recursive: true }));

it.each([1, 2])('answers on the admin port, and counts what it refuses, with %d workers', async (workers) => {
  const gateway = await startGatewayProcess(oneRoute(dir, { workers }), {
    dir,
    name: `descriptors-${workers}`,
    descriptors: DESCRIPTORS,
  });
  const sockets: net.Socket[] = [];
  try {
    expect(gateway.said()).toMatch(
      /"event":"cannot_hold".*limits\.maxConnections: .* \d+ of 256 descriptors/,
    );
    for (let i = 0; i < CONNECTIONS; i++)
      sockets.push(net.connect(gateway.port, '127.0.0.1').on('error', () => {}));
    await sleep(500);
    for (const path of ['/livez', '/readyz', '/metrics'])
      expect([path, (await request(gateway.adminPort, { path })).status]).toEqual([path, 200]);
    const { text } = await request(gateway.adminPort, { path: '/metrics' });
    const refused = /^agentgateway_connections_refused_total\{cause="total"\} (\d+)$/m.exec(text)?.[1];
    expect(Number(refused)).toBeGreaterThanOrEqual(CONNECTIONS - DESCRIPTORS);
    for (const socket of sockets) socket.destroy();
    await sleep(200);
    expect((await request(gateway.port, { method: 'POST', path: '/mcp' })).status).toBe(401);
  } finally {
    for (const socket of sockets) socket.destroy();
    expect(await gateway.stop()).toBe(0);
  }
});
