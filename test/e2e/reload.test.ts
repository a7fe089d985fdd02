/** The process and its config file, as kubelet swaps it: a `..data` symlink to another directory. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { ORIGIN, request } from '../../proxy/test/support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';
import { Volume } from './support/volume.js';
import { until } from '../../proxy/test/support/until.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-reload-'));
const as = rsa();
const client = ec();
let backend: http.Server;
let gateway: GatewayProcess;
let config: ConfigInput;
let volume: Volume;

const swap = (text: string) => volume.swap({ 'gateway.json': text });
const ask = (path: string) => {
  const token = accessToken(as, { cnf: { jkt: thumbprint(client) } });
  return request(gateway.port, {
    method: 'POST',
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
  });
};
const said = (event: string) =>
  gateway
    .said()
    .split('\n')
    .filter((line) => line.includes(`"event":"${event}"`));

beforeAll(async () => {
  backend = http.createServer((message, response) => message.resume().on('end', () => response.end('{}')));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  writeFileSync(
    join(dir, 'jwks.json'),
    JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
  );
  config = {
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
    replay: { store: 'memory', epochMarginSeconds: 0 },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        backend: { url: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` },
      },
    ],
    audit: { file: join(dir, 'audit.jsonl') },
    drainSeconds: 1,
  };
  volume = new Volume(join(dir, 'config'), { 'gateway.json': '{}' });
  gateway = await startGatewayProcess(config, { dir: join(dir, 'config'), name: 'gateway' });
  config = {
    ...config,
    listen: { host: '127.0.0.1', port: gateway.port },
    admin: { host: '127.0.0.1', port: gateway.adminPort },
  };
}, 20_000);
afterAll(async () => {
  expect(await gateway.stop()).toBe(0);
  backend.closeAllConnections();
  backend.close();
  rmSync(dir, { recursive: true });
});

it('takes a swapped config within seconds, without a restart', async () => {
  swap(
    JSON.stringify({
      ...config,
      routes: [...config.routes, { ...config.routes[0]!, name: 'second', pathPrefix: '/second' }],
    }),
  );
  await until(() => said('reloaded').length === 1);
  expect((await ask('/second')).status).toBe(200);
});
it('keeps the one before where the new one is no good, says why, counts it, and takes the next good one', async () => {
  swap(JSON.stringify({ ...config, routes: [{ ...config.routes[0]!, pathPrefx: '/typo' }] }));
  gateway.child.kill('SIGHUP');
  await until(() => said('reload_refused').length === 1);
  expect(said('reload_refused')[0]).toContain('did you mean \\"pathPrefix\\"?');
  expect((await ask('/second')).status).toBe(200);
  expect((await request(gateway.adminPort, { path: '/metrics' })).text).toContain(
    'agentgateway_reloads_total{what="config",result="refused"} 1',
  );
  expect((await request(gateway.adminPort, { path: '/readyz' })).status).toBe(200);
  swap(JSON.stringify(config));
  gateway.child.kill('SIGHUP');
  await until(() => said('reloaded').length === 2);
  expect((await ask('/second')).status).toBe(404);
  expect((await ask('/mcp')).status).toBe(200);
});
