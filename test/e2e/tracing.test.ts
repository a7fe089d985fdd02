/**
 * The shipped bundle traces with the shipped chunk of OpenTelemetry's library, and a gateway without tracing
 * never loads it.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { request } from '../../proxy/test/support/gateway.js';
import { startCollector } from '../../proxy/test/support/collector.js';
import { oneRoute } from '../../proxy/test/support/one-route.js';
import { assets, startGatewayProcess } from './support/gateway-process.js';

const CHUNK = 'vendor-opentelemetry.mjs';
const dir = mkdtempSync(join(tmpdir(), 'agw-tracing-'));
afterAll(() => rmSync(dir, { recursive: true }));

const config = (tracing?: ConfigInput['tracing']): ConfigInput =>
  oneRoute(dir, tracing === undefined ? {} : { tracing });

it('sends at SIGTERM what has not been sent', async () => {
  const collector = await startCollector();
  try {
    const gateway = await startGatewayProcess(config({ url: collector.url, exportIntervalSeconds: 60 }), {
      dir,
      name: 'traced',
    });
    expect((await request(gateway.port, { method: 'POST', path: '/mcp' })).status).toBe(401);
    expect(await gateway.stop()).toBe(0);
    expect(collector.spans).toMatchObject([
      { name: 'POST /mcp', attributes: { 'agentgateway.reason': 'credentials_missing' } },
    ]);
    expect(collector.received[0]!.headers['user-agent']).toMatch(/^OTel-OTLP-Exporter-JavaScript\//);
  } finally {
    await collector.stop();
  }
}, 20_000);
it('needs no chunk where nothing is traced', async () => {
  const code = join(dir, 'code');
  mkdirSync(code);
  for (const name of readdirSync(assets).filter((file) => file.endsWith('.mjs') && file !== CHUNK))
    copyFileSync(join(assets, name), join(code, name));
  const gateway = await startGatewayProcess(config(), { dir, name: 'untraced', code });
  expect((await request(gateway.port, { method: 'POST', path: '/mcp' })).status).toBe(401);
  expect(await gateway.stop()).toBe(0);
}, 20_000);
