/**
 * What users do with kubectl after the first `apply`, against a real API server with its controllers: apply again,
 * change the way of applying, roll out, go back, and remove what is no longer used.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { agw, TWO_HOURS_LATER } from '../support/agw.js';
import { missingForApiServer, startApiServer, type ApiServer } from '../support/api-server.js';
import { client, definitionsFor, type Named, type Run } from '../support/client.js';
import { needs } from '../support/daemon.js';
import { startKubelet } from '../support/kubelet.js';
import { synthesized } from '../support/synthesized.js';

const APPS = ['quickstart', 'reference', 'demo'] as const;
/** Of test/support/rollout-app.ts. */
const NAMESPACE = 'aiops';
const GATEWAY = 'single';
/** Old ReplicaSets that a Deployment of the library keeps. */
const HISTORY = 5;
const UNTIL_MS = 60_000;
/** Controllers write the status of these. */
const WITH_STATUS = ['Deployment', 'ResourceQuota', 'PodDisruptionBudget', 'ValidatingAdmissionPolicy'];

interface List<T> {
  readonly items: readonly T[];
}
interface Versioned extends Named {
  readonly metadata: Named['metadata'] & { readonly resourceVersion: string; readonly generation?: number };
}
interface Deployment {
  readonly metadata: { readonly generation: number };
  readonly spec: { readonly revisionHistoryLimit: number };
  readonly status: Readonly<Record<string, number>>;
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '');

