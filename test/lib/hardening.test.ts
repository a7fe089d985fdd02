/** The plugin for `validations` of cdk8s.yaml, with the context and report of cdk8s-cli itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validation, ValidationContext } from 'cdk8s-cli/plugins';
import { HardeningValidation, HardeningValidationProps } from '../../lib';
import { BROKEN_PODS, container, DENY_ALL, pod, podSpec, SOUND_PODS } from '../support/planted-manifests';
import { Manifest } from '../support/synth';

const dir = mkdtempSync(join(tmpdir(), 'agw-hardening-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function report(objects: readonly unknown[], properties: HardeningValidationProps = {}) {
  const file = join(dir, 'app.k8s.yaml');
  writeFileSync(file, objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  const plugin: Validation = new HardeningValidation(properties);
  const metadata = { app: { path: 'chart/App/Resource' } };
  const context = new ValidationContext([file], 'cdk8s-agentgateway', '0.0.0', metadata);
  await plugin.validate(context);
  return context.report.toJson();
}
/** Rule and location of everything that is found, in the order of the report. */
async function found(...objects: readonly unknown[]): Promise<string[]> {
  const { violations } = await report(objects);
  return violations.flatMap(({ ruleName, violatingConstructs }) =>
    violatingConstructs.flatMap(({ locations }) => locations.map((location) => `${ruleName}: ${location}`)),
  );
}
const foundIn = (object: Manifest) => found(object, DENY_ALL);

const role = (rule: object, kind = 'Role') => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind,
  metadata: { name: 'app', namespace: 'apps' },
  rules: [rule],
});
const binding = (name: string, kind = 'ClusterRole') => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name: 'app', namespace: 'apps' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
});
const withEnv = (env: object[], envFrom: object[] = []) =>
  pod(podSpec({ containers: [container({ env, envFrom })] }));
const literal = (value: string, name = 'SETTING') => withEnv([{ name, value }]);

describe('the restricted profile', () => {
  it.each(Object.keys(BROKEN_PODS))(
    '%s: is broken by each pod that breaks it, and that pod by nothing else',
    async (check) => {
      for (const [where, broken, also] of BROKEN_PODS[check]) {
        const others = also === undefined ? [] : [expect.stringContaining(`pod-security/${also}: `)];
        expect([where, (await foundIn(broken)).sort()]).toEqual([
          where,
          [...others, expect.stringContaining(`pod-security/${check}: Pod apps/app ${where}: must `)],
        ]);
      }
    },
  );
  it.each(Object.keys(SOUND_PODS))('is kept by a pod: %s', async (name) => {
    expect(await foundIn(SOUND_PODS[name])).toEqual([]);
  });
  it('has a planted pod for each of its checks', async () => {
    const checks = new Set(
      (
        await new Promise<string>((resolve) => {
          report([], { without: ['none'] }).catch((error: Error) => resolve(error.message));
        })
      ).match(/pod-security\/\w+/g),
    );
    expect([...checks].sort()).toEqual(
      Object.keys(BROKEN_PODS)
        .map((check) => `pod-security/${check}`)
        .sort(),
    );
  });
  it.each([
    ['v1', 'Pod', (spec: object) => spec, 'spec'],
    ['v1', 'ReplicationController', (spec: object) => ({ template: { spec } }), 'spec.template.spec'],
    ['apps/v1', 'Deployment', (spec: object) => ({ template: { spec } }), 'spec.template.spec'],
    ['apps/v1', 'ReplicaSet', (spec: object) => ({ template: { spec } }), 'spec.template.spec'],
    ['apps/v1', 'StatefulSet', (spec: object) => ({ template: { spec } }), 'spec.template.spec'],
    ['apps/v1', 'DaemonSet', (spec: object) => ({ template: { spec } }), 'spec.template.spec'],
    ['batch/v1', 'Job', (spec: object) => ({ template: { spec } }), 'spec.template.spec'],
    [
      'batch/v1',
      'CronJob',
      (spec: object) => ({ jobTemplate: { spec: { template: { spec } } } }),
      'spec.jobTemplate.spec.template.spec',
    ],
  ])('is asked of the pods of a %s %s', async (apiVersion, kind, specOf, path) => {
    const object = { apiVersion, kind, metadata: pod().metadata, spec: specOf(podSpec({ hostPID: true })) };
    expect(await foundIn(object)).toEqual([
      `pod-security/hostNamespaces: ${kind} apps/app ${path}.hostPID: must be false or left out, got true`,
    ]);
  });
  it('is asked of a PodTemplate and of what a List has, and of no kind of another group', async () => {
    const template = { spec: podSpec({ hostPID: true }) };
    const { metadata } = pod();
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'v1', kind: 'PodTemplate', metadata, template }],
    };
    expect(await foundIn(list)).toEqual([
      'pod-security/hostNamespaces: PodTemplate apps/app template.spec.hostPID: must be false or left out, got true',
    ]);
    // kubectl takes whatever has items for a list, and its items for what it is a list of.
    const ofKind = { apiVersion: 'v1', kind: 'PodTemplateList', items: [{ metadata, template }] };
    const nested = { apiVersion: 'v1', kind: 'List', items: [list, ofKind] };
    expect(await foundIn(nested)).toHaveLength(2);
    expect(
      await found({ apiVersion: 'batch.volcano.sh/v1alpha1', kind: 'Job', metadata, spec: { template } }),
    ).toEqual([]);
  });
});

