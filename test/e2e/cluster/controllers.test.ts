/**
 * What comes of the manifests once the controllers of a real control plane act on them: pods, rollouts,
 * budgets, quotas. There are no nodes, so the test says what a kubelet would: that a pod is ready.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { needs } from '../support/daemon.js';
import { synthesized } from '../support/synthesized.js';

const NAMESPACE = 'aiops';
const UNTIL_MS = 60_000;
/** That a pod takes to be ready: long enough for one too few to be seen. */
const STARTS_MS = 1_000;
const MERGE = 'application/strategic-merge-patch+json';
const LABEL = 'app.kubernetes.io/instance';

interface Manifest extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
}
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
}
interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly volumes?: readonly {
      readonly projected?: { readonly sources: readonly { readonly serviceAccountToken?: object }[] };
    }[];
  };
  readonly status: { readonly phase: string; readonly conditions?: readonly Condition[] };
}
interface Deployment {
  readonly metadata: { readonly generation: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

const missing = missingForApiServer();
needs('the controllers of a real control plane', missing);
(missing.length === 0 ? describe : describe.skip)('the controllers of a real control plane', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-controllers-'));
  const file = (name: string) => join(dir, name);
  const as = rsa();
  let api: ApiServer;
  let manifests: readonly Manifest[];
  /** Pods that are not said to be ready. */
  const held = new Set<string>();
  let serving: Promise<void>;
  let over = false;

  const emitted = (audience: string) =>
    synthesized<Manifest>('test/support/rollout-app.ts', file(audience), file('as.json'), audience);
  const at = (path: string, namespace = NAMESPACE) => `/api/v1/namespaces/${namespace}/${path}`;
  const get = async <T>(path: string): Promise<T> => {
    const { status, text } = await api.call({ path });
    expect([path, status]).toEqual([path, 200]);
    return JSON.parse(text) as T;
  };
  const podsOf = async (gateway: string): Promise<readonly Pod[]> =>
    (await get<{ items: readonly Pod[] }>(at(`pods?labelSelector=${LABEL}%3D${gateway}`))).items.filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
  const ready = ({ status }: Pod) =>
    status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
  const deployment = (name: string) =>
    get<Deployment>(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`);
  const settled = async (name: string, replicas: number) => {
    const { metadata, status } = await deployment(name);
    return (
      status.observedGeneration === metadata.generation &&
      [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => n === replicas)
    );
  };
  const until = async (what: string, is: () => Promise<boolean>) => {
    const end = performance.now() + UNTIL_MS;
    while (!(await is())) {
      if (performance.now() > end) throw new Error(`not within ${UNTIL_MS} ms: ${what}`);
      await sleep(50);
    }
  };
  const sayReady = (name: string, is: boolean) => {
    const now = new Date().toISOString();
    return api.call({
      method: 'PATCH',
      path: at(`pods/${name}/status`),
      type: MERGE,
      body: {
        status: {
          phase: 'Running',
          conditions: ['Ready', 'ContainersReady'].map((type) => ({
            type,
            status: is ? 'True' : 'False',
            lastTransitionTime: now,
          })),
        },
      },
    });
  };
  const apply = async (objects: readonly Manifest[]) => {
    for (const manifest of objects) {
      const { status, text, warnings } = await api.apply(manifest);
      expect([manifest.kind, manifest.metadata.name, status >= 400 ? text : '', warnings]).toEqual([
        manifest.kind,
        manifest.metadata.name,
        '',
        [],
      ]);
    }
  };
  const evict = async (name: string) =>
    (
      await api.call({
        method: 'POST',
        path: at(`pods/${name}/eviction`),
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: NAMESPACE } },
      })
    ).status;

  beforeAll(async () => {
    writeFileSync(
      file('as.json'),
      JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
    );
    manifests = emitted('first');
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api'), controllers: true });
    await apply(manifests);
    serving = (async () => {
      const began = new Map<string, number>();
      while (!over) {
        for (const pod of [...(await podsOf('shared')), ...(await podsOf('single'))]) {
          const { name } = pod.metadata;
          if (!began.has(name)) began.set(name, performance.now());
          if (!ready(pod) && !held.has(name) && performance.now() - began.get(name)! > STARTS_MS)
            await sayReady(name, true);
        }
        await sleep(50);
      }
    })();
  }, 1_500_000);
  afterAll(async () => {
    over = true;
    await serving?.catch(() => {});
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it('make the pods of both gateways, under each rule, limit and quota of the namespace, without a token', async () => {
    await Promise.all([
      until('two are available', () => settled('shared', 2)),
      until('one is available', () => settled('single', 1)),
    ]);
    for (const name of ['shared', 'single']) {
      expect(
        (await deployment(name)).status
          .conditions!.map(({ type, status, reason }) => [type, status, reason])
          .sort(),
      ).toEqual([
        ['Available', 'True', 'MinimumReplicasAvailable'],
        ['Progressing', 'True', 'NewReplicaSetAvailable'],
      ]);
      for (const { spec } of await podsOf(name))
        expect(
          spec
            .volumes!.flatMap(({ projected }) => projected?.sources ?? [])
            .filter(({ serviceAccountToken }) => serviceAccountToken !== undefined),
        ).toEqual([]);
    }
    const events = (
      await get<{
        items: readonly { readonly type: string; readonly reason: string; readonly message: string }[];
      }>(at('events'))
    ).items;
    // A quota that nobody has counted yet holds a pod up for a moment. The API server's own look at the addresses of
    // Services may begin before one is given, and end after: it finds what it did not know of, and takes it in.
    const passing = ({ reason, message }: (typeof events)[number]) =>
      message.includes('status unknown for quota') || reason === 'ClusterIPNotAllocated';
    expect(
      events
        .filter((event) => event.type !== 'Normal' && !passing(event))
        .map(({ reason, message }) => `${reason}: ${message}`),
    ).toEqual([]);
  }, 90_000);

  it('find nothing to say about the types of the admission rules', async () => {
    const policies = manifests
      .filter(({ kind }) => kind === 'ValidatingAdmissionPolicy')
      .map(({ metadata }) => metadata.name);
    expect(policies).toHaveLength(5);
    for (const name of policies) {
      type Policy = {
        readonly metadata: { readonly generation: number };
        readonly status?: {
          readonly observedGeneration?: number;
          readonly typeChecking?: { readonly expressionWarnings?: readonly unknown[] };
        };
      };
      const policy = () =>
        get<Policy>(`/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/${name}`);
      await until(`${name} is checked`, async () => {
        const { metadata, status } = await policy();
        return status?.observedGeneration === metadata.generation && status.typeChecking !== undefined;
      });
      expect([name, (await policy()).status!.typeChecking!.expressionWarnings ?? []]).toEqual([name, []]);
    }
  }, 90_000);

  it('evict one pod at a time, and one that is broken at any time', async () => {
    const budget = async () =>
      (
        await get<{ status: { disruptionsAllowed: number; currentHealthy: number } }>(
          `/apis/policy/v1/namespaces/${NAMESPACE}/poddisruptionbudgets/shared-pdb`,
        )
      ).status;
    await until('one may go', async () => (await budget()).disruptionsAllowed === 1);
    const [one, other] = (await podsOf('shared')).map(({ metadata }) => metadata.name) as [string, string];
    expect(await evict(one)).toBe(201);
    const replaced = async () =>
      (await podsOf('shared')).find(({ metadata }) => ![one, other].includes(metadata.name));
    await until('another is made', async () => (await replaced()) !== undefined);
    const { name } = (await replaced())!.metadata;
    held.add(name);
    await sayReady(name, false);
    await until('none may go', async () => (await budget()).disruptionsAllowed === 0);
    expect(await evict(other)).toBe(429);
    // All are broken, and none would be missed.
    held.add(other);
    await sayReady(other, false);
    await until('none is well', async () => (await budget()).currentHealthy === 0);
    expect([await evict(other), await evict(name)]).toEqual([201, 201]);
    held.clear();
    await until('both are there again', () => settled('shared', 2));
  }, 90_000);

  it('roll out a new config: never fewer pods than serve with a shared store, never two without', async () => {
    const before = { shared: await podsOf('shared'), single: await podsOf('single') };
    const next = emitted('second');
    // A config that changed is another object; the one in use cannot change.
    const names = (objects: readonly Manifest[]) =>
      objects
        .filter(({ kind, data }) => kind === 'ConfigMap' && data!['config.json'] !== undefined)
        .map(({ metadata }) => metadata.name);
    expect(new Set([...names(manifests), ...names(next)]).size).toBe(4);
    const [inUse] = names(manifests) as [string];
    const rewritten = await api.call({
      method: 'PATCH',
      path: at(`configmaps/${inUse}`),
      type: MERGE,
      body: { data: { 'config.json': '{}' } },
    });
    expect([rewritten.status, rewritten.text]).toEqual([422, expect.stringContaining('immutable')]);

    const seen = {
      sharedReady: [] as number[],
      sharedPods: [] as number[],
      singlePods: [] as number[],
      together: 0,
    };
    const old = new Set(before.single.map(({ metadata }) => metadata.name));
    let watching = true;
    const watched = (async () => {
      while (watching) {
        const [shared, single] = [await podsOf('shared'), await podsOf('single')];
        seen.sharedReady.push(shared.filter(ready).length);
        seen.sharedPods.push(shared.length);
        seen.singlePods.push(single.length);
        if (
          single.some(({ metadata }) => old.has(metadata.name)) &&
          single.some(({ metadata }) => !old.has(metadata.name))
        )
          seen.together += 1;
        await sleep(10);
      }
    })();
    await apply(next);
    await Promise.all([
      until('the shared one is rolled out', () => settled('shared', 2)),
      until('the single one is', () => settled('single', 1)),
    ]);
    watching = false;
    await watched;
    expect([
      Math.min(...seen.sharedReady),
      Math.max(...seen.sharedPods),
      Math.max(...seen.singlePods),
      seen.together,
    ]).toEqual([2, 3, 1, 0]);
    const kept = [...before.shared, ...before.single].map(({ metadata }) => metadata.name);
    expect(
      [...(await podsOf('shared')), ...(await podsOf('single'))].filter(({ metadata }) =>
        kept.includes(metadata.name),
      ),
    ).toEqual([]);
  }, 150_000);

  it('count what the namespace may hold, also of pods that do not say what they need', async () => {
    const pod = (name: string, resources: object) =>
      api.call({
        method: 'POST',
        path: at('pods', 'plain'),
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name },
          spec: {
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 1000,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'a',
                image: 'a',
                resources,
                securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              },
            ],
          },
        },
      });
    await until('the quota is known', async () =>
      (
        await get<{ items: readonly { readonly status: { readonly used?: object } }[] }>(
          at('resourcequotas', 'plain'),
        )
      ).items.every(({ status }) => status.used !== undefined),
    );
    const silent = await pod('silent', {});
    expect(silent.status).toBe(201);
    const made = JSON.parse(silent.text) as {
      spec: { containers: readonly { resources: object }[]; volumes?: unknown };
    };
    expect(made.spec.containers[0]!.resources).toEqual({
      limits: { memory: '256Mi', 'ephemeral-storage': '512Mi' },
      requests: { cpu: '50m', memory: '128Mi', 'ephemeral-storage': '64Mi' },
    });
    expect(made.spec.volumes).toBeUndefined(); // the default ServiceAccount's token would be one
    for (const [what, resources] of [
      ['limits.memory', { limits: { memory: '40Gi' } }],
      ['requests.cpu', { requests: { cpu: '17' } }],
    ] as const) {
      const { status, text } = await pod(`much-${what}`, resources);
      expect([what, status, text]).toEqual([
        what,
        403,
        expect.stringContaining(`exceeded quota: quota, requested: ${what}`),
      ]);
    }
    expect([(await pod('second', {})).status, (await pod('third', {})).status]).toEqual([201, 201]);
    const fourth = await pod('fourth', {});
    expect([fourth.status, fourth.text]).toEqual([
      403,
      expect.stringContaining('exceeded quota: quota, requested: pods=1'),
    ]);
    for (const type of ['NodePort', 'LoadBalancer']) {
      const { status, text } = await api.call({
        method: 'POST',
        path: at('services', 'plain'),
        body: {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'a' },
          spec: { type, ports: [{ port: 80 }] },
        },
      });
      expect([type, status, text]).toEqual([type, 403, expect.stringContaining('exceeded quota: quota')]);
    }
  }, 90_000);

  it('take the namespace away with all that is in it', async () => {
    over = true;
    await serving;
    expect((await api.call({ method: 'DELETE', path: `/api/v1/namespaces/${NAMESPACE}` })).status).toBe(200);
    await until(
      'it is gone',
      async () => (await api.call({ path: `/api/v1/namespaces/${NAMESPACE}` })).status === 404,
    );
  }, 90_000);
});
