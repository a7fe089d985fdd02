/**
 * The dashboard that synth emits, over a real Prometheus that scrapes the shipped gateway: after traffic of every kind
 * that it has a panel for, each of its queries has data.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { hasRedis, RedisProcess } from '../../../proxy/test/replay/redis-process.js';
import { freePort } from '../../../proxy/test/support/free-port.js';
import { ORIGIN, request } from '../../../proxy/test/support/gateway.js';
import { makeCertificate } from '../../../proxy/test/support/http2.js';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startPrometheus } from '../support/prometheus.js';
import { openScene, type Scene } from '../support/scene.js';
import { synthesized } from '../support/synthesized.js';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
}
interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
}
interface Matrix {
  readonly result: readonly {
    readonly metric: Readonly<Record<string, string>>;
    readonly values: readonly (readonly [number, string])[];
  }[];
}

/** What the operator calls the job of the app's PodMonitor. */
const JOB = 'aiops/agentgateway';
const CONNECTIONS = 4;
/** To a backend: fewer than requests come at once. */
const SOCKETS = 2;
/** Rates need two scrapes, a second apart, within it. */
const RATE_INTERVAL = '5s';

const missing = [
  ...['prometheus'].filter((name) => programOf(name) === undefined),
  ...(hasRedis() ? [] : ['redis-server']),
];
needs('the dashboard', missing);
(missing.length === 0 ? describe : describe.skip)('the dashboard', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-dashboard-'));
  let manifest: Manifest;
  let dashboard: Dashboard;

  beforeAll(() => {
    manifest = synthesized<Manifest>('test/support/monitoring-app.ts', join(dir, 'manifests')).find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'agentgateway-dashboard',
    )!;
    dashboard = JSON.parse(manifest.data!['agentgateway-aiops-agentgateway.json']!) as Dashboard;
  }, 30_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('is a ConfigMap that the sidecar finds, with the job of the gateway and a data source to choose', () => {
    expect(manifest.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(Object.fromEntries(dashboard.templating.list.map(({ name, query }) => [name, query]))).toEqual({
      datasource: 'prometheus',
      job: JOB,
    });
    expect(dashboard.title).toBe(`Agent gateway ${JOB}`);
    expect(dashboard.uid).toMatch(/^agw-[0-9a-f]{10}$/);
  });

  it('has data for every query, of a gateway that all of it has happened to', async () => {
    const scene = await openScene();
    const redis = await RedisProcess.start();
    const config = configOf(scene, redis.port, await freePort());
    const gateway = await startGatewayProcess(config, { dir, name: 'plain' });
    const withTls: ConfigInput = { ...scene.config, listen: { tls: makeCertificate(dir, 'edge') } };
    const other = await startGatewayProcess(withTls, { dir, name: 'tls' });
    const pods = { a: gateway.adminPort, b: other.adminPort };
    const prometheus = await startPrometheus({ dir, job: JOB, pods });
    const began = Date.now() / 1000;
    const series = async (expr: string): Promise<Matrix['result']> => {
      const query = expr.replaceAll('$job', JOB).replaceAll('$__rate_interval', RATE_INTERVAL);
      const range = `start=${began}&end=${Date.now() / 1000}&step=1`;
      return (await prometheus.ask<Matrix>(`query_range?query=${encodeURIComponent(query)}&${range}`)).result;
    };
    const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
    );
    try {
      await happen(gateway, scene, config);
      await redis.stop();
      const empty = async () => {
        const found = await Promise.all(
          queries.map(async (query) => ({ ...query, values: await series(query.expr) })),
        );
        return found.filter(({ values }) => !values.some((one) => one.values.some(([, v]) => v !== 'NaN')));
      };
      let without: readonly { readonly title: string; readonly expr: string }[] = queries;
      await prometheus
        .until('each has data', async () => (without = await empty()).length === 0)
        .catch(() => {});
      expect(without.map(({ title, expr }) => [title, expr])).toEqual([]);
      // A legend names labels that the series have.
      for (const { title, expr, legendFormat } of queries) {
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
        const [one] = await series(expr);
        expect([title, Object.keys(one!.metric)]).toEqual([title, expect.arrayContaining(labels)]);
      }
    } finally {
      await prometheus.stop();
      await Promise.all([gateway.stop(), other.stop()]);
      await redis.stop();
      scene.stop();
    }
  }, 90_000);
});

/** With a route whose backend is away, a shared store, and few connections. */
function configOf({ config }: Scene, redisPort: number, nobodyAt: number): ConfigInput {
  const [mcp] = config.routes as [Extract<ConfigInput['routes'][number], { kind: 'mcp' }>];
  const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: [`${ORIGIN}/mcp`] };
  const backend = { url: `http://127.0.0.1:${nobodyAt}` };
  const away = { ...mcp, name: 'away', pathPrefix: '/away', auth, backend };
  return {
    ...config,
    routes: [mcp, away],
    replay: { store: 'redis', url: `redis://127.0.0.1:${redisPort}` },
    limits: { maxConnectionsPerAddress: CONNECTIONS },
    upstream: { maxSockets: SOCKETS },
  };
}

/**
 * Traffic; a proof that is sent twice, no route, no backend, a client that leaves, requests that wait for a connection
 * to the backend, too many connections of an address, a new config and one that is no good.
 */
async function happen(gateway: GatewayProcess, scene: Scene, config: ConfigInput): Promise<void> {
  const used = scene.ask();
  const status = async (ask: typeof used) => (await request(gateway.port, ask)).status;
  expect([await status(used), await status(used)]).toEqual([200, 401]);
  expect(await status({ ...scene.ask(), path: '/nowhere' })).toBe(404);
  expect(await status(scene.ask(undefined, '/away'))).toBe(502);
  await leaveEarly(gateway.port, scene);
  scene.answerAfterMs(1_500);
  const atOnce = Array.from({ length: CONNECTIONS }, () => status(scene.ask()));
  expect(await Promise.all(atOnce)).toEqual(Array(CONNECTIONS).fill(200));
  scene.answerAfterMs(0);
  const sockets = Array.from({ length: CONNECTIONS + 2 }, () => net.connect(gateway.port, '127.0.0.1'));
  for (const socket of sockets) socket.on('error', () => {});
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await sleep(1_500); // a rate needs them to have been there at a scrape before
  for (const socket of sockets) socket.destroy();
  gateway.rewrite({ ...config, drainSeconds: 4 });
  gateway.child.kill('SIGHUP');
  await sleep(1_500);
  gateway.rewrite('{"version":');
  gateway.child.kill('SIGHUP');
  await sleep(1_500);
  for (let i = 0; i < 20; i++) {
    expect(await status(scene.ask())).toBe(200);
    await sleep(100);
  }
}

/** A client that goes before its answer comes. */
async function leaveEarly(port: number, scene: Scene): Promise<void> {
  scene.answerAfterMs(500);
  const { method, path, headers } = scene.ask();
  const reached = scene.reached();
  const leaving = http.request({
    host: '127.0.0.1',
    port,
    method,
    path,
    headers: headers as http.OutgoingHttpHeaders,
  });
  leaving.on('error', () => {}).end();
  while (scene.reached() === reached) await sleep(10);
  leaving.destroy();
  scene.answerAfterMs(0);
}
