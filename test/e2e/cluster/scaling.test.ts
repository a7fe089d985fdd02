/**
 * A gateway that scales, with a Valkey of its own and an Ingress, at a real API server and its controllers: objects as
 * they are stored, the pod of Valkey under every rule of its namespace, and what the autoscaler makes of it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { defineResources } from '../support/custom-resources.js';
import { needs } from '../support/daemon.js';
import { goModule } from '../support/go-program.js';
import { startKubelet } from '../support/kubelet.js';
import {
  CUSTOM_METRICS,
  RESOURCE_METRICS,
  startMetricsServer,
  type MetricsServer,
} from '../support/metrics-server.js';
import { synthesized } from '../support/synthesized.js';

/** The autoscaler looks every 15 seconds. */
const UNTIL_MS = 90_000;
const VALKEY = 'agentgateway-valkey';

interface Container extends Json {
  readonly name: string;
  readonly securityContext: Json;
}
interface PodSpec extends Json {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
}
interface Template extends Json {
  readonly metadata: { readonly labels: Json };
  readonly spec: PodSpec;
}
interface Manifest extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Json };
  readonly spec: Json & { readonly template: Template };
}
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
interface Autoscaler {
  readonly status: { readonly conditions?: readonly Condition[] };
}

/** The pod with a change of one container. */
const changed =
  (name: string, change: (container: Container) => Json) =>
  (pod: PodSpec): PodSpec => {
    const one = (container: Container) =>
      container.name === name ? { ...container, ...change(container) } : container;
    return { ...pod, initContainers: pod.initContainers.map(one), containers: pod.containers.map(one) };
  };
const secured = (name: string, context: Json) =>
  changed(name, ({ securityContext }) => ({ securityContext: { ...securityContext, ...context } }));

