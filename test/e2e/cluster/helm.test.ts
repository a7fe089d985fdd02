/**
 * Every example app as a Helm chart, by the command of the README, against a real API server with its controllers:
 * each of Helm's commands, of both versions of Helm that are in use.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { agw } from '../support/agw.js';
import { missingForApiServer, startApiServer, type ApiServer } from '../support/api-server.js';
import { client, definitionsFor, type Named, type Run } from '../support/client.js';
import { needs } from '../support/daemon.js';
import { synthesized } from '../support/synthesized.js';

const root = join(import.meta.dirname, '..', '..', '..');
const APPS = ['quickstart', 'reference', 'demo'] as const;
const HELMS = ['helm3', 'helm4'] as const;
/** Of an object: a Secret of a release beyond it is refused. */
const SECRET_LIMIT = 2 ** 20;
const UNTIL_MS = 60_000;

interface Deployment extends Named {
  readonly spec: {
    readonly replicas: number;
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly name: string;
          readonly image: string;
          readonly command?: readonly string[];
          readonly resources: { readonly limits: Readonly<Record<string, string>> };
        }[];
      };
    };
  };
}

const documents = (text: string): Named[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Named | null)
    .filter((object): object is Named => object !== null);
const nameOf = ({ kind, metadata }: Named) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
const byName = (objects: readonly Named[]) => [...objects].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
/** Kubernetes makes it itself, so that a chart cannot. */
const isDefaultAccount = ({ kind, metadata }: Named) =>
  kind === 'ServiceAccount' && metadata.name === 'default';