describe('image-digest', () => {
  const want = 'must be REPOSITORY@sha256:<64 hex>';
  it.each(['node:24', `node:sha256:${'0'.repeat(64)}`, `node@sha256:${'0'.repeat(63)}`])(
    'is broken by %s',
    async (image) => {
      for (const part of ['initContainers', 'containers', 'ephemeralContainers']) {
        const { [part]: _, ...others } = podSpec();
        expect(
          await foundIn(pod({ containers: [container()], ...others, [part]: [container({ image })] })),
        ).toEqual([
          `image-digest: Pod apps/app spec.${part}[0].image: ${want}, got ${JSON.stringify(image)}`,
        ]);
      }
    },
  );
  it('is broken by a volume of an image, and by no image at all', async () => {
    expect(
      await foundIn(pod(podSpec({ volumes: [{ name: 'm', image: { reference: 'models:1' } }] }))),
    ).toEqual([`image-digest: Pod apps/app spec.volumes[0].image.reference: ${want}, got "models:1"`]);
    expect(await foundIn(pod(podSpec({ containers: [container({ image: undefined })] })))).toEqual([
      `image-digest: Pod apps/app spec.containers[0].image: ${want}`,
    ]);
  });
});

describe('no-secret-env', () => {
  it('is broken by a variable from a Secret, and by all keys of one', async () => {
    const valueFrom = { secretKeyRef: { name: 'db', key: 'password' } };
    expect(await foundIn(withEnv([{ name: 'A', valueFrom }], [{ secretRef: { name: 'db' } }]))).toEqual([
      'no-secret-env: Pod apps/app spec.containers[0].envFrom[0].secretRef: must be left out: each key of ' +
        'the Secret would be a variable',
      'no-secret-env: Pod apps/app spec.containers[0].env[0].valueFrom.secretKeyRef: must be left out, got "A"',
    ]);
  });
  it.each([
    ['DB_PASSWORD', 'hunter2', 'its name says that it is a secret'],
    ['githubToken', 'x', 'its name says that it is a secret'],
    ['A', `-----BEGIN EC PRIVATE KEY-----\nAAAA`, 'it is a private key'],
    ['A', 'postgres://user:hunter2@db/app', 'it is a URL with a password'],
    ['A', 'redis://:hunter2@db', 'it is a URL with a password'],
    ['A', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.hunter2', 'it is a JWT'],
    ['A', `AKIA${'HUNTER2'.repeat(3).slice(0, 16)}`, 'it is an access key of AWS'],
    ['A', `ghp_${'hunter2'.repeat(6).slice(0, 36)}`, 'it is a token of GitHub'],
    ['A', 'xoxb-1234567890-hunter2', 'it is a token of Slack'],
  ])('is broken by %s=%s, and does not print it', async (name, value, looks) => {
    const [only, ...others] = await foundIn(literal(value, name));
    expect([only, others]).toEqual([
      `no-secret-env: Pod apps/app spec.containers[0].env[0].value: must be left out: ${looks}, got "${name}"`,
      [],
    ]);
    expect(only.toLowerCase()).not.toContain('hunter2');
  });
  it.each([
    ['DB_PASSWORD_FILE', '/run/db/password'],
    ['REQUIRE_TOKEN', 'true'],
    ['DB_PASSWORD', ''],
    ['DB_PASSWORD', '$(OTHER)'],
    ['URL', 'https://user@example.com/a:b@c'],
    ['VERSION', '1.2.3'],
  ])('is kept by %s=%s', async (name, value) => {
    expect(await foundIn(literal(value, name))).toEqual([]);
  });
  it('is kept by what no Secret gives', async () => {
    const valueFrom = { configMapKeyRef: { name: 'a', key: 'b' } };
    expect(await foundIn(withEnv([{ name: 'A', valueFrom }], [{ configMapRef: { name: 'a' } }]))).toEqual([]);
  });
});

describe('roles', () => {
  const sound = { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get'] };
  it.each([
    ['apiGroups', ['*']],
    ['resources', ['pods', '*']],
    ['resources', ['*/scale']],
    ['verbs', ['*']],
    ['nonResourceURLs', ['*']],
    ['nonResourceURLs', ['/*']],
  ])('break rbac-wildcard with %s %j', async (field, value) => {
    for (const kind of ['Role', 'ClusterRole'])
      expect(await found(role({ ...sound, [field]: value }, kind))).toEqual([
        expect.stringContaining(`rbac-wildcard: ${kind} apps/app rules[0].${field}: must name each one`),
      ]);
  });
  it('break rbac-wildcard where they are bound to cluster-admin', async () => {
    expect(await found(binding('cluster-admin'))).toEqual([
      'rbac-wildcard: RoleBinding apps/app roleRef.name: must be another role: this one may do everything, ' +
        'got "cluster-admin"',
    ]);
    expect(await found(binding('cluster-admin', 'Role'), binding('view'))).toEqual([]);
  });
  it.each(['escalate', 'bind', 'impersonate', 'impersonate:user-info'])(
    'break rbac-escalation with %s',
    async (verb) => {
      expect(await found(role({ ...sound, verbs: ['get', verb] }))).toEqual([
        'rbac-escalation: Role apps/app rules[0].verbs: must have none of escalate, bind and impersonate, ' +
          `got ["${verb}"]`,
      ]);
    },
  );
  it('keep both with what is named', async () => {
    expect(
      await found(role(sound), role({ nonResourceURLs: ['/healthz/*'], verbs: ['get'] }, 'ClusterRole')),
    ).toEqual([]);
  });
});

describe('default-deny', () => {
  const policy = (spec: object, namespace = 'apps') => ({
    ...DENY_ALL,
    metadata: { name: 'p', namespace },
    spec,
  });
  const open = (directions: string) =>
    `default-deny: Pod apps/app in namespace apps: must have a NetworkPolicy that denies ${directions} of ` +
    'every pod by default';
  it.each([
    ['no policy', [], 'Ingress and Egress'],
    ['one of another namespace', [policy(DENY_ALL.spec, 'other')], 'Ingress and Egress'],
    [
      'one for some pods',
      [policy({ ...DENY_ALL.spec, podSelector: { matchLabels: { a: 'b' } } })],
      'Ingress and Egress',
    ],
    [
      'one for the pods of an expression',
      [policy({ ...DENY_ALL.spec, podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } })],
      'Ingress and Egress',
    ],
    ['one for ingress', [policy({ podSelector: {}, policyTypes: ['Ingress'] })], 'Egress'],
    ['one that says no type, which is ingress', [policy({ podSelector: {} })], 'Egress'],
    ['one that lets everybody in', [policy({ ...DENY_ALL.spec, ingress: [{}] })], 'Ingress'],
  ])('is broken with %s', async (_, policies, directions) => {
    expect(await found(pod(), ...policies)).toEqual([open(directions)]);
  });
  it.each([
    ['one policy', [DENY_ALL]],
    [
      'one for each direction',
      [policy({ podSelector: {} }), policy({ podSelector: {}, policyTypes: ['Egress'] })],
    ],
    [
      'a selector of nothing',
      [policy({ ...DENY_ALL.spec, podSelector: { matchLabels: {}, matchExpressions: [] } })],
    ],
    ['others that allow', [DENY_ALL, policy({ podSelector: {}, ingress: [{}], egress: [{}] })]],
  ])('is kept by %s', async (_, policies) => {
    expect(await found(pod(), ...policies)).toEqual([]);
  });
  it('is asked of no namespace without pods', async () => {
    expect(await found({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } })).toEqual([]);
  });
  it('says that kubectl chooses the namespace where the manifest does not', async () => {
    expect(await found(pod(podSpec(), { namespace: undefined }))).toEqual([
      'default-deny: Pod app in namespace (that of kubectl): must have a NetworkPolicy that denies Ingress ' +
        'and Egress of every pod by default',
    ]);
  });
});

