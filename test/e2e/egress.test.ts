/**
 * The shipped bundle behind a real forward proxy, tinyproxy, which wants a password: key sets are fetched, and traces
 * sent, through it and not beside it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { startCollector, type Collector } from '../../proxy/test/support/collector.js';
import { freePort, ORIGIN, request } from '../../proxy/test/support/gateway.js';
import { makeCertificate } from '../../proxy/test/support/http2.js';
import { jwkOf, rsa } from '../../proxy/test/support/mint.js';
import { Daemon, needs, programOf } from './support/daemon.js';
import { startGatewayProcess } from './support/gateway-process.js';

const tinyproxy = programOf('tinyproxy');
const missing = tinyproxy === undefined ? ['tinyproxy'] : [];
needs('an egress proxy', missing);
(missing.length === 0 ? describe : describe.skip)('a gateway behind tinyproxy', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-egress-'));
  const file = (name: string) => join(dir, name);
  const certificate = makeCertificate(dir, 'issuer');
  const keys = JSON.stringify({ keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' }] });
  const issuer = https.createServer(
    { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) },
    (_, response) => response.end(keys),
  );
  let collector: Collector;
  let daemon: Daemon;
  let proxyPort: number;
  let issuerPort: number;

  const config = (): ConfigInput => ({
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [
      {
        name: 'as',
        issuer: 'https://as.example',
        jwks: {
          url: `https://127.0.0.1:${issuerPort}/jwks`,
          caFile: certificate.certFile,
          cooldownSeconds: 1,
          refreshSeconds: 30,
        },
      },
    ],
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
    tracing: { url: collector.url, exportIntervalSeconds: 0.1 },
    egressProxy: { url: `http://127.0.0.1:${proxyPort}`, credentials: { file: file('credentials') } },
    drainSeconds: 1,
  });
  const log = () => readFileSync(file('tinyproxy.log'), 'utf8');

  beforeAll(async () => {
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    issuerPort = (issuer.address() as AddressInfo).port;
    collector = await startCollector();
    proxyPort = await freePort();
    writeFileSync(
      file('tinyproxy.conf'),
      [
        `Port ${proxyPort}`,
        'Listen 127.0.0.1',
        'Allow 127.0.0.1',
        'MaxClients 20',
        'BasicAuth gateway secret',
        `LogFile "${file('tinyproxy.log')}"`,
        'LogLevel Connect',
      ].join('\n'),
    );
    daemon = new Daemon(tinyproxy!, ['-d', '-c', file('tinyproxy.conf')]);
    for (let i = 0; i < 100; i++) {
      if ((await request(proxyPort, { path: '/' }).catch(() => undefined)) !== undefined) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, 20_000);
  afterAll(async () => {
    issuer.closeAllConnections();
    issuer.close();
    await collector.stop();
    await daemon.stop();
    rmSync(dir, { recursive: true });
  });

  it('says that the proxy wants other credentials, and is ready once they are right', async () => {
    writeFileSync(file('credentials'), 'gateway:wrong');
    const starting = startGatewayProcess(config(), { dir, name: 'gateway' });
    setTimeout(() => writeFileSync(file('credentials'), 'gateway:secret'), 1_500);
    const gateway = await starting;
    try {
      const refusal =
        /the egress proxy http:\/\/127\.0\.0\.1:\d+: 40[17] to CONNECT 127\.0\.0\.1:\d+: it wants other/;
      expect(gateway.said()).toMatch(refusal);
      expect(gateway.said()).not.toMatch(/wrong|secret/);
      expect(log()).toContain(`CONNECT 127.0.0.1:${issuerPort} HTTP/1.1`);
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
  }, 40_000);
  it('sends its traces through it, too', async () => {
    writeFileSync(file('credentials'), 'gateway:secret');
    const gateway = await startGatewayProcess(config(), { dir, name: 'traced' });
    try {
      expect((await request(gateway.port, { method: 'POST', path: '/mcp' })).status).toBe(401);
      expect(await collector.until(1)).toMatchObject([{ name: 'POST /mcp' }]);
      expect(log()).toContain(`POST ${collector.url} HTTP/1.1`);
      // What is meant for the proxy goes no further.
      expect(collector.received[0]!.headers['proxy-authorization']).toBeUndefined();
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
  }, 40_000);
});
