/**
 * What every example app emits, by two tools that others hold manifests against: kubectl-validate, at the oldest and
 * the newest Kubernetes, and kube-score, with the waivers of kube-score/waivers.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer } from '../support/api-server.js';
import { definitionsFor, type Named } from '../support/client.js';
import { needs } from '../support/daemon.js';
import { goProgram } from '../support/go-program.js';
import { synthesized } from '../support/synthesized.js';

const APPS = ['quickstart', 'reference', 'demo', 'exposed'] as const;
const VERSIONS = ['oldest', 'newest'] as const;
const BUILD_MS = 1_500_000;
/** Of kube-score: what is below it is said. */
const ALL_OK = 10;

interface Validated {
  readonly status: string;
  readonly message?: string;
}
interface Scored {
  readonly object_name: string;
  readonly checks: readonly {
    readonly check: { readonly id: string };
    readonly grade: number;
    readonly skipped: boolean;
    readonly comments: readonly { readonly summary: string }[] | null;
  }[];
}
interface Waiver {
  readonly check: string;
  readonly comment: string;
  readonly reason: string;
}

/** What it says, also where it fails: both say by their exit that they found something. */
function said(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { stdio: 'pipe', maxBuffer: 2 ** 26 }).toString();
  } catch (cause) {
    const { stdout, stderr } = cause as { readonly stdout: Buffer; readonly stderr: Buffer };
    if (stdout.length === 0) throw new Error(stderr.toString(), { cause });
    return stdout.toString();
  }
}

const missing = missingForApiServer();
needs('kubectl-validate and kube-score', missing);
(missing.length === 0 ? describe : describe.skip)('the manifests of an app', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-checkers-'));
  const file = (name: string) => join(dir, name);
  const manifests = new Map<string, readonly Named[]>();
  let api: ApiServer;

  /** Of a server, in the folders where kubectl-validate looks for them. */
  const saveSchemas = async (folder: string) => {
    const index = await api.call({ path: '/openapi/v3' });
    const { paths } = JSON.parse(index.text) as {
      readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
    };
    for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
      if (!/^(api|apis\/[^/]+)\/[^/]+$/.test(path)) continue;
      const target = join(folder, `${path}.json`);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, (await api.call({ path: serverRelativeURL })).text);
    }
  };
  /** That the app says itself. */
  const oldest = () => {
    const namespace = manifests.get('quickstart')!.find(({ kind }) => kind === 'Namespace')!;
    const { labels } = namespace.metadata as unknown as { labels: Readonly<Record<string, string>> };
    return labels['pod-security.kubernetes.io/enforce-version']!.replace('v', '');
  };
  const validate = (version: (typeof VERSIONS)[number], target: string) => {
    const of = version === 'oldest' ? [] : [`--local-schemas=${file('schemas')}`];
    const args = [`--version=${oldest()}`, ...of, `--local-crds=${file('crds')}`, '--output=json', target];
    const files = JSON.parse(said(goProgram('kubectl-validate'), args)) as Readonly<
      Record<string, readonly Validated[]>
    >;
    const objects = Object.values(files).flat();
    const problems = objects
      .filter(({ status }) => status !== 'Success')
      .map(({ message }) => message ?? 'not valid');
    return { count: objects.length, problems };
  };
  const score = (target: string) => {
    const args = ['score', `--kubernetes-version=v${oldest()}`, '--output-format=json', target];
    const objects = JSON.parse(said(goProgram('kube-score'), args)) as readonly Scored[];
    const low = objects.flatMap(({ object_name, checks }) =>
      checks
        .filter(({ grade, skipped }) => !skipped && grade < ALL_OK)
        .flatMap(({ check, comments }) =>
          (comments ?? []).map(({ summary }) => ({ object: object_name, check: check.id, summary })),
        ),
    );
    return { objects: objects.map(({ object_name }) => object_name), comments: low };
  };
  const fileOf = (app: string) => file(`${app}.yaml`);

  beforeAll(async () => {
    const as = { ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' };
    writeFileSync(file('as.json'), JSON.stringify({ keys: [as] }));
    for (const app of APPS) {
      const [source, argument] =
        app === 'exposed' ? ['test/support/exposure-app.ts', file('as.json')] : ['apps/main.ts', app];
      const objects = synthesized<Named>(source, file(app), argument);
      manifests.set(app, objects);
      writeFileSync(fileOf(app), objects.map((object) => JSON.stringify(object)).join('\n---\n'));
    }
    mkdirSync(file('crds'));
    writeFileSync(join(file('crds'), 'all.yaml'), definitionsFor([...manifests.values()].flat()));
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api') });
    await saveSchemas(file('schemas'));
    goProgram('kubectl-validate');
    goProgram('kube-score');
  }, BUILD_MS);
  afterAll(async () => {
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  describe.each(VERSIONS)('by kubectl-validate, at the %s Kubernetes', (version) => {
    it.each(APPS)('are valid: %s', (app) => {
      expect(validate(version, fileOf(app))).toEqual({ count: manifests.get(app)!.length, problems: [] });
    });
    it('are judged by the fields of that version', () => {
      // Of Kubernetes 1.34.
      const template = { spec: { containers: [], hostnameOverride: 'a' } };
      const metadata = { name: 'a', namespace: 'default' };
      const object = { apiVersion: 'v1', kind: 'PodTemplate', metadata, template };
      writeFileSync(file('newer.yaml'), JSON.stringify(object));
      const unknown = [expect.stringContaining('hostnameOverride')];
      expect(validate(version, file('newer.yaml')).problems).toEqual(version === 'oldest' ? unknown : []);
    });
  });

  it('have no comment of kube-score but those that are waived, each with its reason', () => {
    const path = join(import.meta.dirname, 'kube-score', 'waivers.json');
    const waivers = JSON.parse(readFileSync(path, 'utf8')) as readonly Waiver[];
    const scores = APPS.map((app) => score(fileOf(app))); // two apps have an object of the same name
    const comments = scores.flatMap((of) => of.comments);
    const scored = scores.flatMap((of) => of.objects).filter((name) => name.startsWith('Deployment/'));
    const deployments = [...manifests.values()].flat().filter(({ kind }) => kind === 'Deployment');
    expect(scored).toHaveLength(deployments.length);
    const isWaived = ({ check, summary }: (typeof comments)[number]) =>
      waivers.some((waiver) => waiver.check === check && waiver.comment === summary);
    expect(comments.filter((comment) => !isWaived(comment))).toEqual([]);
    // A waiver that nothing needs any more is taken out.
    const needed = new Set(comments.map(({ check }) => check));
    expect(waivers.filter(({ check }) => !needed.has(check))).toEqual([]);
    for (const { reason } of waivers) expect(reason.length).toBeGreaterThan(40);
  });
});
