/**
 * What `agw doctor` finds in planted manifests and clusters; a real Redis and a real gateway are asked. A real API
 * server is asked by test/e2e/cluster/doctor.test.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wallClock } from '../../src/clock.js';
import { CliError } from '../../src/cli/command.js';
import { doctor } from '../../src/cli/doctor.js';
import { checkApiServer } from '../../src/cli/doctor/api-server.js';
import { checkApis } from '../../src/cli/doctor/apis.js';
import { checkCertificates } from '../../src/cli/doctor/certificates.js';
import { checkClocks } from '../../src/cli/doctor/clocks.js';
import type { Cluster } from '../../src/cli/doctor/cluster.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { checkAppArmor, checkNetworkPlugin } from '../../src/cli/doctor/nodes.js';
import { checkVersions } from '../../src/cli/doctor/versions.js';
import { hasRedis, RedisProcess } from '../replay/redis-process.js';
import { startFixture } from '../support/gateway.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-doctor-'));
const at = (...names: string[]) => join(dir, ...names);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const AGW = join(import.meta.dirname, '..', '..', '..', 'assets', 'agw.mjs');

const said = (findings: readonly Finding[]) =>
  findings.map(({ result, of, got }) => `${result}: ${of}: ${got}`);
const results = (findings: readonly Finding[]) => findings.map(({ result }) => result);
/** A cluster that says this at these paths. */
const cluster = (answers: Readonly<Record<string, unknown>>): Cluster => ({
  get: (path) => Promise.resolve(answers[path.split('?')[0]!]),
  review: () => Promise.reject(new Error('nobody asked for a review')),
});
async function run(...args: string[]) {
  const lines: string[] = [];
  const code = await doctor.run(args, { out: (line) => lines.push(...line.split('\n')) });
  return { code, lines };
}

const pod = (spec: object, labels = { app: 'gw' }) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'gw', namespace: 'aiops' },
  spec: { template: { metadata: { labels }, spec } },
});
/** A gateway with this config. */
const gateway = (config: object) => [
  pod({
    containers: [
      {
        command: ['node', '/app/proxy.mjs', 'serve', '--config', '/etc/gw/config.json'],
        volumeMounts: [{ name: 'config', mountPath: '/etc/gw' }],
      },
    ],
    volumes: [{ name: 'config', configMap: { name: 'gw-config' } }],
  }),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'gw-config', namespace: 'aiops' },
    data: { 'config.json': JSON.stringify(config) },
  },
];

describe('agw doctor: versions', () => {
  const sleeping = pod({ containers: [{ lifecycle: { preStop: { sleep: { seconds: 5 } } } }] });
  const grouped = pod({ securityContext: { supplementalGroupsPolicy: 'Strict' }, hostUsers: false });
  const nodes = (nodeInfo: object) => ({
    items: [{ metadata: { name: 'n1' }, status: { nodeInfo: { kubeletVersion: 'v1.33.1', ...nodeInfo } } }],
  });
  it.each([
    ['v1.30.0', [sleeping], ['ok: API server: v1.30.0', 'ok: kubelet of 1 node(s): v1.33.1 on n1']],
    ['v1.29.9+k3s1', [], ['fault: API server: v1.29.9+k3s1']],
    // What EKS and GKE say.
    ['v1.33.4-eks-99', [pod({ hostUsers: true })], ['ok: API server: v1.33.4-eks-99']],
  ])('asks %s for what the manifests need', async (gitVersion, objects, want) => {
    const asked = cluster({ '/version': { gitVersion }, '/api/v1/nodes': nodes({}) });
    expect(said(await checkVersions(objects, asked))).toEqual(want);
  });
  it('names the fields that an old API server drops', async () => {
    const asked = cluster({ '/version': { gitVersion: 'v1.32.0' }, '/api/v1/nodes': nodes({}) });
    const [found] = await checkVersions([grouped, sleeping], asked);
    expect(found).toMatchObject({ result: 'fault', want: '1.33 or later' });
    expect(found!.next).toMatch(/hostUsers: false.*supplementalGroupsPolicy/);
    expect(found!.next).not.toContain('preStop');
  });
  it.each([
    [{ kernelVersion: '6.2.9', containerRuntimeVersion: 'containerd://1.7.20' }, ['fault', 'fault']],
    [{ kernelVersion: '6.12.1', containerRuntimeVersion: 'containerd://2.0.4' }, ['ok', 'ok']],
    [{ kernelVersion: '6.3.0', containerRuntimeVersion: 'cri-o://1.30.2' }, ['ok', 'fault']],
  ])('compares kernel and runtime of nodes: %j', async (nodeInfo, want) => {
    const asked = cluster({ '/version': { gitVersion: 'v1.34.0' }, '/api/v1/nodes': nodes(nodeInfo) });
    const [server, kubelet, ...rest] = results(await checkVersions([grouped], asked));
    expect([server, kubelet, rest]).toEqual(['ok', 'ok', want]);
  });
});

