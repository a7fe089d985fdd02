/**
 * The admission rules of a hardened namespace at a real API server: the gateway is let in, and for every rule
 * and every shape that carries a pod, what breaks it is not.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  missingForApiServer,
  startApiServer,
  type Answer,
  type ApiServer,
  type Json,
} from '../support/api-server.js';
import { needs } from '../support/daemon.js';
import { synthesized } from '../support/synthesized.js';
import { jwkOf, rsa } from '../../../proxy/test/support/mint.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const IMAGE = `registry.example/debug:1@${DIGEST}`;
/** How long the API server may take to follow its policies. */
const IN_FORCE_MS = 30_000;
const PARTS = ['containers', 'initContainers'] as const;

interface Container extends Json {
  readonly name: string;
  readonly volumeMounts: readonly Json[];
}
interface Pod extends Json {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly Json[];
  readonly securityContext: Json;
}
interface Manifest extends Json {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: { readonly template: { readonly metadata: Json; readonly spec: Pod } };
}

/** A container that some pods have beside those of the gateway. */
const BEFORE = 'before';

/** The first container changed; or one more that runs before the others, as good as it but for the change. */
const changed = (
  pod: Pod,
  change: (container: Container) => object,
  part: (typeof PARTS)[number] = 'containers',
): Pod => {
  const [first, ...others] = pod.containers;
  const made = { ...first!, ...change(first!) };
  if (part === 'containers') return { ...pod, containers: [made, ...others] };
  const { startupProbe, readinessProbe, livenessProbe, lifecycle, ports, ...plain } = made;
  return { ...pod, initContainers: [{ ...plain, name: BEFORE }, ...(pod.initContainers ?? [])] };
};
const secured = (change: object) => (container: Container) => ({
  securityContext: { ...(container.securityContext as Json), ...change },
});
const mounted =
  (change: object) =>
  ({ volumeMounts }: Container) => ({
    volumeMounts: volumeMounts.map((mount) => (mount.name === 'config' ? { ...mount, ...change } : mount)),
  });
const inEither = (change: (container: Container) => object) => (pod: Pod) =>
  PARTS.map((part) => changed(pod, change, part));
const secret = { name: 'database-credentials', key: 'password' };

/** By rule: pods that Pod Security takes and the rule does not, and what is said of them. */
const BROKEN: Readonly<
  Record<string, readonly (readonly [got: string, make: (pod: Pod) => readonly Pod[]])[]>
> = {
  'image-digest': [
    ['node:24', inEither(() => ({ image: 'node:24' }))],
    [`node:${DIGEST}`, inEither(() => ({ image: `node:${DIGEST}` }))],
    [`node@${DIGEST}0`, inEither(() => ({ image: `node@${DIGEST}0` }))],
    [
      'models models:1',
      (pod) => [{ ...pod, volumes: [...pod.volumes, { name: 'models', image: { reference: 'models:1' } }] }],
    ],
  ],
  'non-root': [
    ['dpop-proxy', (pod) => [changed({ ...pod, hostUsers: false }, secured({ runAsNonRoot: false }))]],
    ['dpop-proxy', (pod) => [changed({ ...pod, hostUsers: false }, secured({ runAsUser: 0 }))]],
    [
      'dpop-proxy, agentgateway',
      (pod) => [{ ...pod, hostUsers: false, securityContext: { ...pod.securityContext, runAsUser: 0 } }],
    ],
    [
      'dpop-proxy',
      (pod) => [
        changed(
          { ...pod, hostUsers: false, securityContext: { ...pod.securityContext, runAsNonRoot: undefined } },
          secured({ runAsNonRoot: undefined }),
        ),
      ],
    ],
  ],
  'read-only-root': [
    ['', inEither(secured({ readOnlyRootFilesystem: false }))],
    ['', inEither(secured({ readOnlyRootFilesystem: undefined }))],
  ],
  'no-secret-env': [
    [
      '',
      inEither(() => ({
        env: [
          { name: 'PLAIN', value: 'x' },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: secret } },
        ],
      })),
    ],
    [
      '',
      inEither(() => ({
        envFrom: [{ configMapRef: { name: 'plain' } }, { secretRef: { name: secret.name } }],
      })),
    ],
  ],
  'no-sub-path': [
    ['', inEither(mounted({ subPath: 'config.json' }))],
    ['', inEither(mounted({ subPathExpr: '$(HOSTNAME)' }))],
    [
      '',
      (pod) =>
        [
          { secret: { secretName: secret.name } },
          { configMap: { name: 'plain' } },
          { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        ].map((source) =>
          changed({ ...pod, volumes: [...pod.volumes, { name: 'more', ...source }] }, ({ volumeMounts }) => ({
            volumeMounts: [...volumeMounts, { name: 'more', mountPath: '/more', subPath: 'a' }],
          })),
        ),
    ],
  ],
  'own-processes': [['the pod', (pod) => [{ ...pod, shareProcessNamespace: true }]]],
};
/** What looks like one of them and is none. */
const SOUND: readonly ((pod: Pod) => Pod)[] = [
  (pod) => pod,
  (pod) => changed(pod, () => ({ image: `registry.example:5000/node@${DIGEST}` }), 'initContainers'),
  (pod) => changed(pod, secured({ runAsNonRoot: undefined })),
  (pod) =>
    changed(pod, () => ({
      env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      envFrom: [{ configMapRef: { name: 'plain' } }],
    })),
  (pod) =>
    changed(pod, ({ volumeMounts }) => ({
      volumeMounts: [...volumeMounts, { name: 'tmp', mountPath: '/more', subPath: 'a' }],
    })),
];

