/**
 * What synth emits, and the shipped bundle with it, against a real Kubernetes API server: objects, audit
 * policy, ServiceAccount, tokens.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { request, type Ask } from '../../../proxy/test/support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../../proxy/test/support/mint.js';
import { missingForApiServer, startApiServer, type ApiServer, type Json } from '../support/api-server.js';
import { needs } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { failures, startLoad } from '../support/load.js';
import { synthesized } from '../support/synthesized.js';
import { Volume } from '../support/volume.js';

const NAMESPACE = 'aiops';
const SECRET = 'database-credentials';
const CANARY = `CANARY-${Math.random().toString(36).slice(2)}`;
const ROTATIONS = 3;
const PER_SECOND = 200;
/** Beside the repository where it is developed. */
const CRDS = join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'crds');
/** Of a token that was withdrawn: the API server remembers for 10 s that it was good. */
const FORGETS_MS = 30_000;

interface Pod {
  readonly serviceAccountName: string;
  readonly containers: readonly Json[];
  readonly volumes: readonly {
    readonly projected?: {
      readonly sources: readonly {
        readonly serviceAccountToken?: { readonly expirationSeconds: number; readonly audience?: string };
      }[];
    };
  }[];
}
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Json };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template: { readonly metadata: Json; readonly spec: Pod } };
}

interface Lease {
  readonly token: string;
  /** Resolves when the API server no longer takes it. */ readonly withdraw: () => Promise<void>;
}