const missing = missingForApiServer();
needs('helm against a real API server', missing);
(missing.length === 0 ? describe : describe.skip)('an app as a Helm chart', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-helm-'));
  const file = (name: string) => join(dir, name);
  const plain = new Map<string, readonly Named[]>();
  let api: ApiServer;
  let kubectl: Run;

  /** As a user makes it. */
  const chartOf = (name: string, app: string) => {
    const args = [
      'synth',
      '--app',
      app,
      '--format',
      'helm',
      '--chart-version',
      '0.0.0',
      '--output',
      file(name),
    ];
    execFileSync(join(root, 'node_modules', '.bin', 'cdk8s'), args, {
      cwd: root,
      stdio: 'pipe',
      env: { ...process.env, NODE_OPTIONS: '', CDK8S_CHECK_UPGRADE: 'false' },
    });
    return file(name);
  };
  const rollout = (audience: string) =>
    chartOf(audience, `npx ts-node -T test/support/rollout-app.ts ${file('as.json')} ${audience} alone`);
  const removed = async (namespaces: readonly string[]) => {
    kubectl(['delete', 'namespace', '--ignore-not-found', '--wait=false', ...namespaces]);
    const end = performance.now() + UNTIL_MS;
    const left = () => kubectl(['get', 'namespaces', '--ignore-not-found', '-o', 'name', ...namespaces]);
    while (left() !== '') {
      if (performance.now() > end) throw new Error(`not gone within ${UNTIL_MS} ms: ${left()}`);
      await sleep(200);
    }
  };
  const configMaps = (namespace: string) =>
    kubectl(['get', 'configmaps', '-n', namespace, '-o', 'name']).split('\n').sort();

  beforeAll(async () => {
    execFileSync('npm', ['run', '--silent', 'synth:helm'], {
      cwd: root,
      stdio: 'pipe',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const as = { ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' };
    writeFileSync(file('as.json'), JSON.stringify({ keys: [as] }));
    for (const name of APPS) plain.set(name, synthesized<Named>('apps/main.ts', file(`plain-${name}`), name));
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api'), controllers: true });
    kubectl = client('kubectl', api, dir);
    kubectl(['apply', '--server-side', '-f', '-'], definitionsFor([...plain.values()].flat()));
    kubectl(['wait', '--for', 'condition=established', 'crd', '--all', '--timeout', '30s']);
  }, 1_500_000);
  afterAll(async () => {
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  describe.each(HELMS)('with %s', (version) => {
    let helm: Run;
    beforeAll(() => {
      helm = client(version, api, dir);
    }, 600_000);

    it.each(APPS)('%s: lints, and renders to the manifests that kubectl would apply', (name) => {
      const chart = join(root, 'charts', name);
      expect(helm(['lint', '--strict', chart])).toContain('1 chart(s) linted, 0 chart(s) failed');
      const rendered = documents(helm(['template', 'gateway', chart]));
      const wanted = plain.get(name)!.filter((object) => !isDefaultAccount(object));
      expect(byName(rendered)).toEqual(byName(wanted));
      expect(rendered.length).toBeGreaterThan(5);
    });

    it('installs, upgrades, takes back and uninstalls every app', async () => {
      for (const name of APPS) {
        const chart = join(root, 'charts', name);
        const release = (command: string, ...more: string[]) =>
          helm([command, name, ...more, '-n', 'default']);
        const objects = plain.get(name)!;
        const { metadata } = objects.find(({ kind }) => kind === 'Deployment')!;
        const namespace = metadata.namespace!;
        if (!objects.some(({ kind }) => kind === 'Namespace')) kubectl(['create', 'namespace', namespace]);
        const deployment = () =>
          JSON.parse(
            kubectl(['get', 'deployment', metadata.name, '-n', namespace, '-o', 'json']),
          ) as Deployment;
        const image = `registry.example/node:1@sha256:${'a'.repeat(64)}`;

        release('install', chart);
        // All of them are there, or it fails.
        kubectl(['get', '-f', file(`plain-${name}`), '-o', 'name']);
        const first = deployment();
        const several = first.spec.replicas > 1;
        const sets = [`image=${image}`, 'resources.memoryMebibytes=512', ...(several ? ['replicas=4'] : [])];
        const flags = sets.flatMap((set) => ['--set', `${namespace}.${metadata.name}.${set}`]);
        release('upgrade', chart, ...flags);
        const { spec } = deployment();
        const [proxy] = spec.template.spec.containers;
        expect([proxy!.image, proxy!.resources.limits.memory]).toEqual([image, '512Mi']);
        expect(proxy!.command).toContain('--max-old-space-size=256');
        expect(spec.replicas).toBe(several ? 4 : 1);
        release('rollback', '1');
        expect(deployment().spec).toEqual(first.spec);
      }
      const sizes = releases();
      expect(sizes).toHaveLength(3 * APPS.length);
      expect(Math.max(...sizes)).toBeLessThan(SECRET_LIMIT);
      for (const name of APPS) helm(['uninstall', name, '-n', 'default']);
      expect(releases()).toEqual([]);
      const namespaces = [...new Set([...plain.values()].flat().map(({ metadata }) => metadata.namespace))];
      await removed(namespaces.filter((name) => name !== undefined));
    }, 240_000);
    /** Bytes of the Secret of each revision. */
    const releases = () => {
      const { items } = JSON.parse(
        kubectl(['get', 'secrets', '-n', 'default', '-l', 'owner=helm', '-o', 'json']),
      ) as {
        items: readonly { data: { release: string } }[];
      };
      return items.map(({ data }) => Buffer.from(data.release, 'base64').length);
    };

    it('refuses a value that would break a gateway, in words', () => {
      const lint = (set: string) => () =>
        helm(['template', 'x', join(root, 'charts', 'reference'), '--set', `aiops.agentgateway.${set}`]);
      expect(lint('image=node:24')).toThrow(/image/);
      expect(lint(`image=a"b@sha256:${'0'.repeat(64)}`)).toThrow(/image/);
      expect(lint('resources.cpu=-1')).toThrow(/cpu/);
      expect(lint('replicas=0')).toThrow(/replicas/);
      expect(lint('resources.memoryMebibytes=64')).toThrow(/memoryMebibytes/);
      expect(lint('replica=3')).toThrow(/replica/);
    });

    it('keeps in its Secret what was set, which agw finds there', () => {
      const chart = file(`leaky-${version}`);
      mkdirSync(join(chart, 'templates'), { recursive: true });
      writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: leaky\nversion: 0.0.1\n');
      writeFileSync(join(chart, 'values.yaml'), 'database: { user: app, password: in-the-chart }\n');
      writeFileSync(
        join(chart, 'templates', 'secret.yaml'),
        'apiVersion: v1\nkind: Secret\nmetadata: { name: leaked }\nstringData: { pin: "{{ .Values.pin }}" }\n',
      );
      helm(['install', 'leaky', chart, '-n', 'default', '--set', 'api.token=was-set,pin=p1234']);
      const secret = kubectl(['get', 'secret', 'sh.helm.release.v1.leaky.v1', '-n', 'default', '-o', 'json']);
      helm(['uninstall', 'leaky', '-n', 'default']);
      const [command, ...args] = agw();
      const inspect = (...more: string[]) =>
        spawnSync(command, [...args, 'helm-secret', 'inspect', '-', ...more], {
          input: secret,
          encoding: 'utf8',
        });
      const { status, stdout } = inspect();
      expect(status).toBe(1);
      expect(stdout.match(/SECRET {2}\S+(?=:)/g)).toEqual([
        'SECRET  config.api.token',
        'SECRET  chart.values.database.password',
        'SECRET  manifest.Secret/leaked.stringData.pin',
      ]);
      expect(stdout).not.toMatch(/was-set|in-the-chart|p1234/);
      expect(inspect('--show').stdout).toMatch(/was-set[^]*in-the-chart[^]*p1234/);
    });

    it('brings the config of a revision back with it', async () => {
      const [first, second] = [rollout('first'), rollout('second')];
      helm(['install', 'gateway', first, '-n', 'default']);
      const before = configMaps('aiops');
      helm(['upgrade', 'gateway', second, '-n', 'default']);
      expect(configMaps('aiops')).not.toEqual(before);
      helm(['rollback', 'gateway', '1', '-n', 'default']);
      expect(configMaps('aiops')).toEqual(before);
      helm(['uninstall', 'gateway', '-n', 'default']);
      await removed(['aiops']);
    }, 120_000);
  });

  it('says in its notes how the default ServiceAccount is to be changed, and the command does it', () => {
    const notes = readFileSync(join(root, 'charts', 'quickstart', 'templates', 'NOTES.txt'), 'utf8');
    const [, command] = /^ {2}kubectl (.*)$/m.exec(notes)!;
    kubectl(['create', 'namespace', 'mcp']);
    const args = command!.split(' ').map((word) => word.replace(/^'|'$/g, ''));
    const end = performance.now() + UNTIL_MS;
    while (
      kubectl(['get', 'serviceaccount', 'default', '-n', 'mcp', '--ignore-not-found', '-o', 'name']) === ''
    )
      if (performance.now() > end) throw new Error('no default ServiceAccount');
    kubectl(args);
    expect(
      kubectl([
        'get',
        'serviceaccount',
        'default',
        '-n',
        'mcp',
        '-o',
        'jsonpath={.automountServiceAccountToken}',
      ]),
    ).toBe('false');
  });
});