const missing = missingForApiServer();
needs('admission at a real API server', missing);
(missing.length === 0 ? describe : describe.skip)('admission at a real API server', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-admission-'));
  const file = (name: string) => join(dir, name);
  let manifests: readonly Manifest[];
  let api: ApiServer;
  let gatewayPod: Pod;
  const labels = { app: 'a' };

  const workload = (pod: Pod, more: object = {}) => ({
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: pod },
    ...more,
  });
  const job = (pod: Pod) => ({ template: { spec: { ...pod, restartPolicy: 'Never' } } });
  const SHAPES: Readonly<
    Record<string, readonly [apiVersion: string, kind: string, spec: (pod: Pod) => object]>
  > = {
    pods: ['v1', 'Pod', (pod) => pod],
    deployments: ['apps/v1', 'Deployment', workload],
    replicasets: ['apps/v1', 'ReplicaSet', workload],
    replicationcontrollers: [
      'v1',
      'ReplicationController',
      (pod) => ({ selector: labels, template: { metadata: { labels }, spec: pod } }),
    ],
    daemonsets: ['apps/v1', 'DaemonSet', workload],
    statefulsets: ['apps/v1', 'StatefulSet', (pod) => workload(pod, { serviceName: 'a' })],
    jobs: ['batch/v1', 'Job', job],
    cronjobs: ['batch/v1', 'CronJob', (pod) => ({ schedule: '0 0 * * *', jobTemplate: { spec: job(pod) } })],
  };
  const at = (apiVersion: string, resource: string, namespace: string) =>
    `${apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`}/namespaces/${namespace}/${resource}`;
  /** Asks the API server to create it, or whether it would. */
  const create = (
    resource: string,
    pod: Pod,
    { namespace = 'strict', name = 'a', dryRun = true } = {},
  ): Promise<Answer> => {
    const [apiVersion, kind, spec] = SHAPES[resource]!;
    return api.call({
      method: 'POST',
      path: `${at(apiVersion, resource, namespace)}?fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`,
      body: { apiVersion, kind, metadata: { name, labels }, spec: spec(pod) },
    });
  };
  const service = (spec: object) =>
    api.call({
      method: 'POST',
      path: `${at('v1', 'services', 'strict')}?dryRun=All&fieldValidation=Strict`,
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'a' },
        spec: { ports: [{ port: 80 }], ...spec },
      },
    });
  const patch = (path: string, body: unknown) =>
    api.call({ method: 'PATCH', path, body, type: 'application/strategic-merge-patch+json' });
  const tagged = () => changed(gatewayPod, () => ({ image: 'node:24' }));
  const writable = () => changed(gatewayPod, secured({ readOnlyRootFilesystem: false }));
  const until = async (what: string, is: () => Promise<boolean>) => {
    const end = performance.now() + IN_FORCE_MS;
    while (!(await is())) {
      if (performance.now() > end) throw new Error(`not within ${IN_FORCE_MS} ms: ${what}`);
      await sleep(100);
    }
  };
  const inForce = () =>
    until('the rules are in force', async () =>
      (
        await Promise.all([
          ...Object.keys(SHAPES).map((resource) => create(resource, writable())),
          service({ type: 'NodePort' }),
        ])
      ).every(({ status }) => status === 422),
    );

  beforeAll(async () => {
    const as = rsa();
    writeFileSync(
      file('as.json'),
      JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
    );
    manifests = synthesized<Manifest>('test/support/admission-app.ts', file('manifests'), file('as.json'));
    // The default one is there in every namespace.
    gatewayPod = {
      ...manifests.find(({ kind }) => kind === 'Deployment')!.spec.template.spec,
      serviceAccountName: 'default',
    };
    mkdirSync(file('api'));
    api = await startApiServer({ dir: file('api') });
    for (const manifest of manifests) {
      const { status, text, warnings } = await api.apply(manifest);
      expect([manifest.kind, manifest.metadata.name, status, status >= 400 ? text : '', warnings]).toEqual([
        manifest.kind,
        manifest.metadata.name,
        201,
        '',
        [],
      ]);
    }
    await inForce();
    await until(
      'the other namespaces have theirs',
      async () =>
        (await create('pods', writable(), { namespace: 'warned' })).warnings.length > 0 &&
        (await create('pods', writable(), { namespace: 'excepted' })).status === 422,
    );
  }, 1_500_000);
  afterAll(async () => {
    await api?.stop();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it("takes the gateway's own pod, and what only looks like a fault, in every shape", async () => {
    for (const resource of Object.keys(SHAPES)) {
      for (const [n, make] of SOUND.entries()) {
        const { status, text, warnings } = await create(resource, make(gatewayPod));
        expect([resource, n, status, status >= 400 ? text : '', warnings]).toEqual([
          resource,
          n,
          201,
          '',
          [],
        ]);
      }
    }
  });

  it.each(Object.keys(BROKEN))(
    'refuses, in every shape, what breaks %s, and says what and where',
    async (rule) => {
      for (const resource of Object.keys(SHAPES)) {
        for (const [got, make] of BROKEN[rule]!) {
          for (const pod of make(gatewayPod)) {
            const { status, text } = await create(resource, pod);
            const said = (JSON.parse(text) as { message: string }).message;
            const where = pod.initContainers?.some(({ name }) => name === BEFORE) ? BEFORE : '';
            expect([resource, got, status, said]).toEqual([
              resource,
              got,
              422,
              expect.stringMatching(new RegExp(`denied request: ${rule}: .*, got: .*${where}.*${got}`)),
            ]);
          }
        }
      }
    },
  );

  it('refuses them of a debug container too', async () => {
    expect((await create('pods', gatewayPod, { name: 'debugged', dryRun: false })).status).toBe(201);
    const { securityContext } = gatewayPod.containers[0]!;
    const debug = (change: object) =>
      patch(`${at('v1', 'pods', 'strict')}/debugged/ephemeralcontainers?dryRun=All`, {
        spec: { ephemeralContainers: [{ name: 'debugger', image: IMAGE, securityContext, ...change }] },
      });
    for (const sound of [{}, { volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] }])
      expect((await debug(sound)).status).toBe(200);
    for (const [rule, change] of [
      ['image-digest', { image: 'busybox' }],
      ['own-processes', { targetContainerName: 'dpop-proxy' }],
      [
        'read-only-root',
        { securityContext: { ...(securityContext as Json), readOnlyRootFilesystem: false } },
      ],
      ['no-secret-env', { env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: secret } }] }],
      ...['config', 'api-token'].map(
        (name) => ['own-processes', { volumeMounts: [{ name, mountPath: '/theirs' }] }] as const,
      ),
    ] as const) {
      const { status, text } = await debug(change);
      expect([rule, status, text]).toEqual([
        rule,
        422,
        expect.stringMatching(new RegExp(`denied request: ${rule}: .*, got: debugger`)),
      ]);
    }
  });

  it('takes Services that are reached inside the cluster, and no others', async () => {
    for (const sound of [{}, { type: 'ClusterIP', clusterIP: 'None' }])
      expect((await service(sound)).status).toBe(201);
    for (const [got, broken] of [
      ['NodePort', { type: 'NodePort' }],
      ['LoadBalancer', { type: 'LoadBalancer' }],
      ['ExternalName', { type: 'ExternalName', externalName: 'example.com' }],
      ['ClusterIP 192.0.2.1', { externalIPs: ['192.0.2.1'] }],
    ] as const) {
      const { status, text } = await service(broken);
      expect([got, status, text]).toEqual([
        got,
        422,
        expect.stringContaining(
          `denied request: cluster-ip: a Service must be of type ClusterIP and have no externalIPs, got: ${got}`,
        ),
      ]);
    }
  });

  it('lets what was there before be labelled, scaled and ended, but not changed to what breaks a rule', async () => {
    const bindings = manifests.filter(
      ({ kind, metadata }) =>
        kind === 'ValidatingAdmissionPolicyBinding' && metadata.name.startsWith('hardened-strict-'),
    );
    expect(bindings).toHaveLength(5);
    const binding = (name: string) =>
      `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/${name}`;
    for (const { metadata } of bindings)
      expect((await api.call({ method: 'DELETE', path: binding(metadata.name) })).status).toBe(200);
    await until('the rules are gone', async () =>
      (await Promise.all(Object.keys(SHAPES).map((resource) => create(resource, writable())))).every(
        ({ status }) => status === 201,
      ),
    );
    for (const resource of Object.keys(SHAPES))
      expect([resource, (await create(resource, writable(), { name: 'old', dryRun: false })).status]).toEqual(
        [resource, 201],
      );
    for (const manifest of bindings) expect((await api.apply(manifest)).status).toBe(201);
    await inForce();

    for (const [resource, [apiVersion]] of Object.entries(SHAPES))
      expect([
        resource,
        (
          await patch(`${at(apiVersion, resource, 'strict')}/old`, {
            metadata: { labels: { b: 'c' }, finalizers: [] },
          })
        ).status,
      ]).toEqual([resource, 200]);
    const old = (resource: string) => `${at('apps/v1', resource, 'strict')}/old`;
    for (const resource of ['deployments', 'replicasets', 'statefulsets'])
      expect([resource, (await patch(old(resource), { spec: { replicas: 0 } })).status]).toEqual([
        resource,
        200,
      ]);
    const next = await patch(old('deployments'), {
      spec: { template: { spec: { containers: [{ name: 'dpop-proxy', image: IMAGE }] } } },
    });
    expect([next.status, next.text]).toEqual([422, expect.stringContaining('read-only-root')]);
    // An image is what may change of a pod.
    const swapped = await patch(`${at('v1', 'pods', 'strict')}/debugged`, {
      spec: { containers: [{ name: 'dpop-proxy', image: 'node:24' }] },
    });
    expect([swapped.status, swapped.text]).toEqual([422, expect.stringContaining('got: dpop-proxy node:24')]);
    for (const [resource, [apiVersion]] of Object.entries(SHAPES))
      expect([
        resource,
        (
          await api.call({
            method: 'DELETE',
            path: `${at(apiVersion, resource, 'strict')}/old?gracePeriodSeconds=0`,
          })
        ).status,
      ]).toEqual([resource, 200]);
  });

  it('warns where it only warns, passes what is excepted, and leaves other namespaces alone', async () => {
    const answers: Record<string, unknown> = {};
    for (const namespace of ['strict', 'warned', 'excepted', 'plain']) {
      for (const [what, pod] of [
        ['tagged', tagged()],
        ['writable', writable()],
      ] as const) {
        const { status, warnings } = await create('pods', pod, { namespace });
        answers[`${namespace}: ${what}`] = [
          status,
          warnings.map((warning) => /binding '.*': ([a-z-]+): /.exec(warning)?.[1] ?? warning),
        ];
      }
    }
    expect(answers).toEqual({
      'strict: tagged': [422, []],
      'strict: writable': [422, []],
      'warned: tagged': [201, ['image-digest']],
      'warned: writable': [201, ['read-only-root']],
      'excepted: tagged': [201, []],
      'excepted: writable': [422, []],
      'plain: tagged': [201, []],
      'plain: writable': [201, []],
    });
    const failed = api
      .audited()
      .filter(
        ({ annotations }) =>
          annotations?.['validation.policy.admission.k8s.io/validation_failure'] !== undefined,
      );
    expect(
      failed.filter(({ requestURI }) => requestURI.startsWith(at('v1', 'pods', 'warned'))).length,
    ).toBeGreaterThanOrEqual(2);
    expect(
      failed.filter(
        ({ requestURI, responseStatus }) =>
          requestURI.startsWith(at('v1', 'pods', 'strict')) && responseStatus?.code === 422,
      ).length,
    ).toBeGreaterThanOrEqual(2);
  });
});
