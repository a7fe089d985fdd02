/** Whether a cluster serves the kinds of the manifests: those of operators need their definitions. */
import { REQUIREMENTS } from '../../kubernetes/cluster-needs.js';
import { listAt, textAt } from '../kube-objects.js';
import { askCluster, type Cluster } from './cluster.js';
import type { Finding } from './finding.js';

const CHECK = 'API';
/** A manifest is read, not trusted: what it says becomes a path of the API server. */
const GROUP_VERSION = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/v[a-z0-9]{1,62}$/;

export async function checkApis(
  objects: readonly unknown[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  const found = await Promise.all(
    [...apisOf(objects)].map(async ([apiVersion, kinds]) => {
      const need = needOf(apiVersion, kinds);
      // Nobody asked: what every cluster has is no news.
      if (cluster === undefined && need === undefined) return [];
      const from = need === undefined ? '' : ` (${need.needs})`;
      const question = { check: CHECK, of: apiVersion, want: `${[...kinds].join(', ')}${from}` };
      if (!GROUP_VERSION.test(apiVersion)) return [noGroupVersion(apiVersion)];
      const served = await askCluster(cluster, question, async (asked) => {
        const got = await servedBy(asked, apiVersion);
        const missing = [...kinds].filter((kind) => !got.includes(kind));
        if (missing.length === 0) return [{ ...question, result: 'ok', got: 'served' }];
        const next =
          need === undefined ? 'the cluster is too old or too new for it' : `install ${need.needs}`;
        return [{ ...question, result: 'fault', got: `no ${missing.join(', no ')}`, next }];
      });
      return [...served, ...(await checkShownBy(apiVersion, cluster))];
    }),
  );
  return found.flat();
}

const noGroupVersion = (apiVersion: string): Finding => ({
  check: CHECK,
  of: apiVersion,
  want: 'apiVersion: GROUP/VERSION',
  result: 'fault',
  got: 'something else',
  next: 'write it as the API has it',
});

/** Of every API beside the core: kinds that are used, but for those that the manifests define. */
function apisOf(objects: readonly unknown[]): ReadonlyMap<string, ReadonlySet<string>> {
  const apis = new Map<string, Set<string>>();
  const defined = new Set(objects.flatMap(kindsDefinedBy));
  for (const object of objects) {
    const [apiVersion, kind] = [textAt(object, 'apiVersion') ?? 'v1', textAt(object, 'kind') ?? ''];
    if (apiVersion === 'v1' || defined.has(`${apiVersion} ${kind}`)) continue;
    apis.set(apiVersion, (apis.get(apiVersion) ?? new Set()).add(kind));
  }
  return apis;
}

function kindsDefinedBy(object: unknown): readonly string[] {
  if (textAt(object, 'kind') !== 'CustomResourceDefinition') return [];
  const [group, kind] = [textAt(object, 'spec', 'group'), textAt(object, 'spec', 'names', 'kind')];
  return listAt(object, 'spec', 'versions').map((version) => `${group}/${textAt(version, 'name')} ${kind}`);
}

const needOf = (apiVersion: string, kinds: ReadonlySet<string>) =>
  REQUIREMENTS.find(
    (need) => need.apiVersion === apiVersion && need.kind !== undefined && kinds.has(need.kind),
  ) ?? REQUIREMENTS.find((need) => need.apiVersion === apiVersion);

const servedBy = async (cluster: Cluster, apiVersion: string): Promise<readonly string[]> =>
  listAt(await cluster.get(`/apis/${apiVersion}`), 'resources').map(
    (resource) => textAt(resource, 'kind') ?? '',
  );

/** Of an API that every cluster serves, and that does nothing without another. */
async function checkShownBy(apiVersion: string, cluster: Cluster | undefined): Promise<readonly Finding[]> {
  const need = REQUIREMENTS.find((requirement) => requirement.apiVersion === apiVersion);
  if (need?.shownBy === undefined) return [];
  const { shownBy, needs } = need;
  const question = { check: CHECK, of: shownBy, want: `served, for ${apiVersion}` };
  return askCluster(cluster, question, async (asked) => [
    (await asked.get(`/apis/${shownBy}`)) === undefined
      ? { ...question, result: 'fault', got: 'not served', next: `install ${needs}` }
      : { ...question, result: 'ok', got: 'served' },
  ]);
}