describe('agw doctor: nodes and their network', () => {
  const set = (name: string, { ready = 2, args = [] as string[] } = {}) => ({
    metadata: { name },
    spec: { template: { spec: { containers: [{ args }] } } },
    status: { numberReady: ready, desiredNumberScheduled: 2 },
  });
  it.each<[string, object[], string, string]>([
    ['Calico', [set('kube-proxy'), set('calico-node')], 'ok', 'v1.34.0'],
    ['a Cilium that is not on every node', [set('cilium', { ready: 1 })], 'fault', 'v1.34.0'],
    ['flannel alone', [set('kube-flannel-ds')], 'fault', 'v1.34.0'],
    [
      'flannel with a policy controller',
      [set('kube-flannel-ds'), set('kube-network-policies')],
      'ok',
      'v1.34.0',
    ],
    [
      'the VPC CNI as it comes',
      [set('aws-node', { args: ['--enable-network-policy=false'] })],
      'fault',
      'v1.34.0',
    ],
    [
      'the VPC CNI with policies',
      [set('aws-node', { args: ['--enable-network-policy=true'] })],
      'ok',
      'v1.34.0',
    ],
    ['k3s', [], 'ok', 'v1.34.0+k3s1'],
    ['kind', [set('kindnet')], 'unknown', 'v1.34.0'],
    ['something else', [set('acme-net')], 'unknown', 'v1.34.0'],
    ['a plugin that says nothing of its nodes', [{ metadata: { name: 'cilium' } }], 'fault', 'v1.34.0'],
  ])('judges %s', async (_what, items, result, gitVersion) => {
    const asked = cluster({ '/apis/apps/v1/daemonsets': { items }, '/version': { gitVersion } });
    expect(results(await checkNetworkPlugin(asked))).toEqual([result]);
  });
  it('asks for AppArmor only where pods do, by the distributions of the nodes', async () => {
    const images = ['Ubuntu 24.04.3 LTS', 'Ubuntu 24.04.3 LTS', 'Bottlerocket OS 1.44.0', 'AcmeOS 3'];
    const items = images.map((osImage) => ({ status: { nodeInfo: { osImage } } }));
    const asked = cluster({ '/api/v1/nodes': { items } });
    const profiled = pod({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } });
    expect(results(await checkAppArmor([profiled], asked))).toEqual(['ok', 'fault', 'unknown']);
    expect(await checkAppArmor([pod({})], asked)).toEqual([]);
  });
});

describe('agw doctor: APIs', () => {
  const policy = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'BackendTLSPolicy' };
  const route = { ...policy, kind: 'HTTPRoute' };
  const served = (...kinds: string[]) =>
    cluster({ [`/apis/${policy.apiVersion}`]: { resources: kinds.map((kind) => ({ kind })) } });
  it('names what a kind comes with', async () => {
    const [found] = await checkApis([route, policy], served('HTTPRoute'));
    expect(found).toMatchObject({
      result: 'fault',
      got: 'no BackendTLSPolicy',
      next: 'install Gateway API 1.4 or later, for BackendTLSPolicy',
    });
    expect(results(await checkApis([route, policy], served('HTTPRoute', 'BackendTLSPolicy')))).toEqual([
      'ok',
    ]);
  });
  it('takes the definition that the manifests bring', async () => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      spec: {
        group: 'gateway.networking.k8s.io',
        names: { kind: 'HTTPRoute' },
        versions: [{ name: 'v1' }],
      },
    };
    const found = await checkApis([route, definition], cluster({}));
    expect(found.map(({ of }) => of)).toEqual(['apiextensions.k8s.io/v1']);
  });
  it('knows that an autoscaler does nothing without metrics', async () => {
    const scaler = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' };
    const asked = cluster({ '/apis/autoscaling/v2': { resources: [{ kind: scaler.kind }] } });
    expect(said(await checkApis([scaler], asked))).toEqual([
      'ok: autoscaling/v2: served',
      'fault: metrics.k8s.io/v1beta1: not served',
    ]);
  });
});

