/**
 * A day of the gateway's clock in SOAK_MINUTES (20) of ours: proofs, tokens and keys come and expire, configs
 * change, streams open and end, clients replay and break off. What it holds after each part of the day, when
 * nothing is under way, does not grow.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { ORIGIN, request, type Ask } from '../../../proxy/test/support/gateway.js';
import { accessToken, proof, rsa, thumbprint, type Pair } from '../../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startLoad, type Sent } from '../support/load.js';
import { machineSlowness } from '../support/machine-slowness.js';
import { openScene, type Scene } from '../support/scene.js';
import { Volume } from '../support/volume.js';

const MINUTES = Number(process.env.SOAK_MINUTES ?? 20);
const PARTS = 8;
/**
 * The first parts fill caches, compile, and let the heap and the allocator find their size, at a higher rate
 * than ever comes again. The lowest of the next three and of the last three are compared: what is there once in
 * a while does not grow.
 */
const WARM = 2;
const WARM_TIMES = 4;
const SOME = 3;
const FASTER = (24 * 60) / MINUTES;
const PER_SECOND = Math.round(150 / machineSlowness());
const RELOAD_MS = 500;
const STREAMS = 20;
const QUIET_MS = 6_000;
/**
 * The heap and what hangs from it (buffers: `external`) are exact after a collection. Of resident memory an
 * allocator's arena is no leak: it grows by a few megabytes at once, and then not for a long time.
 */
const LIMITS = { heapMb: 1, externalMb: 0.25, rssMb: Math.max(4, MINUTES / 2) };

interface Held {
  readonly heapMb: number;
  readonly externalMb: number;
  readonly rssMb: number;
  readonly descriptors: number;
  readonly active: readonly string[];
  readonly claims: number;
}

const beganMs = Date.now();
/** Seconds since the epoch, by the gateway's clock. */
const now = () => (beganMs + (Date.now() - beganMs) * FASTER) / 1000;