const missing = missingForApiServer();
needs('a real API server', missing);
(missing.length === 0 ? describe : describe.skip)('a real API server', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-cluster-'));
  const file = (name: string) => join(dir, name);
  const as = rsa();
  const client = ec();
  let manifests: readonly Manifest[];
  let api: ApiServer;
  let gateway: GatewayProcess;
  let origin: string;
  let token: Volume;
  /** Which the gateway has. */
  let current: Lease;
  const only = (kind: string): Manifest => manifests.find((m) => m.kind === kind)!;
  const pod = (): Pod => only('Deployment').spec!.template.spec;

  /**
   * A token of the gateway's ServiceAccount as kubelet asks for it, that is good as long as an object of its
   * own is there.
   */
  async function issue(): Promise<Lease> {
    const { expirationSeconds, audience } = pod()
      .volumes.flatMap(({ projected }) => projected?.sources ?? [])
      .find((source) => source.serviceAccountToken !== undefined)!.serviceAccountToken!;
    const lease = JSON.parse(
      (
        await api.call({
          method: 'POST',
          path: `/api/v1/namespaces/${NAMESPACE}/secrets`,
          body: { metadata: { generateName: 'lease-' } },
        })
      ).text,
    ) as { metadata: { name: string; uid: string } };
    const { name, uid } = lease.metadata;
    const spec = {
      expirationSeconds,
      ...(audience === undefined ? {} : { audiences: [audience] }),
      boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name, uid },
    };
    const { status, text } = await api.call({
      method: 'POST',
      path: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${pod().serviceAccountName}/token`,
      body: { spec },
    });
    expect([status, text]).toEqual([201, expect.stringContaining('"token"')]);
    const issued = (JSON.parse(text) as { status: { token: string } }).status.token;
    return {
      token: issued,
      async withdraw() {
        expect(
          (await api.call({ method: 'DELETE', path: `/api/v1/namespaces/${NAMESPACE}/secrets/${name}` }))
            .status,
        ).toBe(200);
        for (let waited = 0; (await read(issued)).status !== 401; waited += 500) {
          if (waited > FORGETS_MS) throw new Error('the withdrawn token is still good');
          await sleep(500);
        }
      },
    };
  }
  /** Straight from the API server. */
  const read = (bearer: string, path = `secrets/${SECRET}`, method = 'GET') =>
    api.call({ method, path: `/api/v1/namespaces/${NAMESPACE}/${path}`, token: bearer });
  const ask = (path: string, method = 'GET'): Ask => {
    const at = accessToken(as, { cnf: { jkt: thumbprint(client) }, aud: 'gateway' }, { kid: 'as-1' });
    return {
      method,
      path,
      headers: {
        authorization: `DPoP ${at}`,
        dpop: proof(client, method, origin + path, at),
        'impersonate-user': 'admin',
        'audit-id': 'theirs',
      },
    };
  };
  /** The gateway's own audit line of an answer. */
  const lineOf = async (id: string): Promise<Json> => {
    for (let i = 0; i < 100; i++) {
      const line = readFileSync(file('gateway.jsonl'), 'utf8')
        .split('\n')
        .find((l) => l.includes(`"${id}"`));
      if (line !== undefined) return JSON.parse(line) as Json;
      await sleep(20);
    }
    throw new Error(`no audit line of ${id}`);
  };

  beforeAll(async () => {
    writeFileSync(
      file('as.json'),
      JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
    );
    manifests = synthesized(
      'test/support/secrets-app.ts',
      file('manifests'),
      file('as.json'),
      file('policy.yaml'),
      SECRET,
    );
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api'), auditPolicy: file('policy.yaml') });
  }, 1_500_000);
  afterAll(async () => {
    await gateway?.stop();
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it('takes every manifest, field by field, and warns of none', async () => {
    expect(manifests.length).toBeGreaterThan(10);
    for (const manifest of manifests) {
      const { status, text, warnings } = await api.apply(manifest as unknown as Json);
      expect([manifest.kind, manifest.metadata.name, status, status >= 400 ? text : '', warnings]).toEqual([
        manifest.kind,
        manifest.metadata.name,
        201,
        '',
        [],
      ]);
    }
    for (const name of [SECRET, 'another'])
      expect(
        (
          await api.apply({
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name, namespace: NAMESPACE },
            stringData: { password: CANARY },
          })
        ).status,
      ).toBe(201);
    // What is checked is checked: a field that does not exist is none.
    const misspelt = await api.apply({
      ...(only('Service') as unknown as Json),
      spec: { ...only('Service').spec, prots: [] },
    });
    expect([misspelt.status >= 400, misspelt.text]).toEqual([true, expect.stringContaining('prots')]);
  });

  describe('of what apps emit', () => {
    type Emitted = Manifest & {
      readonly apiVersion: string;
      readonly metadata: { readonly namespace?: string };
    };
    const CUSTOM = [
      'cert-manager.io/v1',
      'external-secrets.io/v1',
      'gateway.networking.k8s.io/v1',
      'monitoring.coreos.com/v1',
    ];
    let objects: readonly Emitted[];
    const would = async (object: Emitted) => {
      const { status, text, warnings } = await api.apply(object as unknown as Json, '&dryRun=All&force=true');
      expect([object.kind, object.metadata.name, status < 300 ? '' : text, warnings]).toEqual([
        object.kind,
        object.metadata.name,
        '',
        [],
      ]);
    };
    beforeAll(async () => {
      objects = [
        ...synthesized<Emitted>('apps/main.ts', file('apps')),
        ...synthesized<Emitted>('test/support/exposure-app.ts', file('exposed'), file('as.json')),
      ];
      for (const namespace of new Set(objects.map(({ metadata }) => metadata.namespace ?? NAMESPACE)))
        expect([201, 409]).toContain(
          (
            await api.call({
              method: 'POST',
              path: '/api/v1/namespaces',
              body: { metadata: { name: namespace } },
            })
          ).status,
        );
    }, 30_000);

    it('takes every object of its own kinds', async () => {
      const known = objects.filter(({ apiVersion }) => !CUSTOM.includes(apiVersion));
      expect(known.length).toBeGreaterThan(20);
      for (const object of known) await would(object);
    });

    const custom = 'takes every custom resource, by the definitions of the operators';
    if (!existsSync(CRDS)) it.skip(`${custom}: ${CRDS} is not there`, () => {});
    else
      it(
        custom,
        async () => {
          const definitions = readdirSync(CRDS)
            .filter((name) => name.endsWith('.yaml'))
            .flatMap((name) =>
              parseAllDocuments(readFileSync(join(CRDS, name), 'utf8')).map(
                (document) => document.toJS() as { readonly spec: Json },
              ),
            );
          // A conversion would ask the operator, which is not there; the stored version needs none.
          for (const { spec, ...definition } of definitions)
            expect(
              (await api.apply({ ...definition, spec: { ...spec, conversion: { strategy: 'None' } } }))
                .status,
            ).toBe(201);
          const kinds = async () =>
            (
              await Promise.all(
                CUSTOM.map(async (group) => (await api.call({ path: `/apis/${group}` })).text),
              )
            ).join('');
          const emitted = objects.filter(({ apiVersion }) => CUSTOM.includes(apiVersion));
          expect([...new Set(emitted.map(({ kind }) => kind))].sort()).toEqual([
            'Certificate',
            'ExternalSecret',
            'HTTPRoute',
            'PodMonitor',
            'PrometheusRule',
            'SecretStore',
          ]);
          for (let waited = 0; ; waited += 100) {
            const served = await kinds();
            if (emitted.every(({ kind }) => served.includes(`"kind":"${kind}"`))) break;
            if (waited > 30_000) throw new Error('the custom resources are not served');
            await sleep(100);
          }
          for (const object of emitted) await would(object);
        },
        60_000,
      );
  });

  it('takes the pod of the Deployment into the namespace, and no pod that asks for more', async () => {
    const { metadata, spec } = only('Deployment').spec!.template;
    // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, one field each
    const first = (change: Json) => ({
      ...spec,
      containers: spec.containers.map((c, i) =>
        i === 0 ? { ...c, securityContext: { ...(c.securityContext as Json), ...change } } : c,
      ),
    });
    const pods: Readonly<Record<string, object>> = {
      'as it is': spec,
      privileged: first({ privileged: true, allowPrivilegeEscalation: true }),
      'as root': first({ runAsUser: 0 }),
      'with a capability': first({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } }),
      'that may escalate': first({ allowPrivilegeEscalation: true }),
      'without a seccomp profile': {
        ...spec,
        securityContext: {
          ...(spec as unknown as { securityContext: Json }).securityContext,
          seccompProfile: { type: 'Unconfined' },
        },
      },
      'on the network of its node': { ...spec, hostNetwork: true },
      'with a directory of its node': {
        ...spec,
        volumes: [...spec.volumes, { name: 'host', hostPath: { path: '/' } }],
      },
    };
    const answers: Record<string, number> = {};
    for (const [what, changed] of Object.entries(pods)) {
      const { status, text } = await api.call({
        method: 'POST',
        path: `/api/v1/namespaces/${NAMESPACE}/pods?dryRun=All&fieldValidation=Strict`,
        body: { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'a-pod' }, spec: changed },
      });
      answers[what] = status;
      expect([what, text]).toEqual([
        what,
        expect.stringContaining(what === 'as it is' ? '"kind":"Pod"' : 'violates PodSecurity'),
      ]);
    }
    expect(answers).toEqual({
      ...Object.fromEntries(Object.keys(pods).map((what) => [what, 403])),
      'as it is': 201,
    });
  });

  it('lets the ServiceAccount read the one Secret by name, and do nothing else', async () => {
    const { token: bearer } = await issue();
    expect((await read(bearer)).status).toBe(200);
    for (const [path, method] of [
      ['secrets', 'GET'],
      ['secrets?watch=true&timeoutSeconds=1', 'GET'],
      ['secrets/another', 'GET'],
      [`secrets/${SECRET}`, 'DELETE'],
      [`secrets/${SECRET}`, 'PATCH'],
      ['secrets', 'POST'],
      ['configmaps', 'GET'],
      ['pods', 'GET'],
      [`serviceaccounts/${pod().serviceAccountName}/token`, 'POST'],
      ['roles', 'GET'],
    ] as const)
      expect([path, method, (await read(bearer, path, method)).status]).toEqual([path, method, 403]);
    expect(
      (await api.call({ path: `/api/v1/namespaces/default/secrets/${SECRET}`, token: bearer })).status,
    ).toBe(403);
  });

  it('is read by whoever holds the key, and only that one; both audit logs have one id, not the value', async () => {
    const config = JSON.parse(
      manifests.find(({ kind, data }) => kind === 'ConfigMap' && data?.['config.json'] !== undefined)!.data![
        'config.json'
      ]!,
    ) as ConfigInput;
    origin = config.publicOrigins[0]!;
    current = await issue();
    token = new Volume(file('token'), { token: current.token });
    // Only addresses, and where files lie, are changed; what is enforced is what was synthesized.
    config.issuers[0]!.jwks = { file: file('as.json') };
    const route = config.routes[0] as Extract<ConfigInput['routes'][number], { kind: 'secrets' }>;
    Object.assign(route.backend, {
      url: `https://127.0.0.1:${api.port}`,
      caFile: api.caFile,
      tokenFile: file('token/token'),
    });
    Object.assign(route, { rateLimit: { maxTokens: 100_000, tokensPerFill: 100_000 } });
    gateway = await startGatewayProcess(
      { ...config, audit: { file: file('gateway.jsonl') }, drainSeconds: 1 },
      { dir, name: 'gateway' },
    );

    const good = await request(gateway.port, ask(`/secrets/${SECRET}`));
    expect([good.status, good.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(
      Buffer.from(
        (JSON.parse(good.text) as { data: { password: string } }).data.password,
        'base64',
      ).toString(),
    ).toBe(CANARY);

    const before = api.audited().length;
    for (const [path, method] of [
      ['/secrets/another', 'GET'],
      ['/secrets', 'GET'],
      ['/secrets/', 'GET'],
      [`/secrets/${SECRET}`, 'DELETE'],
      [`/secrets/${SECRET}/..%2fanother`, 'GET'],
      ['/secrets/..%2f..%2fdefault', 'GET'],
      [`/secrets/${SECRET}?watch=true`, 'POST'],
    ] as const) {
      expect([path, method, String((await request(gateway.port, ask(path, method))).status)]).toEqual([
        path,
        method,
        expect.stringMatching(/^40[0345]$/),
      ]);
    }
    const replayed = ask(`/secrets/${SECRET}`);
    expect((await request(gateway.port, replayed)).status).toBe(200);
    expect((await request(gateway.port, replayed)).status).toBe(401);
    const gatewayUser = `system:serviceaccount:${NAMESPACE}:${pod().serviceAccountName}`;
    const events = api
      .audited()
      .slice(before)
      .filter(({ user }) => user.username === gatewayUser);
    expect(
      events.map(({ verb, requestURI, level, responseStatus }) => [
        verb,
        requestURI,
        level,
        responseStatus?.code,
      ]),
    ).toEqual([['get', `/api/v1/namespaces/${NAMESPACE}/secrets/${SECRET}`, 'Metadata', 200]]);

    const id = String(good.headers['x-request-id']);
    expect(
      api
        .audited()
        .filter(({ auditID }) => auditID === id)
        .map(({ user, verb }) => [user.username, verb]),
    ).toEqual([[gatewayUser, 'get']]);
    expect(await lineOf(id)).toMatchObject({
      'request.id': id,
      'route.name': 'secrets',
      'response.status': 200,
      'dpop.jkt': thumbprint(client),
    });
    expect(api.audited().filter(({ auditID }) => auditID === 'theirs')).toEqual([]);
    for (const log of [api.auditFile, file('gateway.jsonl')])
      for (const text of [CANARY, Buffer.from(CANARY).toString('base64').replace(/=+$/, '')])
        expect(readFileSync(log, 'utf8').includes(text)).toBe(false);
  });

  it(`withdraws the gateway's token ${ROTATIONS} times at ${PER_SECOND} requests a second: none fails`, async () => {
    const load = startLoad({
      port: gateway.port,
      perSecond: PER_SECOND,
      make: () => ask(`/secrets/${SECRET}`),
    });
    for (let n = 0; n < ROTATIONS; n++) {
      const next = await issue();
      token.swap({ token: next.token });
      await current.withdraw(); // also long before the file is looked at again: a 401 makes the gateway look
      await sleep(1_000);
      current = next;
    }
    const sent = await load.stop();
    expect(failures(sent)).toEqual([]);
    expect(sent.length).toBeGreaterThan((PER_SECOND * ROTATIONS) / 2); // the load was one
    process.stderr.write(`token rotations: ${ROTATIONS}, ${sent.length} requests, 0 failed\n`);

    // Withdrawn, and no other there: the client is not sent for a new token, since it is not its own that is no good.
    await current.withdraw();
    const refused = await request(gateway.port, ask(`/secrets/${SECRET}`));
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([502, undefined]);
    expect(refused.text).not.toContain('Unauthorized');
    token.swap({ token: (await issue()).token });
    expect((await request(gateway.port, ask(`/secrets/${SECRET}`))).status).toBe(200);
  }, 180_000);
});
