import { Chart, Testing, App } from 'cdk8s';
import { demo } from '../../apps/demo';
import { quickstart } from '../../apps/quickstart';
import { reference } from '../../apps/reference';

/** The manifests, without what every build or release changes: the proxy's code, the hashes in names, the version. */
function stable(build: (app: App) => Chart): unknown {
  const objects = Testing.synth(build(Testing.app())) as { kind: string; data?: Record<string, string> }[];
  const text = JSON.stringify(
    objects.map((o) =>
      o.kind === 'ConfigMap'
        ? {
            ...o,
            data: Object.fromEntries(
              Object.entries(o.data!).map(([key, value]) => [key, key.endsWith('.mjs') ? '(code)' : value]),
            ),
          }
        : o,
    ),
  );
  return JSON.parse(
    text
      .replace(
        /-(config|code|code-checks|code-http|code-stores|code-config|vendor|redis-client|agentgateway)-[0-9a-f]{10}"/g,
        '-$1-(hash)"',
      )
      .replace(/("app.kubernetes.io\/version":)"[^"]+"/g, '$1"(version)"'),
  );
}

describe('the app', () => {
  it.each([
    ['quickstart', quickstart],
    ['reference', reference],
    ['demo', demo],
  ])('%s synthesizes what it did before', (_, build) => {
    expect(stable(build)).toMatchSnapshot();
  });
  it.each([
    ['quickstart', quickstart],
    ['reference', reference],
    ['demo', demo],
  ])('%s holds no secret value and takes none from the environment', (_, build) => {
    const objects = Testing.synth(build(Testing.app())) as { kind: string }[];
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    // The policy that forbids it names it.
    expect(JSON.stringify(objects.filter(({ kind }) => kind !== 'ValidatingAdmissionPolicy'))).not.toMatch(
      /secretKeyRef|"envFrom"|PRIVATE KEY/,
    );
  });
  it('reference emits every kind of the reference architecture', () => {
    const kinds = new Set(
      (Testing.synth(reference(Testing.app())) as { kind: string }[]).map(({ kind }) => kind),
    );
    expect([...kinds]).toEqual(
      expect.arrayContaining([
        'Namespace',
        'Deployment',
        'ServiceAccount',
        'Role',
        'RoleBinding',
        'ConfigMap',
        'Service',
        'NetworkPolicy',
        'PodDisruptionBudget',
        'ValidatingAdmissionPolicy',
        'ExternalSecret',
        'SecretStore',
      ]),
    );
  });
});
