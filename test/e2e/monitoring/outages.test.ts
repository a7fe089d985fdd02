/**
 * What a real outage raises. The shipped gateway runs while Redis, its backend, its issuer or the reader of its output
 * goes away, a certificate nears its end, a change is refused. Its metrics are recorded, and played to the rules that
 * synth emits, twenty times as fast. Requests come as from a Service: to a pod that is not ready none.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { hasRedis, RedisProcess } from '../../../proxy/test/replay/redis-process.js';
import { request, type Ask } from '../../../proxy/test/support/gateway.js';
import { needs, programOf } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { Recorder, STRETCH } from '../support/recorder.js';
import { openScene, type Scene } from '../support/scene.js';
import { synthesized } from '../support/synthesized.js';

/** What the operator calls the job of the app's PodMonitor. */
const JOB = 'aiops/agentgateway';
const TARGET = `job="${JOB}", pod="a"`;
/** Played, a scrape is half a minute. */
const HEALTHY_SCRAPES = 12;
const SCRAPES = 46;
/** Until keys are three fetches old, and a while more. */
const SCRAPES_OF_KEYS = 112;
/** The kubelet looks every 5 s; played, this is as often. */
const PROBE_MS = 250;
const REQUEST_MS = 50;
const AT_ONCE = 16;

interface Manifest {
  readonly kind: string;
  readonly spec: { readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[] };
}

/** What is around a gateway, and how it breaks. */
interface Outage {
  readonly config: Partial<ConfigInput>;
  /** Nobody asks the gateway anything: what breaks is not on the way of a request. */
  readonly isSilent?: boolean;
  readonly scrapes?: number;
  readonly break: (gateway: GatewayProcess) => unknown;
  readonly stop?: () => unknown;
}

