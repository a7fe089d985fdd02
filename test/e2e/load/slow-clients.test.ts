/**
 * slowhttptest, with many connections that never finish what they began: each is closed in time, and nobody
 * else notices.
 */
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { failures, startLoad, type Sent } from '../support/load.js';
import { machineSlowness } from '../support/machine-slowness.js';
import { openScene, type Scene } from '../support/scene.js';

const CONNECTIONS = 5_000;
const PER_SECOND = 100;
/**
 * What attack, load and gateway on the same two cores may add to a latency of a few milliseconds; a blocked
 * event loop adds more.
 */
const NOISE_MS = 50;
const SLOWNESS = machineSlowness();
const CLOSED_WITHIN_MS = 15_000 * SLOWNESS;
const path = programOf('slowhttptest');
needs('slow clients', path === undefined ? ['slowhttptest'] : []);

(path === undefined ? describe.skip : describe)('slow clients', () => {
  let scene: Scene;
  let gateway: GatewayProcess;
  beforeAll(async () => {
    scene = await openScene({ limits: { maxConnectionsPerAddress: 2 * CONNECTIONS } });
    gateway = await startGatewayProcess(scene.config, { dir: scene.dir, name: 'gateway' });
  });
  afterAll(async () => {
    await gateway.stop();
    scene.stop();
  });
  const p99 = (sent: readonly Sent[]) =>
    sent.map(({ at, until }) => until - at).sort((a, b) => a - b)[Math.floor(sent.length * 0.99)]!;

  it.each([
    ['slow headers', ['-H']],
    ['slow bodies', ['-B', '-s', '100000']],
  ])(
    `${CONNECTIONS} with %s: all closed in time, no request of others fails or waits`,
    async (_, mode) => {
      const before = startLoad({ port: gateway.port, perSecond: PER_SECOND, make: () => scene.ask() });
      await sleep(4_000);
      const usual = await before.stop();
      const began = performance.now();
      const load = startLoad({ port: gateway.port, perSecond: PER_SECOND, make: () => scene.ask() });
      const attack = spawn(
        path!,
        [
          ...mode,
          '-c',
          String(CONNECTIONS),
          '-r',
          '1000',
          '-i',
          '2',
          '-l',
          '40',
          '-p',
          '5',
          '-u',
          `http://127.0.0.1:${gateway.port}/mcp`,
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      let said = '';
      attack.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      await new Promise((resolve) => attack.once('exit', resolve));
      const tookMs = performance.now() - began;
      const sent = await load.stop();
      expect(said).toMatch(/No open connections left/); // ended by us, not by its own clock
      expect(said).not.toMatch(/service available:\W+NO/);
      expect(tookMs).toBeLessThan(CLOSED_WITHIN_MS + (CONNECTIONS / 1000) * 1000 * SLOWNESS);
      expect(failures([...usual, ...sent])).toEqual([]);
      expect(p99(sent)).toBeLessThan(Math.max(2 * p99(usual), p99(usual) + NOISE_MS * SLOWNESS));
      process.stderr.write(
        `${CONNECTIONS} ${mode[0]}: closed after ${Math.round(tookMs)} ms; p99 of others ` +
          `${p99(sent).toFixed(1)} ms, before ${p99(usual).toFixed(1)} ms\n`,
      );
    },
    90_000,
  );
});
