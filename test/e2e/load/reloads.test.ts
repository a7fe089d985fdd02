/** Configs and key sets that change under load: no request notices. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../../../proxy/test/support/gateway.js';
import { rsa, type Pair } from '../../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { failures, startLoad } from '../support/load.js';
import { machineSlowness } from '../support/machine-slowness.js';
import { openScene, type Scene } from '../support/scene.js';
import { Volume } from '../support/volume.js';

const SLOWNESS = machineSlowness();
const PER_SECOND = Math.round(500 / SLOWNESS);
const RELOADS = 1_000;
const ROTATIONS = 200;
const PERIOD_MS = Math.round(50 * SLOWNESS);
/** A process compiles its code with its first requests, which wait longer than a period. */
const WARM_MS = 1_500;

let scene: Scene;
let gateway: GatewayProcess;
beforeEach(async () => {
  scene = await openScene();
});
afterEach(async () => {
  await gateway.stop();
  scene.stop();
});
const metric = async (line: string) =>
  Number(
    (await request(gateway.adminPort, { path: '/metrics' })).text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );
const reached = async (line: string, count: number) => {
  for (let i = 0; i < 400 && (await metric(line)) < count; i++) await sleep(5);
  expect(await metric(line)).toBe(count);
};

it(`${RELOADS} reloads, every tenth config no good, at ${PER_SECOND} requests a second: none fails`, async () => {
  const dir = join(scene.dir, 'config');
  const volume = new Volume(dir, { 'gateway.json': '{}' });
  gateway = await startGatewayProcess(scene.config, { dir, name: 'gateway' });
  const config = {
    ...scene.config,
    listen: { host: '127.0.0.1', port: gateway.port },
    admin: { host: '127.0.0.1', port: gateway.adminPort },
  };
  const load = startLoad({ port: gateway.port, perSecond: PER_SECOND, make: () => scene.ask() });
  for (let n = 1; n <= RELOADS; n++) {
    const bad = n % 10 === 0;
    // another name: another pool, other buckets
    const pool = { ...config.routes[0]!, name: n % 2 === 0 ? 'even' : 'odd' };
    volume.swap({
      'gateway.json': bad
        ? '{"version":'
        : JSON.stringify({ ...config, routes: [pool], upstream: { maxSockets: 100 + n } }),
    });
    gateway.child.kill('SIGHUP');
    await reached(
      `agentgateway_reloads_total{what="config",result="${bad ? 'refused' : 'ok'}"}`,
      bad ? n / 10 : n - Math.floor(n / 10),
    );
  }
  const sent = await load.stop();
  expect(failures(sent)).toEqual([]);
  process.stderr.write(`reloads: ${RELOADS}, ${sent.length} requests, 0 failed\n`);
}, 180_000);

describe(`${ROTATIONS} rotations of the issuer's keys at ${PER_SECOND} requests a second`, () => {
  const pairs: readonly Pair[] = Array.from({ length: 6 }, () => rsa());
  const keyAt = (n: number): readonly [Pair, string] => [pairs[n % pairs.length]!, `k${n}`];
  /** Key n signs; the one before it stays for a period, and `ahead` keys are published before they sign. */
  async function rotate(ahead: number, publish: (jwks: string) => Promise<void>): Promise<void> {
    const setAt = (n: number) =>
      scene.jwksOf(...Array.from({ length: ahead + 2 }, (_, i) => keyAt(n - 1 + i)));
    let n = 1;
    await publish(setAt(n));
    const load = startLoad({ port: gateway.port, perSecond: PER_SECOND, make: () => scene.ask(keyAt(n)) });
    await sleep(WARM_MS);
    for (; n < ROTATIONS; n++) {
      await sleep(PERIOD_MS);
      await publish(setAt(n + 1));
    }
    const sent = await load.stop();
    expect(failures(sent)).toEqual([]);
    expect(sent.length).toBeGreaterThan((((ROTATIONS * PERIOD_MS) / 1000) * PER_SECOND) / 2); // the load was one
    process.stderr.write(`JWKS rotations: ${ROTATIONS}, ${sent.length} requests, 0 refused\n`);
  }

  it('in a file that kubelet swaps: none is refused', async () => {
    const dir = join(scene.dir, 'jwks');
    const volume = new Volume(dir, { 'jwks.json': scene.jwksOf([scene.as, 'as-1']) });
    gateway = await startGatewayProcess(
      {
        ...scene.config,
        issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
      },
      { dir: scene.dir, name: 'gateway' },
    );
    let published = await metric('agentgateway_reloads_total{what="jwks",result="ok"}');
    await rotate(1, async (jwks) => {
      volume.swap({ 'jwks.json': jwks });
      gateway.child.kill('SIGHUP');
      await reached('agentgateway_reloads_total{what="jwks",result="ok"}', ++published);
    });
  }, 180_000);

  it('at a URL, fetched again for an unknown key: none is refused, and nothing is fetched in vain', async () => {
    const ahead = 40; // its keys sign two seconds later: more than the cooldown
    let jwks = '';
    let fetched = 0;
    const server = http.createServer((_, response) => {
      fetched += 1;
      response.end(jwks);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      jwks = scene.jwksOf(...Array.from({ length: ahead + 2 }, (_, i) => keyAt(i)));
      gateway = await startGatewayProcess(
        {
          ...scene.config,
          issuers: [
            {
              name: 'as',
              issuer: 'https://as.example',
              jwks: {
                url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
                cooldownSeconds: 1,
              },
            },
          ],
        },
        { dir: scene.dir, name: 'gateway' },
      );
      await rotate(ahead, async (next) => {
        jwks = next;
      });
      expect(fetched).toBeGreaterThanOrEqual(ROTATIONS / ahead - 1);
      expect(fetched).toBeLessThanOrEqual((2 * ROTATIONS) / ahead);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }, 120_000);
});