it(
  `a day in ${MINUTES} minutes leaves nothing behind`,
  async () => {
    expect(FASTER).toBeGreaterThanOrEqual(1);
    const scene: Scene = await openScene();
    const { client } = scene;
    const streams = http.createServer((message, response) => {
      message.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write('data: tick\n\n'), 50);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => streams.listen(0, '127.0.0.1', resolve));
    const keys = Array.from({ length: 4 }, () => rsa());
    let turn = 0;
    const keyAt = (n: number): readonly [Pair, string] => [keys[n % keys.length]!, `k${n % keys.length}`];
    const jwksDir = join(scene.dir, 'jwks');
    const jwks = new Volume(jwksDir, { 'jwks.json': scene.jwksOf(keyAt(0), keyAt(1)) });
    const auth = { profile: 'dpop' as const, issuers: ['as'], proofMaxAgeSeconds: 3600 };
    const configOf = (n: number): ConfigInput => ({
      ...scene.config,
      issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(jwksDir, 'jwks.json') } }],
      routes: [
        { ...scene.config.routes[0]!, auth },
        {
          kind: 'mcp',
          name: n % 2 === 0 ? 'even' : 'odd',
          pathPrefix: '/streams',
          auth,
          backend: { url: `http://127.0.0.1:${(streams.address() as { port: number }).port}` },
        },
      ],
    });
    const configDir = join(scene.dir, 'config');
    mkdirSync(configDir);
    const gateway: GatewayProcess = await startGatewayProcess(configOf(0), {
      dir: configDir,
      name: 'gateway',
      flags: [
        '--expose-gc',
        '--max-semi-space-size=8',
        '--import',
        join(import.meta.dirname, 'fast-clock.mjs'),
      ],
      env: { SOAK_FASTER: String(FASTER), SOAK_BEGAN_MS: String(beganMs) },
    });
    const { child, port, adminPort } = gateway;
    try {
      const signed = (path: string, method: string): Ask => {
        const at = Math.floor(now());
        const [pair, kid] = keyAt(turn);
        const token = accessToken(
          pair,
          { cnf: { jkt: thumbprint(client) }, aud: ORIGIN + path, iat: at, exp: at + 7200 },
          { kid },
        );
        return {
          method,
          path,
          headers: {
            authorization: `DPoP ${token}`,
            dpop: proof(client, method, ORIGIN + path, token, { claims: { iat: at } }),
          },
        };
      };
      /** Requests that were sent more than once, and as which ones: either may be there first. */
      let again: { readonly ask: Ask; readonly numbers: number[] }[] = [];
      /** Of ten requests two are no good: one that was sent a moment ago, and one without a proof. */
      const make = (number: number): Ask => {
        if (number % 10 === 3 && again.length > 0) {
          again.at(-1)!.numbers.push(number);
          return again.at(-1)!.ask;
        }
        const made = signed('/mcp', 'POST');
        if (number % 10 === 2) again.push({ ask: made, numbers: [number] });
        return number % 10 === 7
          ? { ...made, headers: { ...(made.headers as Record<string, string>), dpop: 'no proof' } }
          : made;
      };
      const held = async (): Promise<Held> => {
        for (let i = 0; i < 40; i++) await request(adminPort, { path: '/metrics' }); // each tidies a part of the store
        const metrics = (await request(adminPort, { path: '/metrics' })).text;
        const { heapUsed, external, active } = await new Promise<{
          heapUsed: number;
          external: number;
          active: string[];
        }>((resolve) => {
          child.once('message', resolve as (message: unknown) => void);
          child.send('say');
        });
        return {
          heapMb: heapUsed / 2 ** 20,
          externalMb: external / 2 ** 20,
          rssMb:
            Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024,
          descriptors: readdirSync(`/proc/${child.pid}/fd`).length,
          active: active.filter((name) => name !== 'TCPSocketWrap'),
          claims: Number(/^agentgateway_replay_entries (\d+)/m.exec(metrics)![1]),
        };
      };
      const streamed = new Map<number | undefined, number>();
      let events = 0;
      const oneStream = () =>
        new Promise<void>((resolve) => {
          const out = http.request(
            { host: '127.0.0.1', port, ...(signed('/streams', 'GET') as http.RequestOptions) },
            (answer) => {
              streamed.set(answer.statusCode, (streamed.get(answer.statusCode) ?? 0) + 1);
              answer
                .on('data', () => {
                  events += 1;
                })
                .on('close', resolve)
                .on('error', () => {});
              setTimeout(() => out.destroy(), Math.random() * 2_000);
            },
          );
          out.on('error', () => resolve()).end();
        });

      const samples: Held[] = [];
      let total = 0;
      const partMs = (MINUTES * 60_000) / PARTS - QUIET_MS;
      for (let part = 0; part < PARTS; part++) {
        const until = performance.now() + partMs;
        again = [];
        const load = startLoad({ port, perSecond: part < WARM ? WARM_TIMES * PER_SECOND : PER_SECOND, make });
        const viewers = Array.from({ length: STREAMS }, async () => {
          while (performance.now() < until) await oneStream();
        });
        while (performance.now() < until) {
          await sleep(RELOAD_MS);
          jwks.swap({ 'jwks.json': scene.jwksOf(keyAt(turn + 1), keyAt(turn), keyAt(turn + 2)) });
          gateway.rewrite(turn % 5 === 4 ? '{"version":' : configOf(turn));
          child.kill('SIGHUP');
          await sleep(RELOAD_MS);
          turn += 1;
        }
        const sent: readonly Sent[] = await load.stop();
        await Promise.all(viewers);
        total += sent.length;
        const got = new Map(sent.map(({ number, status, error }) => [number, error ?? status]));
        const repeated = new Set(again.flatMap(({ numbers }) => numbers));
        expect([
          ...new Set(
            [...got].filter(([number]) => number % 10 !== 7 && !repeated.has(number)).map(([, what]) => what),
          ),
        ]).toEqual([200]);
        expect([
          ...new Set([...got].filter(([number]) => number % 10 === 7).map(([, what]) => what)),
        ]).toEqual([401]);
        for (const { numbers } of again)
          expect(numbers.map((number) => got.get(number)).sort()).toEqual([
            200,
            ...Array(numbers.length - 1).fill(401),
          ]);
        await sleep(QUIET_MS);
        samples.push(await held());
      }
      const said = samples.map(
        ({ heapMb, externalMb, rssMb, descriptors, active, claims }) =>
          `${heapMb.toFixed(2)} MB heap, ${externalMb.toFixed(2)} MB external, ${rssMb.toFixed(1)} MB ` +
          `resident, ${descriptors} descriptors, ${active.length} active, ${claims} claims`,
      );
      expect([...streamed.keys()]).toEqual([200]);
      expect(events).toBeGreaterThan(streamed.get(200)!);
      process.stderr.write(
        `soak: ${total} requests and ${streamed.get(200)} streams in ${MINUTES} minutes, a day of its ` +
          `clock\n${said.map((line) => `  ${line}\n`).join('')}`,
      );
      const [first, last] = [samples.slice(WARM, WARM + SOME), samples.slice(-SOME)];
      for (const [of, limit] of Object.entries(LIMITS) as [keyof typeof LIMITS, number][]) {
        const growth =
          Math.min(...last.map((sample) => sample[of])) - Math.min(...first.map((sample) => sample[of]));
        expect({ of, growth, withinLimit: growth < limit }).toEqual({ of, growth, withinLimit: true });
      }
      const { descriptors, active } = samples[WARM]!;
      for (const sample of samples.slice(WARM))
        expect([sample.descriptors, sample.active]).toEqual([descriptors, active]);
      // As many as a proof's hour has, whatever the day.
      expect(Math.max(...last.map(({ claims }) => claims))).toBeLessThanOrEqual(
        1.2 * Math.max(...first.map(({ claims }) => claims)) + PER_SECOND,
      );
    } finally {
      await gateway.stop();
      streams.closeAllConnections();
      streams.close();
      scene.stop();
    }
  },
  (MINUTES + 3) * 60_000,
);
