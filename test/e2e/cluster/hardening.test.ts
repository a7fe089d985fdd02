/**
 * HardeningValidation and the Pod Security admission of a real API server, of the same pods: those planted for each
 * rule, and those that Kubernetes itself tests its restricted profile with.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  missingForApiServer,
  startApiServer,
  type Answer,
  type ApiServer,
  type Json,
} from '../support/api-server.js';
import { needs } from '../support/daemon.js';

const root = join(import.meta.dirname, '..', '..', '..');
const BUILD_MS = 1_500_000;

/** The plugin is CommonJS, so it is asked in a process of its own: planted pods, and what it finds in all pods. */
const FIND = `
  const { HardeningValidation } = require('./lib');
  const { BROKEN_PODS, SOUND_PODS } = require('./test/support/planted-manifests');
  const planted = [
    ...Object.entries(BROKEN_PODS).flatMap(([name, pods]) => pods.map(([where, pod]) => [name + ' ' + where, pod])),
    ...Object.entries(SOUND_PODS),
  ];
  const found = async (pod) => {
    const rules = [];
    const report = { addViolation: ({ ruleName }) => rules.push(ruleName), submit: () => {} };
    await new HardeningValidation().validate({ manifests: ['-'], report, parseManifest: () => [pod] });
    return rules;
  };
  const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  Promise.all([...planted, ...given].map(async ([name, pod]) => ({ name, pod, rules: await found(pod) }))).then(
    (all) => process.stdout.write(JSON.stringify(all)),
  );
`;

interface Pod extends Json {
  readonly metadata: { readonly name: string };
  readonly spec: Json & { readonly ephemeralContainers?: readonly Json[] };
}
interface Checked {
  readonly name: string;
  readonly pod: Pod;
  readonly rules: readonly string[];
}

/** What the API server calls each check where it refuses. */
const REASONS: Readonly<Record<string, RegExp>> = {
  privileged: /^privileged$/,
  allowPrivilegeEscalation: /^allowPrivilegeEscalation != false$/,
  capabilities: /^unrestricted capabilities$/,
  runAsNonRoot: /^runAsNonRoot != true$/,
  runAsUser: /^runAsUser=0$/,
  seccompProfile: /^seccompProfile$/,
  appArmorProfile: /^forbidden AppArmor profiles?$/,
  seLinuxOptions: /^seLinuxOptions$/,
  procMount: /^procMount$/,
  hostNamespaces: /^host namespaces$/,
  hostPorts: /^hostPort$/,
  hostProbesAndHostLifecycle: /^probe or lifecycle host$/,
  windowsHostProcess: /^hostProcess$/,
  sysctls: /^forbidden sysctls$/,
  restrictedVolumes: /^restricted volume types$/,
};

/**
 * The checks that an answer names, each as a reason with details in parentheses; none where the pod is taken. Absent:
 * the pod is not valid, and Pod Security was not asked.
 */
function checksOf({ status, text }: Answer): readonly string[] | undefined {
  if (status < 300) return [];
  if (status === 422) return undefined;
  const { message } = JSON.parse(text) as { readonly message: string };
  if (!message.includes('violates PodSecurity "restricted:latest"')) throw new Error(`${status} ${message}`);
  const reasons = [...message.matchAll(/(?:latest": |\), )(?<reason>[^()]+) \(/g)].map(
    (match) => match.groups!.reason!,
  );
  return reasons.map((reason) => {
    const check = Object.keys(REASONS).find((name) => REASONS[name]!.test(reason));
    if (check === undefined) throw new Error(`a check that this library does not have: ${reason}`);
    return check;
  });
}

/** Pods that the module of Pod Security has for the newest version of its profile; absent ones fail the test below. */
function podsOfKubernetes(): [string, unknown][] {
  const args = ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/pod-security-admission'];
  const cwd = join(root, 'test', 'e2e', 'cluster', 'controlplane');
  const module = execFileSync('go', args, { cwd, encoding: 'utf8' }).trim();
  const profile = join(module, 'test', 'testdata', 'restricted');
  const minor = (folder: string) => Number(folder.split('.')[1]);
  const newest = readdirSync(profile).sort((a, b) => minor(b) - minor(a))[0]!;
  return ['pass', 'fail'].flatMap((of) =>
    readdirSync(join(profile, newest, of)).map((file): [string, unknown] => [
      `${of}/${file}`,
      parse(readFileSync(join(profile, newest, of, file), 'utf8')),
    ]),
  );
}

const missing = missingForApiServer();
needs('Pod Security at a real API server', missing);
(missing.length === 0 ? describe : describe.skip)('Pod Security at a real API server', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-hardening-'));
  let api: ApiServer;
  let checked: readonly Checked[];

  const at = (path: string) => `/api/v1/namespaces/${path}?dryRun=All`;
  const create = (pod: object, path: string) => api.call({ method: 'POST', path, body: pod });
  /** Whether it takes the pod, and a debug container only into a pod that runs. */
  const asked = async ({ pod }: Checked, n: number): Promise<Answer> => {
    const { ephemeralContainers, ...spec } = pod.spec;
    const name = `pod-${n}`; // some names of Kubernetes's pods are those of files
    const made = { ...pod, metadata: { ...pod.metadata, name, namespace: 'strict' }, spec };
    if (ephemeralContainers === undefined) return create(made, at('strict/pods'));
    const { status, text } = await create(made, '/api/v1/namespaces/strict/pods');
    if (status !== 201) throw new Error(text);
    return api.call({
      method: 'PATCH',
      path: at(`strict/pods/${name}/ephemeralcontainers`),
      type: 'application/strategic-merge-patch+json',
      body: { spec: { ephemeralContainers } },
    });
  };

  beforeAll(async () => {
    const args = ['-r', 'ts-node/register/transpile-only', '-e', FIND];
    const input = JSON.stringify(podsOfKubernetes());
    const env = { ...process.env, NODE_OPTIONS: '' };
    checked = JSON.parse(execFileSync(process.execPath, args, { cwd: root, input, env, encoding: 'utf8' }));
    mkdirSync(join(dir, 'api'));
    api = await startApiServer({ dir: join(dir, 'api') });
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels } });
    const account = { name: 'default', namespace: 'strict' };
    await api.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
  }, BUILD_MS);
  afterAll(async () => {
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it('refuses what the plugin finds, for the same checks, and takes the rest', async () => {
    const differences: unknown[] = [];
    const counts = { taken: 0, refused: 0 };
    const invalid: string[] = [];
    for (const [n, each] of checked.entries()) {
      const checks = checksOf(await asked(each, n));
      if (checks === undefined) {
        invalid.push(each.name);
        continue;
      }
      const ours = each.rules
        .filter((rule) => rule.startsWith('pod-security/'))
        .map((rule) => rule.split('/')[1]!);
      counts[checks.length === 0 ? 'taken' : 'refused'] += 1;
      if (JSON.stringify([...checks].sort()) !== JSON.stringify([...ours].sort()))
        differences.push({ pod: each.name, server: checks, plugin: ours });
    }
    process.stdout.write(`pods: ${counts.taken} taken, ${counts.refused} refused\n`);
    expect(differences).toEqual([]);
    // It wants a user namespace for an unmasked /proc; the planted pod has one.
    expect(invalid).toEqual(['fail/procmount0.yaml', 'fail/procmount1.yaml']);
    expect(counts.taken).toBeGreaterThan(20);
    expect(counts.refused).toBeGreaterThan(90);
  }, 60_000);
});