describe('agw doctor: hostile manifests', () => {
  const kinds = (apiVersions: readonly string[]) =>
    apiVersions.map((apiVersion) => ({ apiVersion, kind: 'Thing', metadata: { name: 'thing' } }));

  it('ask for no other path of the API server than that of an API', async () => {
    const paths: string[] = [];
    const asked: Cluster = {
      ...cluster({}),
      get: (path) => Promise.resolve(void paths.push(path)),
    };
    const hostile = [
      '../api/v1/namespaces/web/services/http:admin:80/proxy/v1',
      'a.b/v1/../../../api',
      'x/v1?y',
    ];
    expect(results(await checkApis(kinds(hostile), asked))).toEqual(['fault', 'fault', 'fault']);
    expect(paths).toEqual([]);
  });
  it('start a few kubectl at once, however many APIs they name', () => {
    mkdirSync(at('bin'));
    const log = at('log');
    const script = `#!/bin/sh\nprintf + >> ${log}\n/bin/sleep 0.1\nprintf -- - >> ${log}\necho '{}'\n`;
    writeFileSync(at('bin', 'kubectl'), script, { mode: 0o755 });
    const manifest = at('many.json');
    const items = kinds(Array.from({ length: 40 }, (_, i) => `g${i}.example/v1`));
    writeFileSync(manifest, JSON.stringify({ kind: 'List', items }));
    spawnSync(process.execPath, [AGW, 'doctor', manifest, '--cluster'], { env: { PATH: at('bin') } });
    let [now, most] = [0, 0];
    const calls = readFileSync(log, 'utf8');
    for (const sign of calls) most = Math.max(most, (now += sign === '+' ? 1 : -1));
    expect(calls.length).toBeGreaterThanOrEqual(80);
    expect(most).toBeLessThanOrEqual(8);
  });
  it('are read where a value is of another kind than its field', async () => {
    const odd = { toString: 'x', valueOf: 'x' };
    const reads = gateway({ routes: [{ kind: 'secrets' }] });
    const container = { command: [odd], args: [odd] };
    const policy = {
      kind: 'NetworkPolicy',
      metadata: { namespace: 'aiops' },
      spec: {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [
          {
            to: [{ ipBlock: { cidr: '192.0.2.0/24', except: [odd] } }],
            ports: [{ port: odd, endPort: odd }],
          },
        ],
      },
    };
    const objects = [...reads, pod({ containers: [container] }), policy];
    expect(results(await checkApiServer(objects, undefined))).toEqual(['unknown']);
  });
  it('hide nothing in a list of a list, or of a kind', async () => {
    const ended = { data: { 'ca.crt': '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n' } };
    const items = [
      { kind: 'List', items: [{ kind: 'ConfigMap', metadata: { name: 'in-a-list' }, ...ended }] },
    ];
    const ofKind = {
      kind: 'ConfigMapList',
      apiVersion: 'v1',
      items: [{ metadata: { name: 'of-a-kind' }, ...ended }],
    };
    writeFileSync(
      at('lists.yaml'),
      [{ kind: 'List', items }, ofKind].map((l) => JSON.stringify(l)).join('\n---\n'),
    );
    const { code, lines } = await run(at('lists.yaml'));
    expect([code, lines.filter((line) => line.startsWith('FAULT'))]).toEqual([
      1,
      [expect.stringContaining('ConfigMap /in-a-list'), expect.stringContaining('ConfigMap /of-a-kind')],
    ]);
  });
});

