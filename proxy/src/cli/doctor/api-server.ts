/**
 * Whether the NetworkPolicy of a gateway that reads Secrets opens the API server of this cluster: its addresses are
 * written in the manifests, and what is behind its Service has another address and another port.
 */
import { at, listAt, textAt } from '../kube-objects.js';
import { configIn, gatewaysIn, type MountedGateway } from '../mounted-gateway.js';
import { askCluster, type Cluster } from './cluster.js';
import type { Finding } from './finding.js';
import { opens, rangesOf, selects, textOf, type Target } from './selectors.js';

const CHECK = 'API server address';

export async function checkApiServer(
  objects: readonly unknown[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  const found = await Promise.all(
    gatewaysIn(objects)
      .filter(readsSecrets)
      .map((gateway) => checkGateway(gateway, objects, cluster)),
  );
  return found.flat();
}

const readsSecrets = (gateway: MountedGateway): boolean =>
  listAt(configIn(gateway), 'routes').some((route) => at(route, 'kind') === 'secrets');

async function checkGateway(
  gateway: MountedGateway,
  objects: readonly unknown[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  const mine = objects.filter(
    (object) => (textAt(object, 'metadata', 'namespace') ?? '') === gateway.namespace,
  );
  const policies = mine.filter((object) => isEgressPolicyOf(gateway, object));
  const rules = policies.flatMap((policy) => listAt(policy, 'spec', 'egress'));
  const ranges = rules.flatMap(rangesOf).join(', ');
  const of = `egress of ${gateway.namespace}/${gateway.name}`;
  const question = { check: CHECK, of, want: 'the addresses of the API server' };
  if (policies.length === 0) return [{ ...question, result: 'ok', got: 'no policy restricts it' }];
  if (mine.some((object) => isCiliumPolicyOf(gateway, object)))
    return [{ ...question, result: 'ok', got: 'the entity kube-apiserver of Cilium' }];
  return askCluster(cluster, question, async (asked) =>
    (await targetsOf(asked)).map(({ target, prop }) => {
      const finding = { check: CHECK, of, want: textOf(target) };
      if (rules.some((rule) => opens(rule, target))) return { ...finding, result: 'ok', got: 'open' };
      const next = `name it in ${prop} of ApiServerAccess, synthesize and apply`;
      return { ...finding, result: 'fault', got: `closed; open are ${ranges || 'no addresses'}`, next };
    }),
  );
}

function isEgressPolicyOf({ labels }: MountedGateway, object: unknown): boolean {
  if (textAt(object, 'kind') !== 'NetworkPolicy' || !selects(at(object, 'spec', 'podSelector'), labels))
    return false;
  const types = listAt(object, 'spec', 'policyTypes');
  return types.includes('Egress') || (types.length === 0 && at(object, 'spec', 'egress') !== undefined);
}

const isCiliumPolicyOf = ({ labels }: MountedGateway, object: unknown): boolean =>
  textAt(object, 'kind') === 'CiliumNetworkPolicy' &&
  selects(at(object, 'spec', 'endpointSelector'), labels) &&
  listAt(object, 'spec', 'egress').some((rule) => listAt(rule, 'toEntities').includes('kube-apiserver'));

interface Named {
  readonly target: Target;
  /** Which opens it. */
  readonly prop: string;
}

/** Some plugins look at a packet before the Service's address is translated, some after it: both must be open. */
async function targetsOf(cluster: Cluster): Promise<readonly Named[]> {
  const [service, slices] = await Promise.all([
    cluster.get('/api/v1/namespaces/default/services/kubernetes'),
    cluster.get(
      '/apis/discovery.k8s.io/v1/namespaces/default/' +
        'endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes',
    ),
  ]);
  const portOf = (value: unknown) => Number(at(listAt(value, 'ports')[0], 'port'));
  const endpoints = listAt(slices, 'items').flatMap((slice) =>
    listAt(slice, 'endpoints')
      .flatMap((endpoint) => listAt(endpoint, 'addresses'))
      .map((address) => ({
        target: { address: String(address), port: portOf(slice) },
        prop: 'endpoints and endpointPort',
      })),
  );
  if (endpoints.length === 0) throw new Error('the Service kubernetes in default has no endpoints');
  const address = textAt(service, 'spec', 'clusterIP') ?? '';
  const port = portOf(at(service, 'spec'));
  return [{ target: { address, port }, prop: 'serviceIp and servicePort' }, ...endpoints];
}