const missing = [
  ...['prometheus', 'promtool', 'openssl'].filter((name) => programOf(name) === undefined),
  ...(hasRedis() ? [] : ['redis-server']),
];
needs('alerts on outages', missing);
(missing.length === 0 ? describe : describe.skip)('alerts on outages', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-outages-'));
  const file = (name: string) => join(dir, name);
  const recordings = new Map<string, Recorder>();

  /** Ends in so many days. */
  const makeCertificate = (days: number) => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=gateway'];
    const files = ['-keyout', file('tls.key'), '-out', file('tls.crt'), '-days', String(days)];
    execFileSync('openssl', ['req', '-x509', ...key, ...files], { stdio: 'pipe' });
  };
  const OUTAGES: Readonly<Record<string, (scene: Scene) => Promise<Outage> | Outage>> = {
    nothing: () => ({ config: {}, break: () => {} }),
    'Redis goes away': async () => {
      const redis = await RedisProcess.start();
      const url = `redis://127.0.0.1:${redis.port}`;
      return {
        config: { replay: { store: 'redis', url } },
        break: () => redis.kill(),
        stop: () => redis.stop(),
      };
    },
    'the backend goes away': ({ stopBackend }) => ({ config: {}, break: stopBackend }),
    'the issuer goes away': async ({ config: { routes }, as, jwksOf }) => {
      const server = http.createServer((_, answer) => answer.end(jwksOf([as, 'as-1'])));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
      const stop = () => {
        server.closeAllConnections();
        server.close();
      };
      // Played, it is fetched as often as by default.
      const jwks = { url, refreshSeconds: 600 / STRETCH, cooldownSeconds: 1 };
      const [route] = routes;
      return {
        config: {
          issuers: [{ name: 'default', issuer: 'https://as.example', jwks }],
          routes: [{ ...route!, auth: { profile: 'dpop', issuers: ['default'] } }],
        },
        scrapes: SCRAPES_OF_KEYS,
        break: stop,
        stop,
      };
    },
    'a certificate is nearly at its end': () => {
      makeCertificate(30);
      const tls = { certFile: file('tls.crt'), keyFile: file('tls.key') };
      return { config: { listen: { tls } }, isSilent: true, break: () => makeCertificate(3) };
    },
    'nobody reads standard output': () => ({ config: { audit: {} }, break: stallOutput }),
    'a change is refused': () => ({
      config: {},
      break: (gateway) => {
        gateway.rewrite('{"version":');
        gateway.child.kill('SIGHUP');
      },
    }),
  };

  const record = async (name: string, metrics: ReadonlySet<string>) => {
    const scene = await openScene();
    const outage = await OUTAGES[name]!(scene);
    const config = { ...scene.config, ...outage.config };
    const gateway = await startGatewayProcess(config, { dir: scene.dir, name: 'gateway' });
    const traffic = outage.isSilent === true ? undefined : startTraffic(gateway, () => scene.ask());
    const recorder = new Recorder({ adminPort: gateway.adminPort, metrics });
    try {
      await recorder.scrapes(HEALTHY_SCRAPES);
      await outage.break(gateway);
      await recorder.scrapes((outage.scrapes ?? SCRAPES) - HEALTHY_SCRAPES);
    } finally {
      await recorder.stop();
      await traffic?.stop();
      gateway.child.stdout!.resume();
      await gateway.stop();
      await outage.stop?.();
      scene.stop();
    }
    recordings.set(name, recorder);
  };

  beforeAll(async () => {
    const { spec } = synthesized<Manifest>('test/support/monitoring-app.ts', file('manifests')).find(
      ({ kind }) => kind === 'PrometheusRule',
    )!;
    writeFileSync(file('rules.yaml'), stringify(spec));
    const exprs = spec.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)).join(' ');
    const metrics = new Set([...exprs.matchAll(/([a-z_0-9]+)\{/g)].map(([, metric]) => metric!));
    await Promise.all(Object.keys(OUTAGES).map((name) => record(name, metrics)));
  }, 300_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** What promtool says of these alerts having fired until then, and no other; empty: that is so. */
  const contradiction = (recorder: Recorder, minutes: number, alerts: readonly string[]): string => {
    const test = {
      interval: '30s',
      input_series: recorder.played(TARGET),
      promql_expr_test: [
        {
          expr: `group by (alertname) (count_over_time(ALERTS{alertstate="firing"}[${minutes}m]))`,
          eval_time: `${minutes}m`,
          exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
        },
      ],
    };
    const rules = { rule_files: ['rules.yaml'], evaluation_interval: '30s', tests: [test] };
    writeFileSync(file('case.yaml'), stringify(rules));
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file('case.yaml')], {
      encoding: 'utf8',
    });
    return stdout.includes('SUCCESS') ? '' : stdout + stderr;
  };

  it.each<[string, readonly string[]]>([
    ['nothing', []],
    // Refused are only those who came before anybody had noticed.
    ['Redis goes away', ['AgentgatewayNotReady', 'AgentgatewayPodNotReady']],
    ['the backend goes away', ['AgentgatewayBackendFailing']],
    ['the issuer goes away', ['AgentgatewayReloadRefused', 'AgentgatewayKeysStale']],
    ['a certificate is nearly at its end', ['AgentgatewayCertificateEnds']],
    // No line is lost: who cannot write any takes no requests.
    ['nobody reads standard output', ['AgentgatewayNotReady', 'AgentgatewayPodNotReady']],
    ['a change is refused', ['AgentgatewayReloadRefused']],
  ])('raises, when %s, %j, and no other', (name, alerts) => {
    const recorder = recordings.get(name)!;
    expect(contradiction(recorder, HEALTHY_SCRAPES / 2 - 1, [])).toBe('');
    expect(contradiction(recorder, recorder.minutes, alerts)).toBe('');
  });

  it('is checked by what can fail', () => {
    const recorder = recordings.get('the backend goes away')!;
    expect(contradiction(recorder, recorder.minutes, [])).toContain('AgentgatewayBackendFailing');
  });
});

/** Requests at a steady rate, while the pod is ready, as a Service hands them on. */
function startTraffic(gateway: GatewayProcess, make: () => Ask): { stop(): Promise<void> } {
  let isOver = false;
  let isReady = true;
  const probe = (async () => {
    for (; !isOver; await sleep(PROBE_MS)) isReady = await readyNow(gateway);
  })();
  const send = (async () => {
    for (; !isOver; await sleep(REQUEST_MS))
      if (isReady) void request(gateway.port, make()).catch(() => undefined);
  })();
  return {
    async stop() {
      isOver = true;
      await Promise.all([probe, send]);
    },
  };
}

const readyNow = async ({ adminPort }: GatewayProcess): Promise<boolean> =>
  (await request(adminPort, { path: '/readyz' }).catch(() => undefined))?.status === 200;

/** Requests without credentials, until their lines fill what the gateway keeps of them. */
async function stallOutput(gateway: GatewayProcess): Promise<void> {
  gateway.child.stdout!.pause();
  const agent = new http.Agent({ keepAlive: true });
  const options = { port: gateway.port, method: 'POST', path: `/mcp/${'x'.repeat(180)}`, agent };
  const ask = () =>
    new Promise<void>((resolve) => {
      const asked = http.request({ host: '127.0.0.1', ...options }, (answer) =>
        answer.resume().once('end', resolve),
      );
      asked.on('error', () => resolve()).end();
    });
  let isReady = true;
  const flood = Array.from({ length: AT_ONCE }, async () => {
    while (isReady) await ask();
  });
  while (isReady) {
    await sleep(PROBE_MS);
    isReady = await readyNow(gateway);
  }
  await Promise.all(flood);
  agent.destroy();
}
