/**
 * What `agw prune` calls unused is removed by whoever pipes it to kubectl: never what a pod, now or after an undo,
 * mounts.
 */
import { unusedConfigMaps } from '../../src/cli/prune.js';

const hash = (digit: string) => digit.repeat(10);
const MADE = '2026-01-02T03:04:05Z';
const HOUR = 3600;
const MADE_AT = Date.parse(MADE) / 1000;
const LATER = MADE_AT + HOUR + 1;
const map = (name: string, change: object = {}) => ({
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace: 'aiops',
    labels: { 'app.kubernetes.io/name': 'agentgateway' },
    creationTimestamp: MADE,
  },
  immutable: true,
  ...change,
});
const holder = (kind: string, ...names: string[]) => ({
  kind,
  metadata: { name: kind, namespace: 'aiops' },
  spec: {
    template: {
      spec: { volumes: [{ projected: { sources: names.map((name) => ({ configMap: { name } })) } }] },
    },
  },
});
const of = (letter: string) => `agentgateway-config-${hash(letter)}`;

describe('agw prune', () => {
  it('names what nothing mounts, and keeps what a Deployment, an old ReplicaSet or a pod does', () => {
    const items = [
      ...['a', 'b', 'c', 'd'].map((letter) => map(of(letter))),
      holder('Deployment', of('a')),
      holder('ReplicaSet', of('b')),
      holder('Pod', of('c')),
    ];
    expect(unusedConfigMaps(items, LATER)).toEqual([`configmap/${of('d')}`]);
  });
  it('keeps what was made within an hour, or does not say when: its Deployment may not be there yet', () => {
    const { metadata } = map(of('b'));
    const items = [
      map(of('a')),
      map(of('b'), { metadata: { ...metadata, creationTimestamp: undefined } }),
      holder('Deployment'),
      holder('ReplicaSet'),
    ];
    expect(unusedConfigMaps(items, MADE_AT + HOUR)).toEqual([]);
    expect(unusedConfigMaps(items, LATER)).toEqual([`configmap/${of('a')}`]);
  });
  it('leaves what is not of a gateway, can change, or has another kind of name', () => {
    const others = [
      map(of('a'), { metadata: { name: of('a'), namespace: 'aiops', labels: {} } }),
      map(of('b'), { immutable: undefined }),
      map('agentgateway-settings'),
    ];
    expect(unusedConfigMaps([...others, holder('Deployment'), holder('ReplicaSet')], LATER)).toEqual([]);
  });
  it('refuses a list in which it could not see what is used', () => {
    expect(() => unusedConfigMaps([map(of('a')), holder('Deployment')], LATER)).toThrow(
      'input: must list the Deployments and ReplicaSets of the namespace, got no ReplicaSet',
    );
    const elsewhere = map(of('a'), { metadata: { name: of('a'), namespace: 'b', labels: {} } });
    expect(() => unusedConfigMaps([elsewhere, holder('Deployment'), holder('ReplicaSet')], LATER)).toThrow(
      'input: must be of one namespace',
    );
  });
});