describe('the report', () => {
  it('says of each rule where it is broken, by construct, and how to mend it', async () => {
    const { summary, violations } = await report([pod(podSpec({ hostPID: true, hostIPC: true })), DENY_ALL]);
    expect(summary).toMatchObject({ status: 'failure', metadata: { Objects: '2' } });
    expect(violations).toEqual([
      {
        ruleName: 'pod-security/hostNamespaces',
        recommendation: expect.stringContaining('Share no namespace with the node'),
        fix: 'Leave hostNetwork, hostPID and hostIPC out.',
        violatingConstructs: [
          {
            resourceName: 'app',
            constructPath: 'chart/App/Resource',
            manifestPath: join(dir, 'app.k8s.yaml'),
            locations: [
              'Pod apps/app spec.hostPID: must be false or left out, got true',
              'Pod apps/app spec.hostIPC: must be false or left out, got true',
            ],
          },
        ],
      },
    ]);
  });
  it('names the rules that were left out, which hold no more', async () => {
    const objects = [pod(podSpec({ hostPID: true })), DENY_ALL];
    const { summary } = await report(objects, { without: ['pod-security/hostNamespaces'] });
    expect(summary).toMatchObject({
      status: 'success',
      metadata: { Objects: '2', Without: 'pod-security/hostNamespaces' },
    });
  });
  it.each([
    [
      { without: ['images'] },
      /^properties\.without\[0\]: must be one of pod-security\/privileged, .*, got "images"/,
    ],
    [{ without: 'image-digest' }, /^properties\.without: must be an array, got "image-digest"/],
    [{ withuot: [] }, /^properties\.withuot: must be left out: HardeningValidationProps has no such prop/],
    [null, /^properties: must be an object/],
  ])('is not made with properties %j', (properties, said) => {
    expect(() => new HardeningValidation(properties as never)).toThrow(said);
  });
  it('has nothing of documents that are no objects of Kubernetes, or have other kinds of values', async () => {
    const odd = { ...pod({ containers: 'a', securityContext: [], volumes: {} }), metadata: 'a' };
    expect((await report([null, 'text', [1], { kind: 7 }, odd, DENY_ALL])).summary.metadata).toEqual({
      Objects: '2',
    });
  });
});
