/**
 * `agw doctor` as an operator runs it, by kubectl against a real API server: of a good cluster it finds nothing, and
 * each planted fault by its line. Nodes and a network plugin are what the test says is there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';
import { agw } from '../support/agw.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { client, definitionsFor, type Named, type Run } from '../support/client.js';
import { needs } from '../support/daemon.js';
import { goProgram } from '../support/go-program.js';
import { synthesized } from '../support/synthesized.js';

/** Of the range that documentation uses: nobody has it. */
const ADVERTISED = '192.0.2.10';
const SERVICE_IP = '10.96.0.1';
const BUILD_MS = 600_000;

interface Finding {
  readonly check: string;
  readonly of: string;
  readonly result: string;
  readonly got: string;
  readonly next?: string;
}

const missing = missingForApiServer();
needs('agw doctor', missing);
(missing.length === 0 ? describe : describe.skip)('agw doctor, asking a real API server', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-doctor-'));
  const file = (name: string) => join(dir, name);
  let api: ApiServer;
  let kubectl: Run;

  const synth = (name: string, port: number): string => {
    synthesized(
      'test/support/doctor-app.ts',
      file(name),
      file('as.json'),
      SERVICE_IP,
      ADVERTISED,
      String(port),
    );
    return file(name);
  };
  /** @returns its exit code and what it found, of what is not ok */
  const examine = (...args: string[]) => {
    const [command, ...words] = agw();
    const ran = spawnSync(command, [...words, 'doctor', ...args, '--kubeconfig', api.kubeconfig, '--json'], {
      encoding: 'utf8',
      env: { HOME: dir, PATH: [file('bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter) },
    });
    expect(ran.stderr).toBe('');
    const { findings } = JSON.parse(ran.stdout) as { readonly findings: readonly Finding[] };
    const of = (result: string) => findings.filter((finding) => finding.result === result);
    return { code: ran.status, ok: of('ok'), unknown: of('unknown'), faults: of('fault') };
  };
  const lines = (findings: readonly Finding[]) =>
    findings.map(({ check, of, got }) => `${check}: ${of}: ${got}`);
  const certificate = (name: string, days: number) => {
    const text = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=gateway'];
    const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)];
    execFileSync('openssl', ['req', '-x509', ...text, '-days', String(days), ...files], { stdio: 'pipe' });
    return file(`${name}.crt`);
  };
  const put = async (path: string, body: Json) => {
    const { status, text } = await api.call({
      method: 'PATCH',
      path,
      body,
      type: 'application/merge-patch+json',
    });
    expect([path, status < 300 ? '' : text]).toEqual([path, '']);
  };
  /** @param behindSeconds of its clock, as its kubelet's lease has it */
  const renew = (behindSeconds: number) =>
    put('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-1', {
      spec: { renewTime: new Date(Date.now() - behindSeconds * 1000).toISOString().replace('Z', '000Z') },
    });
  const makeNode = async () => {
    const metadata = { name: 'worker-1' };
    const nodeInfo = { kubeletVersion: api.version, kernelVersion: '6.8.0', osImage: 'Ubuntu 24.04.3 LTS' };
    const runtime = { containerRuntimeVersion: 'containerd://2.1.4' };
    const Ready = { type: 'Ready', status: 'True' };
    await api.call({ method: 'POST', path: '/api/v1/nodes', body: { metadata } });
    await put('/api/v1/nodes/worker-1/status', {
      status: { nodeInfo: { ...nodeInfo, ...runtime }, conditions: [Ready] },
    });
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    await api.call({
      method: 'POST',
      path: leases,
      body: { metadata, spec: { holderIdentity: 'worker-1' } },
    });
    await renew(0);
  };
  const makePlugin = async (name: string) => {
    const labels = { app: name };
    const spec = { containers: [{ name: 'agent', image: 'registry.example/agent' }] };
    const sets = '/apis/apps/v1/namespaces/kube-system/daemonsets';
    const body = {
      metadata: { name },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    };
    expect((await api.call({ method: 'POST', path: sets, body })).status).toBe(201);
    const [numberReady, desiredNumberScheduled] = [1, 1];
    await put(`${sets}/${name}/status`, { status: { numberReady, desiredNumberScheduled } });
  };

  beforeAll(async () => {
    writeFileSync(
      file('as.json'),
      JSON.stringify({ keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256' }] }),
    );
    mkdirSync(file('api'));
    mkdirSync(file('bin'));
    symlinkSync(goProgram('kubectl'), join(file('bin'), 'kubectl'));
    api = await startApiServer({ dir: file('api'), advertised: ADVERTISED });
    kubectl = client('kubectl', api, dir);
    const objects = synthesized<Named>(
      ...(['test/support/doctor-app.ts', file('all'), file('as.json'), SERVICE_IP, ADVERTISED] as const),
      String(api.port),
    );
    kubectl(['apply', '--server-side', '-f', '-'], definitionsFor(objects));
    await makeNode();
    await makePlugin('calico-node');
    while (kubectl(['get', '--raw', '/apis']).includes('"cert-manager.io"') === false) await sleep(100);
  }, BUILD_MS);
  afterAll(async () => {
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it('finds no fault in a good cluster, and says what it cannot tell', async () => {
    await renew(0);
    const { code, ok, unknown, faults } = examine(file('all'), certificate('good', 30));
    expect(lines(faults)).toEqual([]);
    expect(code).toBe(0);
    expect(lines(unknown)).toEqual(['replay store: rediss://redis:6379: not asked']);
    expect(lines(ok)).toEqual(
      expect.arrayContaining([
        `kubernetes version: API server: ${api.version}`,
        `node versions: kubelet of 1 node(s): ${api.version} on worker-1`,
        'AppArmor: nodes with Ubuntu 24.04.3 LTS: a distribution that has it on',
        'network policy: network plugin: Calico, on 1 of 1 nodes',
        'API: cert-manager.io/v1: served',
        'API: monitoring.coreos.com/v1: served',
        // An API server cuts its time to seconds.
        expect.stringMatching(/^clock: API server: (the same|1 s behind)$/),
        'clock: node worker-1: the same',
      ]),
    );
    // The Service's address, and the one behind it.
    expect(ok.filter(({ check }) => check === 'API server address').map(({ got }) => got)).toEqual([
      'open',
      'open',
    ]);
  });

  it('finds what runs in a namespace to be as good, from the cluster alone', async () => {
    kubectl(['apply', '--server-side', '-f', file('all')]);
    const tls = [
      'secret',
      'tls',
      'edge-tls',
      '--cert',
      certificate('served', 3),
      '--key',
      file('served.key'),
    ];
    kubectl(['create', ...tls, '-n', 'aiops']);
    await renew(0);
    const { code, ok, faults } = examine('--namespace', 'aiops');
    expect(ok.filter(({ check }) => check === 'API server address')).toHaveLength(2);
    expect(faults.map(({ check, of }) => [check, of])).toEqual([
      ['certificate', 'Secret aiops/edge-tls tls.crt'],
    ]);
    expect(code).toBe(1);
  });

  it.each<[string, () => string[] | Promise<string[]>, string, string]>([
    [
      'the API server at another port than the policy opens',
      () => [synth('moved', 6443)],
      `API server address: egress of aiops/agentgateway: closed; open are ${SERVICE_IP}/32:443, ${ADVERTISED}/32:6443`,
      'name it in endpoints and endpointPort of ApiServerAccess, synthesize and apply',
    ],
    [
      'a certificate that ends in two days',
      () => [file('all'), certificate('soon', 2)],
      'certificate: ',
      'renew it: docs/runbook.md, "Rotate the certificate"',
    ],
    [
      'a node whose clock is two minutes behind',
      async () => {
        await renew(120);
        return [file('all')];
      },
      'clock: node worker-1: 1',
      'compare both with a third (NTP)',
    ],
    [
      'a node whose kubelet is too old, and has no AppArmor',
      async () => {
        const nodeInfo = { kubeletVersion: 'v1.28.3', osImage: 'Bottlerocket OS 1.44.0' };
        await put('/api/v1/nodes/worker-1/status', { status: { nodeInfo } });
        return [file('all')];
      },
      'node versions: kubelet of 1 node(s): v1.28.3 on worker-1',
      'upgrade these nodes',
    ],
    [
      'a network plugin that enforces nothing',
      async () => {
        kubectl(['delete', 'daemonset', 'calico-node', '-n', 'kube-system']);
        await makePlugin('kube-flannel-ds');
        return [file('all')];
      },
      'network policy: network plugin: kube-flannel-ds, which does not',
      'add a plugin that does',
    ],
    [
      'a definition that is not there',
      async () => {
        kubectl(['delete', 'crd', 'podmonitors.monitoring.coreos.com']);
        while (kubectl(['get', '--raw', '/apis/monitoring.coreos.com/v1']).includes('PodMonitor'))
          await sleep(100);
        return [file('all')];
      },
      'API: monitoring.coreos.com/v1: no PodMonitor',
      'install Prometheus Operator',
    ],
  ])(
    'finds %s',
    async (_what, plant, line, next) => {
      await renew(0);
      const { code, faults } = examine(...(await plant()));
      const found = faults.filter((_, i) => lines(faults)[i]!.startsWith(line));
      expect([lines(faults), found.length, found[0]?.next]).toEqual([
        expect.anything(),
        1,
        expect.stringContaining(next),
      ]);
      expect(code).toBe(1);
    },
    60_000,
  );

  it('says what it may not read, and does not call it a fault', () => {
    const user = 'system:serviceaccount:aiops:default';
    const config = JSON.parse(readFileSync(api.kubeconfig, 'utf8')) as { users: { user: Json }[] };
    config.users[0]!.user = { ...config.users[0]!.user, as: user };
    writeFileSync(file('nobody'), JSON.stringify(config));
    const [command, ...words] = agw();
    const ran = spawnSync(command, [...words, 'doctor', file('all'), '--kubeconfig', file('nobody')], {
      encoding: 'utf8',
      env: { HOME: dir, PATH: file('bin') },
    });
    expect(ran.stdout).toMatch(/^unknown +node versions +nodes +kubectl: Error from server \(Forbidden\): /m);
    expect(ran.stdout).toMatch(/^ok +kubernetes version /m);
  });
});
