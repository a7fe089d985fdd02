/**
 * A real kube-apiserver with its etcd, on the loopback, and a real kube-controller-manager and kube-scheduler
 * where they are asked for; without them objects are checked and stored, and nothing comes of them. There are no
 * nodes but what a test says is one. Built from source, since releases are not everywhere to be had: some
 * minutes once, then from a cache.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../proxy/test/support/free-port.js';
import { Daemon, programOf } from './daemon.js';
import { goProgram, KUBERNETES_VERSION } from './go-program.js';

const READY_MS = 60_000;

export type Json = Readonly<Record<string, unknown>>;
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The `Warning` fields: what the server takes but would rather not. */ readonly warnings: readonly string[];
}
export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly type?: string;
  /** Absent: the administrator's. */ readonly token?: string;
}

/** A line of the API server's audit log (audit.k8s.io/v1 Event), as far as tests go by it. */
export interface AuditEvent {
  readonly auditID: string;
  readonly level: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username?: string };
  readonly responseStatus?: { readonly code: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ApiServer {
  readonly version: string;
  readonly port: number;
  /** PEM, with which its certificate verifies. */
  readonly caFile: string;
  readonly auditFile: string;
  /** The administrator's, for kubectl and helm. */
  readonly kubeconfig: string;
  call(call: Call): Promise<Answer>;
  /** Creates the object, or makes it what is given (server-side apply); unknown and repeated fields are errors. */
  apply(object: Json, query?: string): Promise<Answer>;
  audited(): readonly AuditEvent[];
  stop(): Promise<void>;
}

/** What is missing to run one. */
export const missingForApiServer = (): string[] =>
  ['go', 'etcd'].filter((name) => programOf(name) === undefined);

/** One program, which is what it is called. */
function build(): Readonly<Record<'server' | 'manager' | 'scheduler', string>> {
  const server = goProgram('kube-apiserver');
  const called = (name: string) => {
    const path = join(dirname(server), name);
    if (!existsSync(path)) symlinkSync(basename(server), path);
    return path;
  };
  return { server, manager: called('kube-controller-manager'), scheduler: called('kube-scheduler') };
}

export interface ApiServerOptions {
  /** For its files. */
  readonly dir: string;
  /** Path of an audit.k8s.io/v1 Policy; absent: everything, without bodies. */
  readonly auditPolicy?: string;
  /** Whether controllers run: workloads get pods, quotas and disruption budgets count. */
  readonly controllers?: boolean;
  /** Whether pods are given nodes, of those that the test says are there. */
  readonly scheduler?: boolean;
  /** Behind its Service; one of the loopback is not written there. */
  readonly advertised?: string;
}

export async function startApiServer({
  dir,
  auditPolicy,
  controllers = false,
  scheduler = false,
  advertised = '127.0.0.1',
}: ApiServerOptions): Promise<ApiServer> {
  const file = (name: string) => join(dir, name);
  const programs = build();
  const version = KUBERNETES_VERSION;
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file('sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(file('sa.key'), privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  const admin = randomUUID();
  writeFileSync(file('tokens.csv'), `${admin},admin,admin,system:masters\n`, { mode: 0o600 });
  const url = (p: number) => `http://127.0.0.1:${p}`;
  const etcd = new Daemon(programOf('etcd')!, [
    '--data-dir',
    file('etcd'),
    '--listen-client-urls',
    url(etcdPort),
    '--advertise-client-urls',
    url(etcdPort),
    '--listen-peer-urls',
    url(peerPort),
    '--initial-advertise-peer-urls',
    url(peerPort),
    '--initial-cluster',
    `default=${url(peerPort)}`,
    '--unsafe-no-fsync',
  ]);
  if (auditPolicy === undefined)
    writeFileSync(
      file('audit.yaml'),
      'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{ level: Metadata }]\n',
    );
  const server = new Daemon(programs.server, [
    '--etcd-servers',
    url(etcdPort),
    '--bind-address',
    '127.0.0.1',
    '--advertise-address',
    advertised,
    '--secure-port',
    String(port),
    '--cert-dir',
    file('certificates'),
    '--service-cluster-ip-range',
    '10.96.0.0/16',
    '--allow-privileged',
    '--authorization-mode',
    'Node,RBAC',
    '--token-auth-file',
    file('tokens.csv'),
    '--service-account-issuer',
    'https://kubernetes.default.svc',
    '--service-account-key-file',
    file('sa.pub'),
    '--service-account-signing-key-file',
    file('sa.key'),
    '--audit-policy-file',
    auditPolicy ?? file('audit.yaml'),
    '--audit-log-path',
    file('audit.log'),
  ]);
  const caFile = join(file('certificates'), 'apiserver.crt');
  const agent = new https.Agent({ keepAlive: true });
  const call: ApiServer['call'] = ({
    method = 'GET',
    path: target,
    body,
    type = 'application/json',
    token = admin,
  }) =>
    new Promise((resolve, reject) => {
      const out = https.request(
        {
          host: '127.0.0.1',
          port,
          method,
          path: target,
          agent,
          ca: readFileSync(caFile),
          headers: { authorization: `Bearer ${token}`, accept: 'application/json', 'content-type': type },
        },
        (answer) => {
          let text = '';
          answer
            .on('data', (chunk: Buffer) => {
              text += chunk.toString();
            })
            .once('error', reject);
          answer.once('end', () =>
            resolve({
              status: answer.statusCode!,
              text,
              warnings: answer.rawHeaders.filter(
                (_, i, all) => i % 2 === 1 && all[i - 1]!.toLowerCase() === 'warning',
              ),
            }),
          );
        },
      );
      out.once('error', reject);
      out.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const clients: Daemon[] = [];
  const stop = async () => {
    agent.destroy();
    for (const client of clients) await client.stop();
    await server.stop();
    await etcd.stop();
  };
  const until = performance.now() + READY_MS;
  while (!existsSync(caFile) || (await call({ path: '/readyz' }).catch(() => undefined))?.status !== 200) {
    if (performance.now() > until) {
      await stop();
      throw new Error(
        `kube-apiserver: not ready after ${READY_MS} ms; it said: ${server.said.slice(-2000)}; etcd: ` +
          `${etcd.said.slice(-1000)}`,
      );
    }
    await sleep(50);
  }
  writeFileSync(
    file('kubeconfig'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [
        { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': caFile } },
      ],
      users: [{ name: 'u', user: { token: admin } }],
    }),
    { mode: 0o600 },
  );
  const alone = ['--kubeconfig', file('kubeconfig'), '--leader-elect=false', '--secure-port', '0'];
  const keys = ['--service-account-private-key-file', file('sa.key'), '--root-ca-file', caFile];
  if (controllers) clients.push(new Daemon(programs.manager, [...alone, ...keys]));
  if (scheduler) clients.push(new Daemon(programs.scheduler, alone));
  const resources = new Map<
    string,
    readonly { readonly kind: string; readonly name: string; readonly namespaced: boolean }[]
  >();
  /** Where objects of this kind are, by the server's own word. */
  const collection = async ({
    apiVersion,
    kind,
    metadata,
  }: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly namespace?: string };
  }) => {
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    if (!resources.has(group))
      resources.set(
        group,
        (JSON.parse((await call({ path: group })).text) as { resources?: [] }).resources ?? [],
      );
    const resource = resources.get(group)!.find((r) => r.kind === kind && !r.name.includes('/'));
    if (resource === undefined) throw new Error(`kube-apiserver ${version} has no ${kind} in ${apiVersion}`);
    return `${group}${resource.namespaced ? `/namespaces/${metadata.namespace!}` : ''}/${resource.name}`;
  };
  return {
    version,
    port,
    caFile,
    auditFile: file('audit.log'),
    kubeconfig: file('kubeconfig'),
    call,
    stop,
    async apply(object, query = '') {
      const { metadata } = object as { readonly metadata: { readonly name: string } };
      const at = await collection(object as unknown as Parameters<typeof collection>[0]);
      return call({
        method: 'PATCH',
        path: `${at}/${metadata.name}?fieldManager=test&fieldValidation=Strict${query}`,
        type: 'application/apply-patch+yaml',
        body: object,
      });
    },
    audited: () =>
      readFileSync(file('audit.log'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as AuditEvent),
  };
}
