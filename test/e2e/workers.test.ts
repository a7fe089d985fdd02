/**
 * One gateway process with several threads, from the shipped bundle: to its clients and to whoever watches it,
 * it is one gateway.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import type { GatewayStatus } from '../../proxy/src/observe/status.js';
import { ORIGIN, request, type Answer } from '../../proxy/test/support/gateway.js';
import { proof, rsa } from '../../proxy/test/support/mint.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';
import { openScene, type Scene } from './support/scene.js';
import { Volume } from './support/volume.js';
import { until } from '../../proxy/test/support/until.js';

const WORKERS = 3;
const ROUNDS = 20;
const AT_ONCE = 100;
/** So many looks tidy all tables of the store. */
const LOOKS = 16;
const LIMIT = 50;
const HOUR = 3600;

let scene: Scene;
let gateway: GatewayProcess;
let config: ConfigInput;
let volume: Volume;
/** Each on a connection of its own, which the system deals to one of the threads. */
const post = (count: number, path = '/mcp'): Promise<Answer[]> =>
  Promise.all(
    Array.from({ length: count }, () => {
      const { method, headers } = scene.ask();
      const token = (headers as Record<string, string>).authorization!.slice('DPoP '.length);
      return request(gateway.port, {
        method: method!,
        path,
        headers: { authorization: `DPoP ${token}`, dpop: proof(scene.client, 'POST', ORIGIN + path, token) },
      });
    }),
  );
const statuses = (answers: readonly Answer[]) =>
  Object.fromEntries(
    [...new Set(answers.map(({ status }) => status))].map((status) => [
      status,
      answers.filter((a) => a.status === status).length,
    ]),
  );
/** For tokens of /mcp, wherever it is put. */
const routeTo = ({ routes: [mcp] }: ConfigInput) => ({
  ...mcp!,
  auth: { ...mcp!.auth, audiences: [`${ORIGIN}/mcp`] },
});
const metrics = async () => (await request(gateway.adminPort, { path: '/metrics' })).text;
const value = (text: string, line: string) =>
  Number(
    text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1],
  );
const said = (event: string) =>
  gateway
    .said()
    .split('\n')
    .filter((line) => line.includes(`"event":"${event}"`));
const reloadTo = async (next: ConfigInput, event: string) => {
  const before = said(event).length;
  volume.swap({ 'gateway.json': JSON.stringify(next) });
  gateway.child.kill('SIGHUP');
  await until(() => said(event).length > before);
};

beforeAll(async () => {
  scene = await openScene({
    workers: WORKERS,
    limits: { refusalsPerAddress: { maxTokens: 1_000_000, tokensPerSecond: 1_000_000 } },
  });
  const limited = {
    ...routeTo(scene.config),
    name: 'limited',
    pathPrefix: '/limited',
    rateLimit: { maxTokens: LIMIT, tokensPerFill: 1, fillIntervalSeconds: HOUR },
  };
  const dir = join(scene.dir, 'config');
  volume = new Volume(dir, { 'gateway.json': '{}' });
  config = { ...scene.config, routes: [scene.config.routes[0]!, limited] };
  gateway = await startGatewayProcess(config, { dir, name: 'gateway' });
  config = {
    ...config,
    listen: { host: '127.0.0.1', port: gateway.port },
    admin: { host: '127.0.0.1', port: gateway.adminPort },
  };
}, 20_000);
afterAll(() => scene.stop());

it('listens on one port with every thread', () => {
  const hex = gateway.port.toString(16).toUpperCase().padStart(4, '0');
  const listening = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .filter((line) => new RegExp(`^ *\\d+: 0100007F:${hex} 00000000:0000 0A `).test(line));
  expect(listening).toHaveLength(WORKERS);
});

it(`lets the same proof pass once of ${AT_ONCE} times at once; ${ROUNDS} rounds`, async () => {
  const before = scene.reached();
  for (let round = 1; round <= ROUNDS; round++) {
    const { method, headers } = scene.ask();
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, () =>
        request(gateway.port, { method: method!, path: '/mcp', headers: headers! }),
      ),
    );
    expect(statuses(answers)).toEqual({ 200: 1, 401: AT_ONCE - 1 });
    expect(scene.reached()).toBe(before + round);
  }
}, 60_000);

