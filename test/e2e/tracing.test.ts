/**
 * The shipped bundle traces with the shipped chunk of OpenTelemetry's library, and a gateway without tracing
 * never loads it.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { ORIGIN, request } from '../../proxy/test/support/gateway.js';
import { startCollector } from '../../proxy/test/support/collector.js';
import { jwkOf, rsa } from '../../proxy/test/support/mint.js';
import { assets, startGatewayProcess } from './support/gateway-process.js';

const CHUNK = 'vendor-opentelemetry.mjs';
const dir = mkdtempSync(join(tmpdir(), 'agw-tracing-'));
afterAll(() => rmSync(dir, { recursive: true }));

const config = (tracing?: ConfigInput['tracing']): ConfigInput => ({
  version: 1,
  publicOrigins: [ORIGIN],
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
  ...(tracing === undefined ? {} : { tracing }),
});
beforeAll(() =>
  writeFileSync(
    join(dir, 'jwks.json'),
    JSON.stringify({ keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
  ),
);

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