describe('agw doctor: where the API server is', () => {
  const reads = gateway({ routes: [{ kind: 'mcp' }, { kind: 'secrets' }] });
  const policy = (egress: object[], more: object = {}) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'allow', namespace: 'aiops' },
    spec: {
      podSelector: { matchLabels: { app: 'gw' } },
      policyTypes: ['Ingress', 'Egress'],
      egress,
      ...more,
    },
  });
  const rule = (cidr: string, port: number, more: object = {}) => ({
    to: [{ ipBlock: { cidr, ...more } }],
    ports: [{ port, protocol: 'TCP' }],
  });
  const asked = cluster({
    '/api/v1/namespaces/default/services/kubernetes': {
      spec: { clusterIP: '10.96.0.1', ports: [{ port: 443 }] },
    },
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices': {
      items: [{ endpoints: [{ addresses: ['192.0.2.10'] }], ports: [{ port: 6443 }] }],
    },
  });
  const service = rule('10.96.0.1/32', 443);
  it.each<[string, object[], string[]]>([
    ['both are open', [policy([service, rule('192.0.2.10/32', 6443)])], ['ok', 'ok']],
    [
      'a range and a range of ports hold it',
      [
        policy([
          service,
          { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 6000, endPort: 7000 }] },
        ]),
      ],
      ['ok', 'ok'],
    ],
    [
      'all ports of a range are open',
      [policy([service, { to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }])],
      ['ok', 'ok'],
    ],
    ['two policies open one each', [policy([service]), policy([rule('192.0.2.10/32', 6443)])], ['ok', 'ok']],
    ['only the Service is open', [policy([service])], ['ok', 'fault']],
    ['another address is open', [policy([service, rule('192.0.2.11/32', 6443)])], ['ok', 'fault']],
    ['another port is open', [policy([service, rule('192.0.2.10/32', 443)])], ['ok', 'fault']],
    [
      'it is what a range excepts',
      [policy([service, rule('192.0.2.0/24', 6443, { except: ['192.0.2.8/29'] })])],
      ['ok', 'fault'],
    ],
    [
      'the rule is for UDP',
      [policy([service, { ...rule('192.0.2.10/32', 6443), ports: [{ port: 6443, protocol: 'UDP' }] }])],
      ['ok', 'fault'],
    ],
    [
      'the policy that opens it is of other pods',
      [
        policy([service]),
        policy([rule('192.0.2.10/32', 6443)], { podSelector: { matchLabels: { app: 'other' } } }),
      ],
      ['ok', 'fault'],
    ],
    ['the policy is for ingress', [policy([], { policyTypes: ['Ingress'] })], ['ok']],
  ])('judges it where %s', async (_what, policies, want) => {
    expect(results(await checkApiServer([...reads, ...policies], asked))).toEqual(want);
  });
  it('says which prop opens what is closed', async () => {
    const [, endpoint] = await checkApiServer(
      [...reads, policy([service, rule('172.18.0.2/32', 6443)])],
      asked,
    );
    expect(endpoint).toMatchObject({
      of: 'egress of aiops/gw',
      got: 'closed; open are 10.96.0.1/32:443, 172.18.0.2/32:6443',
      want: '192.0.2.10:6443',
      next: 'name it in endpoints and endpointPort of ApiServerAccess, synthesize and apply',
    });
  });
  it('takes the entity of Cilium', async () => {
    const cilium = {
      kind: 'CiliumNetworkPolicy',
      metadata: { namespace: 'aiops' },
      spec: {
        endpointSelector: { matchLabels: { app: 'gw' } },
        egress: [{ toEntities: ['kube-apiserver'] }],
      },
    };
    expect(results(await checkApiServer([...reads, policy([]), cilium], asked))).toEqual(['ok']);
  });
  it('asks nothing for a gateway that reads no Secrets', async () => {
    const plain = gateway({ routes: [{ kind: 'mcp' }] });
    expect(await checkApiServer([...plain, policy([])], asked)).toEqual([]);
  });
});

