/** Two gateways on one Redis behind a real haproxy that repeats nothing: replacing them in turn costs no request. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasRedis, RedisProcess } from '../../../proxy/test/replay/redis-process.js';
import { freePort, ORIGIN, request } from '../../../proxy/test/support/gateway.js';
import { accessToken, proof, seconds, thumbprint } from '../../../proxy/test/support/mint.js';
import { Daemon, needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { failures, startLoad } from '../support/load.js';
import { machineSlowness } from '../support/machine-slowness.js';
import { openScene, type Scene } from '../support/scene.js';

const RESTARTS = 50;
const SLOWNESS = machineSlowness();
const PER_SECOND = Math.round(500 / SLOWNESS);
const LAME_DUCK_SECONDS = 1;
const DRAIN_SECONDS = 5;
const CHECK_MS = 100;
const STREAMS = 20;
const STREAM_RESTARTS = 4;
const RETRY_MS = 1_000;
const haproxyPath = programOf('haproxy');
const missing = [...(hasRedis() ? [] : ['redis-server']), ...(haproxyPath === undefined ? ['haproxy'] : [])];
needs('rolling restarts', missing);

(missing.length === 0 ? describe : describe.skip)('rolling restarts', () => {
  let scene: Scene;
  let redis: RedisProcess;
  let gateways: GatewayProcess[];
  let haproxy: Daemon;
  let front: number;
  /** Opens an event stream at /sse and never ends it. */
  let events: http.Server;
  const start = (i: number, ports?: GatewayProcess) =>
    startGatewayProcess(
      { ...scene.config, audit: { file: join(scene.dir, `audit-${i}.jsonl`) } },
      { dir: scene.dir, name: `gateway-${i}`, ...(ports === undefined ? {} : { ports }) },
    );

  beforeAll(async () => {
    redis = await RedisProcess.start();
    scene = await openScene({
      replay: { store: 'redis', url: `redis://127.0.0.1:${redis.port}` },
      replicas: 2,
      lameDuckSeconds: LAME_DUCK_SECONDS,
      drainSeconds: DRAIN_SECONDS,
    });
    events = http.createServer((message, response) =>
      message
        .resume()
        .on('end', () =>
          response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: open\n\n'),
        ),
    );
    await new Promise<void>((resolve) => events.listen(0, '127.0.0.1', resolve));
    scene.config.routes.push({
      ...scene.config.routes[0]!,
      name: 'sse',
      pathPrefix: '/sse',
      backend: { url: `http://127.0.0.1:${(events.address() as AddressInfo).port}` },
    } as (typeof scene.config.routes)[number]);
    gateways = [await start(0), await start(1)];
    front = await freePort();
    const file = join(scene.dir, 'haproxy.cfg');
    // retries 0: a proof is spent when it was sent; what fails must be seen to fail.
    writeFileSync(
      file,
      `
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 2s
frontend clients
  bind 127.0.0.1:${front}
  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter ${CHECK_MS}ms fall 1 rise 1
${gateways
  .map(({ port, adminPort }, i) => `  server g${i} 127.0.0.1:${port} check port ${adminPort}`)
  .join('\n')}
`,
    );
    haproxy = new Daemon(haproxyPath!, ['-f', file, '-db']);
    for (
      let i = 0;
      i < 100 && (await request(front, { path: '/healthz' }).catch(() => undefined))?.status !== 200;
      i++
    )
      await sleep(50);
  }, 30_000);
  afterAll(async () => {
    await haproxy.stop();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis.stop();
    events.closeAllConnections();
    events.close();
    scene.stop();
  });

  it(`${RESTARTS} times at ${PER_SECOND} requests a second: none fails, and each ends in time with 0`, async () => {
    const load = startLoad({ port: front, perSecond: PER_SECOND, make: () => scene.ask() });
    const took: number[] = [];
    for (let n = 0; n < RESTARTS; n++) {
      const i = n % 2;
      const began = performance.now();
      expect(await gateways[i]!.stop()).toBe(0);
      took.push(performance.now() - began);
      gateways[i] = await start(i, gateways[i]);
      await sleep(3 * CHECK_MS); // until haproxy has seen it
    }
    const sent = await load.stop();
    expect(failures(sent)).toEqual([]);
    expect(scene.reached()).toBe(sent.length);
    expect(sent.length).toBeGreaterThan((RESTARTS * PER_SECOND) / 2); // the load was one
    expect(Math.max(...took)).toBeLessThan((LAME_DUCK_SECONDS + DRAIN_SECONDS) * 1000);
    process.stderr.write(
      `rolling restarts: ${sent.length} requests, 0 failed; SIGTERM to exit at most ` +
        `${Math.round(Math.max(...took))} ms\n`,
    );
  }, 240_000);

  it(`${STREAMS} event streams over ${STREAM_RESTARTS} restarts: each is told, and finds another`, async () => {
    interface Told {
      readonly status: number | undefined;
      readonly text: string;
      readonly whole: boolean;
    }
    const told: Told[] = [];
    let stopping = false;
    const openNow = new Set<http.ClientRequest>();
    const listen = () =>
      new Promise<Told>((resolve) => {
        const token = accessToken(scene.as, {
          cnf: { jkt: thumbprint(scene.client) },
          aud: `${ORIGIN}/sse`,
          exp: seconds() + 600,
        });
        const headers = {
          authorization: `DPoP ${token}`,
          dpop: proof(scene.client, 'GET', `${ORIGIN}/sse`, token),
        };
        const out = http.get(
          { host: '127.0.0.1', port: front, path: '/sse', headers, agent: false },
          (answer) => {
            let text = '';
            answer.on('data', (chunk: Buffer) => {
              text += chunk.toString();
              if (text.includes('data: open')) openNow.add(out);
            });
            answer
              .on('error', () => {})
              .on('close', () => {
                openNow.delete(out);
                resolve({ status: answer.statusCode, text, whole: answer.complete });
              });
          },
        );
        out.on('error', (cause) => resolve({ status: undefined, text: cause.message, whole: false }));
      });
    const follow = async () => {
      while (!stopping) {
        const end = await listen();
        if (stopping) return;
        told.push(end);
        await sleep(RETRY_MS);
      }
    };
    const allOpen = async () => {
      for (let i = 0; i < 200 && openNow.size < STREAMS; i++) await sleep(25);
      expect(openNow.size).toBe(STREAMS);
    };
    const followers = Array.from({ length: STREAMS }, follow);
    try {
      for (let n = 0; n < STREAM_RESTARTS; n++) {
        await allOpen();
        const i = n % 2;
        const before = told.length;
        const began = performance.now();
        expect(await gateways[i]!.stop()).toBe(0);
        // streams do not hold it up until the drain is over
        expect(performance.now() - began).toBeLessThan((LAME_DUCK_SECONDS + 2) * 1000);
        expect(told.length).toBeGreaterThan(before); // it had some
        gateways[i] = await start(i, gateways[i]);
        await sleep(3 * CHECK_MS);
      }
      await allOpen();
    } finally {
      stopping = true;
      for (const out of openNow) out.destroy();
    }
    await Promise.all(followers);
    const LAST_WORDS = 'data: open\n\n: ended by the gateway: shutdown\nretry: 1000\n';
    expect(told.filter(({ status, text, whole }) => status !== 200 || text !== LAST_WORDS || !whole)).toEqual(
      [],
    );
  }, 60_000);

  it('a second signal ends it at once, open requests or not', async () => {
    const gateway = await startGatewayProcess(
      { ...scene.config, replicas: 1, lameDuckSeconds: 0, drainSeconds: 60 },
      { dir: scene.dir, name: 'impatient' },
    );
    const open = net
      .connect(gateway.port, '127.0.0.1', () => open.write('POST /mcp HTTP/1.1\r\nHost: a\r\n'))
      .on('error', () => {});
    await sleep(100);
    const ended = gateway.stop();
    await sleep(200);
    const began = performance.now();
    gateway.child.kill('SIGTERM');
    expect(await ended).toBe(1);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