const missing = missingForApiServer();
needs('a gateway that scales', missing);
(missing.length === 0 ? describe : describe.skip)('a gateway that scales, at a real control plane', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-scaling-'));
  const file = (name: string) => join(dir, name);
  let api: ApiServer;
  let metrics: MetricsServer;
  let stopKubelet: () => Promise<void>;
  let manifests: readonly Manifest[];

  const only = (kind: string): Manifest => {
    const [found, ...others] = manifests.filter((manifest) => manifest.kind === kind);
    expect(others).toEqual([]);
    return found!;
  };
  const get = async <T>(path: string): Promise<T> => {
    const { status, text } = await api.call({ path });
    expect([path, status]).toEqual([path, 200]);
    return JSON.parse(text) as T;
  };
  const at = (group: string, path: string) => `/apis/${group}/namespaces/aiops/${path}`;
  const apply = async (objects: readonly Json[]) => {
    for (const object of objects) {
      const { status, text, warnings } = await api.apply(object);
      expect([object.kind, status >= 300 ? text : '', warnings]).toEqual([object.kind, '', []]);
    }
  };
  const until = async (what: string, is: () => Promise<boolean>, seen: () => Promise<unknown>) => {
    const end = performance.now() + UNTIL_MS;
    while (!(await is())) {
      if (performance.now() > end)
        throw new Error(`not within ${UNTIL_MS} ms: ${what}; ${JSON.stringify(await seen())}`);
      await sleep(200);
    }
  };
  const stored = (kind: string) =>
    get<Manifest>(
      {
        HorizontalPodAutoscaler: at('autoscaling/v2', 'horizontalpodautoscalers/agentgateway'),
        Ingress: at('networking.k8s.io/v1', 'ingresses/agentgateway'),
      }[kind]!,
    );
  const autoscaler = () => get<Autoscaler>(at('autoscaling/v2', 'horizontalpodautoscalers/agentgateway'));
  const said = async () => (await autoscaler()).status.conditions ?? [];
  const conditions = async () =>
    Object.fromEntries((await said()).map(({ type, status, reason }) => [type, `${status} ${reason}`]));
  const replicas = async () =>
    (await get<{ spec: { replicas: number } }>(at('apps/v1', 'deployments/agentgateway'))).spec.replicas;
  /** Whether the API server would make a pod of Valkey's template. */
  const asked = async (change: (pod: PodSpec) => PodSpec = (pod) => pod) => {
    const { metadata, spec } = only('StatefulSet').spec.template;
    const { status, text, warnings } = await api.call({
      method: 'POST',
      path: '/api/v1/namespaces/aiops/pods?dryRun=All&fieldValidation=Strict',
      body: { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'asked' }, spec: change(spec) },
    });
    const { message = '' } = JSON.parse(text) as { readonly message?: string };
    return { status, message, warnings };
  };

  beforeAll(async () => {
    const keys = { keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' }] };
    writeFileSync(file('as.json'), JSON.stringify(keys));
    manifests = synthesized<Manifest>('test/support/scaling-app.ts', file('out'), file('as.json'));
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api'), controllers: true });
    stopKubelet = startKubelet(api);
    const quiet = { container: 'dpop-proxy', cpu: '10m', counts: { agentgateway_open_streams: '10' } };
    metrics = await startMetricsServer(api, dir, quiet);
    const source = goModule('cert-manager', 'github.com/cert-manager/cert-manager');
    await defineResources(api, join(source, 'deploy', 'crds'));
    await apply(manifests);
  }, 1_500_000);
  afterAll(async () => {
    metrics?.stop();
    await stopKubelet?.();
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it.each(['HorizontalPodAutoscaler', 'Ingress'])('has its %s stored as it is written', async (kind) => {
    const { metadata, spec } = only(kind);
    expect(await stored(kind)).toMatchObject({ metadata, spec });
  });

  it('has its Valkey: one pod that the controller makes, under the rules and the quota of the namespace', async () => {
    const set = () =>
      get<{ readonly status: { readonly availableReplicas?: number } }>(
        at('apps/v1', `statefulsets/${VALKEY}`),
      );
    await until('it is available', async () => (await set()).status.availableReplicas === 1, set);
    const { metadata } = await get<Manifest>('/api/v1/namespaces/aiops');
    expect(metadata).toMatchObject({ labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } });
    const { spec } = await get<{ spec: PodSpec }>(`/api/v1/namespaces/aiops/pods/${VALKEY}-0`);
    // Its volumes and mounts are no more than these: none is of a token.
    expect(spec).toMatchObject(only('StatefulSet').spec.template.spec);
  }, 120_000);

  it.each<[string, (pod: PodSpec) => PodSpec, number, RegExp]>([
    [
      'privilege escalation',
      secured('valkey', { allowPrivilegeEscalation: true }),
      403,
      /violates PodSecurity "restricted:[^"]+": allowPrivilegeEscalation != false \(container "valkey"/,
    ],
    [
      'privilege escalation of the container before it',
      secured('write-users', { allowPrivilegeEscalation: true }),
      403,
      /"restricted:[^"]+": allowPrivilegeEscalation != false \(container "write-users"/,
    ],
    [
      'capabilities',
      secured('valkey', { capabilities: {} }),
      403,
      /"restricted:[^"]+": unrestricted capabilities \(container "valkey"/,
    ],
    [
      'a file system that can be written',
      secured('valkey', { readOnlyRootFilesystem: false }),
      422,
      /denied request: read-only-root: .*, got: valkey$/,
    ],
    [
      'an image by its tag',
      changed('valkey', () => ({ image: 'docker.io/valkey/valkey:9' })),
      422,
      /denied request: image-digest: .*, got: valkey docker\.io\/valkey\/valkey:9$/,
    ],
    [
      'more memory than the namespace has',
      changed('valkey', () => ({ resources: { limits: { memory: '400Gi' } } })),
      403,
      /exceeded quota: quota, requested: limits\.memory=400Gi,/,
    ],
  ])(
    'is refused a pod of Valkey with %s',
    async (_, change, status, refusal) => {
      // An API server follows a new policy, and counts a new quota, after a moment.
      await until(
        'it is refused',
        async () => refusal.test((await asked(change)).message),
        () => asked(change),
      );
      expect((await asked(change)).status).toBe(status);
      expect(await asked()).toEqual({ status: 201, message: '', warnings: [] });
    },
    120_000,
  );

  it('has the fewest pods that it may while nobody measures', async () => {
    await until('it has two', async () => (await replicas()) === 2, said);
    await until(
      'it is said why',
      async () => (await conditions()).ScalingActive === 'False FailedGetContainerResourceMetric',
      said,
    );
    expect((await conditions()).AbleToScale).toBe('True SucceededGetScale');
  }, 180_000);

  it('gets pods for CPU where nobody serves the streams', async () => {
    await metrics.register(RESOURCE_METRICS);
    // 2 * 1000 / 700 of a core, rounded up.
    metrics.usage = { ...metrics.usage, cpu: '1' };
    await until('it has three', async () => (await replicas()) === 3, said);
  }, 180_000);

  it('gets pods for streams, as many as it may, and none is taken away at once', async () => {
    await metrics.register(CUSTOM_METRICS);
    // 3 * 1500 / 1000, and then 5 * 1500 / 1000.
    metrics.usage = { ...metrics.usage, cpu: '10m', counts: { agentgateway_open_streams: '1500' } };
    await until(
      'it would have more than five',
      async () => (await conditions()).ScalingLimited === 'True TooManyReplicas',
      said,
    );
    expect(await replicas()).toBe(5);
    metrics.usage = { ...metrics.usage, counts: { agentgateway_open_streams: '0' } };
    await until(
      'it would have fewer',
      async () => (await conditions()).AbleToScale === 'True ScaleDownStabilized',
      said,
    );
    // A second apply leaves the number alone: the Deployment says none.
    await apply([only('Deployment')]);
    expect(await replicas()).toBe(5);
  }, 400_000);
});
