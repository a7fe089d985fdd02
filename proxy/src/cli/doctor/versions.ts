/** Whether a cluster and its nodes are young enough for the fields of the manifests. */
import { OLDEST_MINOR, VERSIONED_FIELDS, type VersionedField } from '../../kubernetes/cluster-needs.js';
import { at, listAt, textAt } from '../kube-objects.js';
import { askCluster, type Cluster } from './cluster.js';
import type { Finding } from './finding.js';

/** By the facts of cluster-needs.ts. */
export const fieldsIn = (objects: readonly unknown[]): readonly VersionedField[] =>
  VERSIONED_FIELDS.filter((field) => objects.some((object) => has(object, field)));

function has(object: unknown, { kind, path, value }: VersionedField): boolean {
  if (textAt(object, 'kind') !== kind) return false;
  return (
    path === undefined || valuesAt(object, path.split('.')).some((v) => v === value || value === undefined)
  );
}

/** Of every item where a name ends in `[]`. */
function valuesAt(value: unknown, [name, ...rest]: readonly string[]): readonly unknown[] {
  if (name === undefined) return value === undefined ? [] : [value];
  const isList = name.endsWith('[]');
  const found = isList ? listAt(value, name.slice(0, -2)) : [at(value, name)];
  return found.flatMap((each) => valuesAt(each, rest));
}

const since = (field: VersionedField) => `1.${field.since}`;

export async function checkVersions(
  objects: readonly unknown[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  const fields = fieldsIn(objects);
  const minor = Math.max(OLDEST_MINOR, ...fields.map((field) => field.since));
  const question = { check: 'kubernetes version', of: 'API server', want: `1.${minor} or later` };
  const ofServer = await askCluster(cluster, question, async (asked) => {
    const got = textAt(await asked.get('/version'), 'gitVersion') ?? 'none';
    const missing = fields.filter((field) => isOlder(got, since(field))).map(({ field }) => field);
    if (!isOlder(got, `1.${minor}`)) return [{ ...question, result: 'ok', got }];
    const lost = missing.length === 0 ? 'manifests are for it' : `it drops in silence: ${missing.join(', ')}`;
    return [{ ...question, result: 'fault', got, next: `upgrade the cluster; ${lost}` }];
  });
  return [...ofServer, ...(await checkNodes(fields, cluster))];
}

interface Part {
  readonly name: string;
  readonly least: string;
  /** Of a node's `status.nodeInfo`; undefined: the node has another part instead. */
  readonly versionOf: (info: unknown) => string | undefined;
}

/** What nodes must have for these fields; none where any node does. */
function partsOf(fields: readonly VersionedField[]): Part[] {
  const onNodes = fields.filter(({ nodes }) => nodes !== 'none');
  const runtimes = onNodes.flatMap(({ runtime }) => (runtime === undefined ? [] : [runtime]));
  const part = (name: string, versions: readonly (string | undefined)[], versionOf: Part['versionOf']) => {
    const least = versions.filter((v) => v !== undefined).toSorted((a, b) => (isOlder(a, b) ? -1 : 1));
    return least.length === 0 ? [] : [{ name, least: least.at(-1)!, versionOf }];
  };
  const runtimeVersion = (name: string) => (info: unknown) => {
    const [runs, version] = (textAt(info, 'containerRuntimeVersion') ?? '').split('://');
    return runs === name ? version : undefined;
  };
  return [
    ...part('kubelet', onNodes.map(since), (info) => textAt(info, 'kubeletVersion') ?? 'none'),
    ...part(
      'Linux',
      runtimes.map(({ linux }) => linux),
      (info) => textAt(info, 'kernelVersion') ?? 'none',
    ),
    ...(['containerd', 'cri-o'] as const).flatMap((name) =>
      part(
        name,
        runtimes.map((runtime) => runtime[name]),
        runtimeVersion(name),
      ),
    ),
  ];
}

async function checkNodes(
  fields: readonly VersionedField[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  const parts = partsOf(fields);
  if (parts.length === 0) return [];
  const want = parts.map(({ name, least }) => `${name} ${least}`).join(', ');
  return askCluster(cluster, { check: 'node versions', of: 'nodes', want }, async (asked) => {
    const nodes = listAt(await asked.get('/api/v1/nodes'), 'items');
    return parts.flatMap((part) => nodesFinding(part, nodes));
  });
}

function nodesFinding({ name, least, versionOf }: Part, nodes: readonly unknown[]): readonly Finding[] {
  const versions = nodes.flatMap((node) => {
    const version = versionOf(at(node, 'status', 'nodeInfo'));
    return version === undefined ? [] : [{ node: textAt(node, 'metadata', 'name') ?? '', version }];
  });
  if (versions.length === 0) return [];
  const oldest = versions.reduce((a, b) => (isOlder(b.version, a.version) ? b : a));
  const finding = {
    check: 'node versions',
    of: `${name} of ${versions.length} node(s)`,
    got: `${oldest.version} on ${oldest.node}`,
    want: `${least} or later`,
  };
  return isOlder(oldest.version, least)
    ? [
        {
          ...finding,
          result: 'fault',
          next: 'upgrade these nodes, or keep the pods off them (nodeSelector)',
        },
      ]
    : [{ ...finding, result: 'ok' }];
}

/** By the first two numbers, which is where fields come and go. What has none is older than all. */
function isOlder(version: string, than: string): boolean {
  const [major, minor] = numbersOf(version);
  const [thanMajor, thanMinor] = numbersOf(than);
  return major === thanMajor ? minor < thanMinor : major < thanMajor;
}

function numbersOf(version: string): readonly [number, number] {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}