describe('agw doctor: certificates', () => {
  const make = (name: string, days: number) => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`];
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
    execFileSync('openssl', ['req', '-x509', ...key, '-days', String(days), ...files], { stdio: 'pipe' });
    return readFileSync(at(`${name}.crt`), 'utf8');
  };
  const now = Date.now() / 1000;
  const month = make('month', 30);
  const week = make('week', 6);
  const of = (text: string, key = 'tls.crt', when = now) =>
    results(
      checkCertificates(
        [
          {
            kind: 'Secret',
            metadata: { name: 't', namespace: 'n' },
            data: { [key]: Buffer.from(text).toString('base64') },
          },
        ],
        new Map(),
        when,
      ),
    );
  it('finds those of Secrets, ConfigMaps and files that end soon, have ended or have not begun', () => {
    expect([
      of(month),
      of(week),
      of(month, 'tls.crt', now + 40 * 86_400),
      of(month, 'tls.crt', now - 86_400),
    ]).toEqual([['ok'], ['fault'], ['fault'], ['fault']]);
    const map = { kind: 'ConfigMap', metadata: { name: 'ca' }, data: { 'ca.crt': week, 'code.mjs': week } };
    expect(said(checkCertificates([map], new Map([['a.pem', month]]), now))).toEqual([
      expect.stringMatching(/^fault: ConfigMap \/ca ca\.crt: ends \d{4}-/),
      expect.stringMatching(/^ok: a\.pem: ends /),
    ]);
  });
  it('goes by the server of a chain, and by the next to end of a bundle', () => {
    expect([of(month + week), of(month + week, 'ca.crt')]).toEqual([['ok'], ['fault']]);
    // Once it has ended, the other one counts.
    expect(of(month + week, 'ca.crt', now + 6.5 * 86_400)).toEqual(['ok']);
  });
  it('says of what is none that it is none', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n';
    expect(of(broken)).toEqual(['fault']);
    // The last of its dates becomes one of month 13, which OpenSSL reads.
    const der = Buffer.from(month.replace(/-----[^-]+-----|\n/g, ''), 'base64');
    der.write('991399', der.lastIndexOf(Buffer.from([0x17, 0x0d])) + 2, 'latin1');
    const pem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(of(pem)).toEqual(['fault']);
  });
  it('reads files and folders, prints a table, and ends with 1 for a fault', async () => {
    mkdirSync(at('manifests'));
    writeFileSync(
      at('manifests', 'a.yaml'),
      `kind: ConfigMap\nmetadata: { name: ca }\ndata: { ca.crt: ${JSON.stringify(week)} }\n`,
    );
    writeFileSync(at('manifests', 'README.md'), 'kind: [');
    const { code, lines } = await run(at('manifests'), at('month.crt'));
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^ +check +of +got +want$/);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^FAULT +certificate +ConfigMap \/ca ca\.crt +ends /),
        expect.stringMatching(/^ +next: renew it: /),
        expect.stringMatching(/^ok +certificate +\S+month\.crt +ends /),
        expect.stringMatching(
          /^unknown +kubernetes version +API server +no cluster was asked +1\.30 or later$/,
        ),
        expect.stringMatching(/^1 ok, 1 FAULT, \d unknown$/),
      ]),
    );
    expect((await run(at('month.crt'))).code).toBe(0);
    const json = JSON.parse((await run(at('month.crt'), '--json')).lines.join('')) as {
      faults: number;
      findings: Finding[];
    };
    expect([json.faults, said(json.findings)]).toEqual([
      0,
      [expect.stringMatching(/^ok: .*month\.crt: ends /)],
    ]);
  });
});

describe('agw doctor: clocks', () => {
  it("compares this machine's with that of a gateway, by its admin port", async () => {
    const fixture = await startFixture();
    try {
      const admin = new URL(`http://127.0.0.1:${fixture.gateway.adminPort}/status`);
      const when = async (ahead: number) =>
        said(await checkClocks({ cluster: undefined, admin, always: false }, () => wallClock() + ahead));
      expect(await when(0)).toEqual([`ok: gateway ${admin.origin}: the same`]);
      expect(await when(120)).toEqual([`fault: gateway ${admin.origin}: 120 s behind`]);
      expect(await when(-120)).toEqual([`fault: gateway ${admin.origin}: 120 s ahead`]);
      expect((await run('--admin', admin.origin)).code).toBe(0);
    } finally {
      await fixture.stop();
    }
  });
  it('goes by the leases of ready nodes', async () => {
    const now = 1_800_000_000;
    const node = (name: string, status: string) => ({
      metadata: { name },
      status: { conditions: [{ type: 'Ready', status }] },
    });
    const lease = (name: string, ago: number) => ({
      metadata: { name },
      spec: { renewTime: new Date((now - ago) * 1000).toISOString() },
    });
    const asked: Cluster = {
      ...cluster({
        '/api/v1/nodes': {
          items: [node('good', 'True'), node('behind', 'True'), node('ahead', 'True'), node('dead', 'False')],
        },
        '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases': {
          items: [lease('good', 9), lease('behind', 130), lease('ahead', -120), lease('dead', 9_000)],
        },
      }),
      review: () => Promise.resolve({ metadata: { creationTimestamp: new Date(now * 1000).toISOString() } }),
    };
    expect(said(await checkClocks({ cluster: asked, admin: undefined, always: true }, () => now))).toEqual([
      'ok: API server: the same',
      'ok: node good: the same',
      'fault: node behind: 115 s behind',
      'fault: node ahead: 120 s ahead',
    ]);
  });
});