it('counts a caller in one bucket, also after a reload', async () => {
  expect(statuses(await post(2 * LIMIT, '/limited'))).toEqual({ 200: LIMIT, 429: LIMIT });
  await reloadTo({ ...config, upstream: { maxSockets: 100 } }, 'reloaded');
  expect(statuses(await post(10, '/limited'))).toEqual({ 429: 10 });
});

it('reloads all threads, or none', async () => {
  const third = { ...routeTo(config), name: 'third', pathPrefix: '/third' };
  await reloadTo({ ...config, routes: [...config.routes, third] }, 'reloaded');
  expect(statuses(await post(60, '/third'))).toEqual({ 200: 60 });
  await reloadTo({ ...config, workers: WORKERS + 1 }, 'reload_refused');
  expect(said('reload_refused').at(-1)).toContain('workers: must stay as it is');
  expect(statuses(await post(60, '/third'))).toEqual({ 200: 60 });
}, 20_000);

it('adds up what the threads count, tells once what they share, and writes every audit line whole', async () => {
  // Claims that were given back (429 above) are counted until their table is tidied: each look tidies some.
  for (let look = 0; look < LOOKS; look++) await metrics();
  const before = await metrics();
  expect(statuses(await post(200))).toEqual({ 200: 200 });
  const after = await metrics();
  const ok = 'agentgateway_request_duration_seconds_count{route="mcp",status="200"}';
  expect(value(after, ok) - value(before, ok)).toBe(200);
  expect(value(after, 'agentgateway_replay_entries') - value(before, 'agentgateway_replay_entries')).toBe(
    200,
  );
  const status = JSON.parse((await request(gateway.adminPort, { path: '/status' })).text) as GatewayStatus;
  expect(status).toMatchObject({ ready: true, workers: WORKERS });
  const answered = Object.fromEntries(status.routes.map((route) => [route.name, route.answered]));
  expect(answered).toMatchObject({ mcp: value(after, ok), limited: LIMIT });
  const refused = Object.fromEntries(
    status.routes.flatMap(({ name, refusals }) =>
      refusals.map((one) => [`${name} ${one.reason}`, one.count]),
    ),
  );
  expect(refused).toEqual({
    'mcp dpop_replayed': ROUNDS * (AT_ONCE - 1),
    'limited rate_limited': LIMIT + 10,
  });
  expect(status.memory.heapUsedBytes).toBeLessThan(status.memory.rssBytes);
  expect(after.match(/^process_cpu_seconds_total /gm)).toHaveLength(1);
  expect(value(after, 'process_cpu_seconds_total')).toBeGreaterThan(0.1);
  // What one process used, not so many times that.
  expect(value(after, 'process_resident_memory_bytes')).toBeLessThan(
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.child.pid!}/status`, 'utf8'))![1]) *
      1024 *
      1.1,
  );
  expect(after.match(/^nodejs_eventloop_lag_p99_seconds /gm)).toHaveLength(1);
  const lines = () =>
    readFileSync(join(scene.dir, 'audit.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await until(
    () =>
      lines().filter((line) => line['route.name'] === 'mcp' && line['response.status'] === 200).length ===
      value(after, ok),
  );
});

it('tells of each thread which keys it has by now', async () => {
  const before = said('reloaded').length;
  writeFileSync(join(scene.dir, 'jwks.json'), scene.jwksOf([scene.as, 'as-1'], [rsa(), 'as-2']));
  gateway.child.kill('SIGHUP');
  await until(() => said('reloaded').length >= before + WORKERS);
  const told = said('reloaded')
    .slice(before)
    .map((line) => JSON.parse(line) as { what: string; live: string })
    .map(({ what, live }) => `${what}: ${live}`);
  expect(told.sort()).toEqual([1, 2, 3].map((n) => `thread ${n}: keys of issuer as: kid as-1, as-2`));
});

it('is ready and alive, and ends with 0 when what is open has ended', async () => {
  expect((await request(gateway.adminPort, { path: '/livez' })).status).toBe(200);
  expect((await request(gateway.adminPort, { path: '/readyz' })).status).toBe(200);
  scene.answerAfterMs(500);
  const open = post(50);
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(await gateway.stop()).toBe(0);
  expect(statuses(await open)).toEqual({ 200: 50 });
});
