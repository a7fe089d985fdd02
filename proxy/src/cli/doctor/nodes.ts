/** What manifests take for granted of nodes and their network. */
import { at, listAt, textAt } from '../kube-objects.js';
import { askCluster, type Cluster } from './cluster.js';
import type { Finding } from './finding.js';
import { fieldsIn } from './versions.js';

/** DaemonSets of network plugins that enforce NetworkPolicy. */
const ENFORCERS: readonly (readonly [name: RegExp, plugin: string])[] = [
  [/^calico-node$/, 'Calico'],
  [/^(rke2-)?canal$/, 'Canal'],
  [/^weave-net$/, 'Weave Net'],
  [/^cilium$/, 'Cilium'],
  [/^anetd$/, 'GKE Dataplane V2'],
  [/^antrea-agent$/, 'Antrea'],
  [/^kube-router$/, 'kube-router'],
  [/^ovnkube-node$/, 'OVN-Kubernetes'],
  [/^azure-npm$/, 'Azure NPM'],
  [/^kube-network-policies$/, 'kube-network-policies'],
];
/** Which enforces it where this argument says so. */
const AWS = { name: 'aws-node', argument: '--enable-network-policy=true' };
/** Plugins that do not, where nothing else does. */
const OTHERS = /^(kube-flannel(-ds)?|aws-node|azure-cni|kindnet)$/;
/** A distribution that brings an enforcer of its own, in a process that is no pod. */
const EMBEDDED = /\+k3s/;

const CNI = {
  check: 'network policy',
  of: 'network plugin',
  want: 'one that enforces NetworkPolicy, on every node',
};
const TRY_IT =
  'see that a pod which no policy admits cannot reach the gateway; docs/guides/platforms.md has the platforms';

export const checkNetworkPlugin = (cluster: Cluster | undefined): Promise<readonly Finding[]> =>
  askCluster(cluster, CNI, async (asked) => {
    const sets = listAt(await asked.get('/apis/apps/v1/daemonsets'), 'items');
    const found = sets
      .map((set) => ({ set, plugin: enforcerOf(set) }))
      .find(({ plugin }) => plugin !== undefined);
    if (found !== undefined) return [onEveryNode(found.plugin!, found.set)];
    if (EMBEDDED.test(textAt(await asked.get('/version'), 'gitVersion') ?? ''))
      return [{ ...CNI, result: 'ok', got: 'k3s, whose policy controller is on unless it was disabled' }];
    const other = sets.map(nameOf).find((name) => OTHERS.test(name));
    if (other === 'kindnet')
      return [{ ...CNI, result: 'unknown', got: 'kindnet, which does since kind 0.24', next: TRY_IT }];
    return other === undefined
      ? [{ ...CNI, result: 'unknown', got: 'none that is known', next: TRY_IT }]
      : [
          {
            ...CNI,
            result: 'fault',
            got: `${other}, which does not`,
            next: `add a plugin that does; ${TRY_IT}`,
          },
        ];
  });

const nameOf = (object: unknown): string => textAt(object, 'metadata', 'name') ?? '';

function enforcerOf(set: unknown): string | undefined {
  const name = nameOf(set);
  const args = listAt(set, 'spec', 'template', 'spec', 'containers').flatMap((c) => listAt(c, 'args'));
  if (name === AWS.name) return args.includes(AWS.argument) ? 'Amazon VPC CNI' : undefined;
  return ENFORCERS.find(([pattern]) => pattern.test(name))?.[1];
}

function onEveryNode(plugin: string, set: unknown): Finding {
  const [ready, wanted] = [at(set, 'status', 'numberReady'), at(set, 'status', 'desiredNumberScheduled')];
  const got = `${plugin}, on ${String(ready)} of ${String(wanted)} nodes`;
  return typeof ready === 'number' && ready > 0 && ready === wanted
    ? { ...CNI, result: 'ok', got }
    : { ...CNI, result: 'fault', got, next: `mend it: kubectl get daemonset ${nameOf(set)} -A` };
}

const APP_ARMOR = { check: 'AppArmor', want: 'on, as the pods have appArmorProfile' };
/** By `status.nodeInfo.osImage`, which is a distribution and its version. */
const WITH_APP_ARMOR = /Ubuntu|Debian|Container-Optimized OS|SUSE/i;
const WITHOUT_APP_ARMOR = /Bottlerocket|Red Hat|CoreOS|Amazon Linux|Fedora|Rocky|AlmaLinux|Talos/i;

/** The kubelet refuses the pod where it is off. */
export async function checkAppArmor(
  objects: readonly unknown[],
  cluster: Cluster | undefined,
): Promise<readonly Finding[]> {
  if (!fieldsIn(objects).some(({ field }) => field.includes('appArmorProfile'))) return [];
  return askCluster(cluster, { ...APP_ARMOR, of: 'nodes' }, async (asked) => {
    const images = listAt(await asked.get('/api/v1/nodes'), 'items').map(
      (node) => textAt(node, 'status', 'nodeInfo', 'osImage') ?? 'an image that does not say its name',
    );
    return [...new Set(images)].map(appArmorOf);
  });
}

function appArmorOf(image: string): Finding {
  const finding = { ...APP_ARMOR, of: `nodes with ${image}` };
  if (WITH_APP_ARMOR.test(image)) return { ...finding, result: 'ok', got: 'a distribution that has it on' };
  const next = 'leave appArmor out, or keep the pods off these nodes (nodeSelector)';
  return WITHOUT_APP_ARMOR.test(image)
    ? { ...finding, result: 'fault', got: 'a distribution without it', next }
    : {
        ...finding,
        result: 'unknown',
        got: 'a distribution that is not known',
        next: `/sys/module/apparmor/parameters/enabled on a node must be Y; if not: ${next}`,
      };
}