const redisTest = hasRedis() ? it : it.skip;
if (!hasRedis()) process.stderr.write('skipped: there is no redis-server\n');
describe('agw doctor: the replay store', () => {
  redisTest(
    'asks Redis whether it would forget, with its password',
    async () => {
      const redis = await RedisProcess.start(
        '--requirepass',
        'hunter2',
        '--maxmemory',
        '100mb',
        '--maxmemory-policy',
        'allkeys-lru',
      );
      const url = `redis://127.0.0.1:${redis.port}`;
      writeFileSync(at('password'), 'hunter2\n');
      const asked = ['--redis', url, '--redis-password-file', at('password')];
      try {
        const bad = await run(...asked);
        expect(bad.code).toBe(1);
        expect(bad.lines[1]).toMatch(
          /^FAULT +replay store +redis:\S+ +allkeys-lru +maxmemory-policy noeviction/,
        );
        expect(bad.lines.join()).not.toContain('hunter2');
        writeFileSync(at('wrong'), 'other');
        const refused = await run('--redis', url, '--redis-password-file', at('wrong'));
        expect([refused.code, refused.lines[1]]).toEqual([1, expect.stringMatching(/^FAULT .*WRONGPASS/)]);
      } finally {
        await redis.stop();
      }
      const good = await RedisProcess.start('--maxmemory', '100mb', '--maxmemory-policy', 'noeviction');
      try {
        const { code, lines } = await run('--redis', `redis://127.0.0.1:${good.port}`);
        expect([code, lines.at(-1)]).toEqual([0, '2 ok, 0 FAULT, 0 unknown']);
      } finally {
        await good.stop();
      }
    },
    30_000,
  );
  it('says of one that manifests use how to ask it', async () => {
    writeFileSync(
      at('redis.json'),
      JSON.stringify({ kind: 'List', items: gateway({ replay: { store: 'redis', url: 'redis://r:6379' } }) }),
    );
    const { code, lines } = await run(at('redis.json'));
    expect(code).toBe(0);
    expect(lines).toEqual(
      expect.arrayContaining([expect.stringMatching(/^unknown +replay store +redis:\/\/r:6379 +not asked/)]),
    );
  });
});

it('agw doctor says where nothing runs in the namespace', () => {
  mkdirSync(at('nothing-there'));
  writeFileSync(at('nothing-there', 'kubectl'), `#!/bin/sh\necho '{"items":[]}'\n`, { mode: 0o755 });
  const { status, stdout } = spawnSync(process.execPath, [AGW, 'doctor', '--namespace', 'typo'], {
    env: { PATH: at('nothing-there') },
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([1, expect.stringMatching(/^FAULT +what runs +typo +no gateway /m)]);
});

it.each<[string[], string]>([
  [
    ['/dev/null'],
    'MANIFEST: must have objects of Kubernetes, or certificates, got none; did what writes them fail?',
  ],
  [[], 'MANIFEST: is required, or --namespace; name a file, a folder, or -'],
  [['/none.yaml'], '/none.yaml: must be a readable file, or - for standard input, got ENOENT'],
  [
    ['--redis', 'redis://user:hunter2@host'],
    '--redis: must be a redis:// or rediss:// URL without credentials;',
  ],
  [
    ['--admin', 'http://127.0.0.1:9090/metrics'],
    '--admin: must be the URL of the admin port, without a path',
  ],
])('agw doctor refuses %j', async (args, message) => {
  const refused = run(...args);
  await expect(refused).rejects.toBeInstanceOf(CliError);
  await expect(refused).rejects.toThrow(message);
  await refused.catch((cause: Error) => expect(cause.message).not.toContain('hunter2'));
});

it('agw doctor says that it needs kubectl where there is none', () => {
  const { stdout } = spawnSync(process.execPath, [AGW, 'doctor', at('month.crt'), '--cluster'], {
    env: { PATH: at('nothing') },
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/^unknown +clock +API server +there is no kubectl in the PATH/m);
});