const missing = missingForApiServer();
needs('kubectl apply', missing);
(missing.length === 0 ? describe : describe.skip)('kubectl', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-apply-'));
  const file = (name: string) => join(dir, name);
  let api: ApiServer;
  let kubectl: Run;
  let stopKubelet: () => Promise<void>;

  const get = <T>(what: string) => JSON.parse(kubectl(['get', what, '-n', NAMESPACE, '-o', 'json'])) as T;
  /** Of each object in a folder, what any write that changes it changes. */
  const versions = (folder: string) => {
    const { items } = JSON.parse(kubectl(['get', '-f', folder, '-o', 'json'])) as List<Versioned>;
    return items.map(({ kind, metadata: { name, namespace, generation, resourceVersion } }) => {
      const version = WITH_STATUS.includes(kind) ? generation : resourceVersion;
      return [kind, namespace, name, version];
    });
  };

  beforeAll(async () => {
    const as = { ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' };
    writeFileSync(file('as.json'), JSON.stringify({ keys: [as] }));
    const objects = [
      ...APPS.flatMap((name) => synthesized<Named>('apps/main.ts', file(name), name)),
      ...synthesized<Named>('test/support/exposure-app.ts', file('exposed'), file('as.json')),
    ];
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api'), controllers: true });
    stopKubelet = startKubelet(api);
    kubectl = client('kubectl', api, dir);
    kubectl(['apply', '--server-side', '-f', '-'], definitionsFor(objects));
    kubectl(['wait', '--for', 'condition=established', 'crd', '--all', '--timeout', '30s']);
  }, 1_500_000);
  afterAll(async () => {
    await stopKubelet?.();
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it.each([...APPS, 'exposed'])(
    'changes nothing by a second apply, nor by a server-side one after it, of any object of an app: %s',
    (app) => {
      const folder = file(app);
      kubectl(['apply', '-f', folder]);
      const before = versions(folder);
      expect(before.length).toBeGreaterThan(5);
      // kubectl sends the selector of a budget each time, and the server finds it as it is: see the versions.
      const changed = linesOf(kubectl(['apply', '-f', folder]))
        .filter((line) => !line.endsWith(' unchanged'))
        .filter((line) => !line.startsWith('poddisruptionbudget'));
      expect(changed).toEqual([]);
      expect(versions(folder)).toEqual(before);

      // Without --force-conflicts: no field is in dispute.
      kubectl(['apply', '--server-side', '-f', folder]);
      const after = versions(folder);
      kubectl(['apply', '--server-side', '-f', folder]);
      expect(versions(folder)).toEqual(after);
    },
    120_000,
  );

  describe('of several versions of an app', () => {
    const emit = (audience: string) => {
      synthesized<Named>('test/support/rollout-app.ts', file(audience), file('as.json'), audience, 'alone');
      return file(audience);
    };
    const isRolledOut = () => {
      const { status, metadata } = get<Deployment>(`deployment/${GATEWAY}`);
      return (
        status.observedGeneration === metadata.generation &&
        [status.replicas, status.updatedReplicas, status.availableReplicas].every((n) => n === 1)
      );
    };
    const until = async (what: string, is: () => boolean) => {
      const end = performance.now() + UNTIL_MS;
      while (!is()) {
        if (performance.now() > end) throw new Error(`not within ${UNTIL_MS} ms: ${what}`);
        await sleep(200);
      }
    };
    const rollOut = async (audience: string) => {
      kubectl(['apply', '-f', emit(audience)]);
      await until(`${audience} is rolled out`, isRolledOut);
    };
    const undo = async (revision: number) => {
      const args = ['rollout', 'undo', `deployment/${GATEWAY}`, '-n', NAMESPACE];
      kubectl([...args, `--to-revision=${revision}`]);
      await until(`revision ${revision} is back`, isRolledOut);
    };
    const configMaps = () =>
      get<List<Named>>('configmaps')
        .items.map(({ metadata }) => metadata.name)
        .filter((name) => name.startsWith(GATEWAY));
    /** ConfigMaps of each Deployment, or ReplicaSet. */
    const mounted = (kind: string) =>
      get<List<Named>>(kind)
        .items.filter(({ metadata }) => metadata.name.startsWith(GATEWAY))
        .map((holder) => configMaps().filter((name) => JSON.stringify(holder).includes(`"${name}"`)));
    const prune = () => {
      const input = kubectl([
        ...['get', 'configmaps,deployments,replicasets,pods'],
        ...['-n', NAMESPACE, '-o', 'json'],
      ]);
      const [program, ...args] = [...agw(TWO_HOURS_LATER), 'prune'];
      return linesOf(execFileSync(program, args, { input }).toString());
    };

    beforeAll(() => void kubectl(['delete', 'namespace', NAMESPACE]), 120_000);

    it('goes back as far as the history says, and prunes the ConfigMaps that only older revisions had', async () => {
      await rollOut('version-1');
      const oldest = configMaps();
      await rollOut('version-2');
      const [second] = mounted('deployments');
      expect(second).not.toEqual(oldest);
      // Nothing that could come back is removed.
      expect(prune()).toEqual([]);
      await undo(1);
      expect(mounted('deployments')).toEqual([oldest]);
      await rollOut('version-2');

      expect(get<Deployment>(`deployment/${GATEWAY}`).spec.revisionHistoryLimit).toBe(HISTORY);
      for (let version = 3; version <= HISTORY + 2; version++) await rollOut(`version-${version}`);
      await until('the oldest is forgotten', () => mounted('replicasets').length === 1 + HISTORY);
      const kept = new Set(mounted('replicasets').flat());
      const unused = configMaps().filter((name) => !kept.has(name));
      expect(unused.length).toBeGreaterThan(0);
      expect(oldest).toEqual(expect.arrayContaining(unused));
      expect(prune()).toEqual(unused.map((name) => `configmap/${name}`));
      kubectl(['delete', '-n', NAMESPACE, ...prune()]);
      expect(new Set(configMaps())).toEqual(kept);
      expect(prune()).toEqual([]);

      // Revision 1 became 3, which is forgotten; 2 became 4.
      await expect(undo(3)).rejects.toThrow('unable to find specified revision 3 in history');
      await undo(4);
      expect(mounted('deployments')).toEqual([second]);
    }, 300_000);
  });
});
