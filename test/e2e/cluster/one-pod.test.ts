/**
 * A memory replay store knows what its own process was sent, so that beside a second pod every proof would pass
 * twice. At a real control plane, with its scheduler, whoever scales such a gateway is
 * refused; and where nothing refuses it, no second pod gets a node, not even while the first is still ending.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { needs } from '../support/daemon.js';
import { synthesized } from '../support/synthesized.js';

const UNTIL_MS = 60_000;
/** Long enough for the scheduler to do what it must not. */
const STAYS_MS = 3_000;
/** Sooner than the node lifecycle controller misses a node. */
const HEARTBEAT_MS = 5_000;
const MERGE = 'application/merge-patch+json';
const NODES = ['one', 'two', 'three'];
const RULE = 'one-replica: a gateway with a memory replay store must have one replica';

interface Manifest extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly message?: string }[] };
}

const missing = missingForApiServer();
needs('the scheduler of a real control plane', missing);
(missing.length === 0 ? describe : describe.skip)('a gateway with a memory replay store', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-one-pod-'));
  const file = (name: string) => join(dir, name);
  let api: ApiServer;
  let beating: NodeJS.Timeout | undefined;

  const pods = '/api/v1/namespaces/aiops/pods';
  const deployments = '/apis/apps/v1/namespaces/aiops/deployments';
  const podsOf = async (gateway: string): Promise<readonly Pod[]> => {
    const selector = `labelSelector=app.kubernetes.io/instance%3D${gateway}`;
    return (JSON.parse((await api.call({ path: `${pods}?${selector}` })).text) as { items: Pod[] }).items;
  };
  /** Names of its pods that have a node, also of those that are ending. */
  const placed = async (gateway: string) =>
    (await podsOf(gateway)).filter(({ spec }) => spec.nodeName !== undefined).map((pod) => pod.metadata.name);
  const patch = (path: string, body: object) => api.call({ method: 'PATCH', path, type: MERGE, body });
  const scale = (gateway: string, replicas: number) =>
    patch(`${deployments}/${gateway}/scale`, { spec: { replicas } });
  const remove = (path: string, graceSeconds: number) =>
    api.call({ method: 'DELETE', path: `${path}?gracePeriodSeconds=${graceSeconds}` });
  const until = async (what: string, is: () => Promise<boolean>) => {
    const end = performance.now() + UNTIL_MS;
    while (!(await is())) {
      if (performance.now() > end) throw new Error(`not within ${UNTIL_MS} ms: ${what}`);
      await sleep(50);
    }
  };
  const beat = async (name: string) => {
    const lastHeartbeatTime = new Date().toISOString();
    const capacity = { cpu: '16', memory: '64Gi', 'ephemeral-storage': '100Gi', pods: '110' };
    const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime }];
    await patch(`/api/v1/nodes/${name}/status`, { status: { capacity, allocatable: capacity, conditions } });
  };

  beforeAll(async () => {
    const keys = { keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' }] };
    writeFileSync(file('as.json'), JSON.stringify(keys));
    const manifests = synthesized<Manifest>('test/support/rollout-app.ts', file('out'), file('as.json'), 'a');
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api'), controllers: true, scheduler: true });
    for (const name of NODES) {
      const labels = { 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': name };
      await api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
      await beat(name);
    }
    beating = setInterval(() => NODES.forEach((name) => void beat(name).catch(() => {})), HEARTBEAT_MS);
    for (const manifest of manifests) {
      const { status, text, warnings } = await api.apply(manifest);
      expect([manifest.metadata.name, status >= 400 ? text : '', warnings]).toEqual([
        manifest.metadata.name,
        '',
        [],
      ]);
    }
    await until('each has its pods', async () => (await placed('single')).length === 1);
    await until('each has its pods', async () => (await placed('shared')).length === 2);
  }, 1_500_000);
  afterAll(async () => {
    clearInterval(beating);
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it.each([
    ['kubectl scale', () => scale('single', 2)],
    ['a patch', () => patch(`${deployments}/single`, { spec: { replicas: 2 } })],
  ])(
    'is not scaled by %s, and one with a shared store is',
    async (_, toTwo) => {
      // An API server follows a new policy after a moment, and the rule looks at changes alone: what passed before
      // is taken back, so that each try is a change.
      await until('the rule is in force', async () => {
        await scale('single', 1);
        return (await toTwo()).status === 422;
      });
      const { text } = await toTwo();
      expect((JSON.parse(text) as { message: string }).message).toContain(RULE);
      expect(text).toContain('got: 2');
      expect((await scale('shared', 3)).status).toBe(200);
      // Nothing else about it is held up.
      expect((await scale('single', 1)).status).toBe(200);
      const annotations = { note: 'changed' };
      expect((await patch(`${deployments}/single`, { metadata: { annotations } })).status).toBe(200);
      await until('it has three', async () => (await placed('shared')).length === 3);
    },
    90_000,
  );

  it('has one pod with a node where nothing refuses a second, and none beside one that is ending', async () => {
    const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
    expect((await api.call({ method: 'DELETE', path: `${bindings}/hardened-aiops-replicas` })).status).toBe(
      200,
    );
    await until('nothing refuses it', async () => (await scale('single', 2)).status === 200);
    const waiting = async () =>
      (await podsOf('single')).flatMap(({ spec, status }) =>
        spec.nodeName === undefined ? (status.conditions ?? []).map(({ message }) => message) : [],
      );
    await until('the second was looked at', async () => (await waiting()).length === 1);
    expect((await waiting())[0]).toContain(`didn't match pod anti-affinity rules`);
    const [first] = (await placed('single')) as [string];

    // As an eviction or `kubectl delete pod` has it: the first serves on while it drains, and a third is made at
    // once.
    expect((await remove(`${pods}/${first}`, 30)).status).toBe(200);
    await until('a third is made', async () => (await podsOf('single')).length === 3);
    await sleep(STAYS_MS);
    expect(await placed('single')).toEqual([first]);
    expect((await remove(`${pods}/${first}`, 0)).status).toBe(200);
    await until('another has its place', async () => (await placed('single')).length === 1);
    await sleep(STAYS_MS);
    const [next, ...others] = await placed('single');
    expect([next === first, others]).toEqual([false, []]);
  }, 150_000);
});
