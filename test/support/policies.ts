/**
 * Checks connections by NetworkPolicies as Kubernetes defines it: denied at an end that some policy isolates
 * and none allows.
 */
import { BlockList } from 'node:net';
import { all, Manifest } from './synth';

/** A pod of a namespace, or an address outside of the cluster. */
export interface End {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly address?: string;
}

export interface Connection {
  readonly from: End;
  readonly to: End;
  readonly port: number;
  readonly protocol?: 'TCP' | 'UDP';
}

export function reaches(objects: Manifest[], connection: Connection): boolean {
  const policies = all(objects, 'NetworkPolicy');
  return allows(policies, connection, 'Egress') && allows(policies, connection, 'Ingress');
}

function allows(policies: Manifest[], connection: Connection, way: 'Ingress' | 'Egress'): boolean {
  const [self, other] =
    way === 'Egress' ? [connection.from, connection.to] : [connection.to, connection.from];
  if (self.namespace === undefined) return true;
  const isolating = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === self.namespace &&
      spec.policyTypes.includes(way) &&
      selects(spec.podSelector, self.labels!),
  );
  if (isolating.length === 0) return true;
  const [rules, peers] = way === 'Egress' ? ['egress', 'to'] : ['ingress', 'from'];
  return isolating.some(({ metadata, spec }) =>
    (spec[rules] ?? []).some(
      (rule: Manifest) =>
        rule[peers].some((peer: Manifest) => isPeer(peer, other, metadata.namespace)) &&
        rule.ports.some(
          (p: Manifest) => p.port === connection.port && p.protocol === (connection.protocol ?? 'TCP'),
        ),
    ),
  );
}

const selects = (selector: Manifest, labels: Record<string, string>) =>
  Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);

function isPeer(peer: Manifest, end: End, own: string): boolean {
  if (peer.ipBlock !== undefined) {
    const [address, bits] = peer.ipBlock.cidr.split('/');
    const list = new BlockList();
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
    return end.address !== undefined && list.check(end.address, end.address.includes(':') ? 'ipv6' : 'ipv4');
  }
  if (end.namespace === undefined) return false;
  const namespaceLabels = { 'kubernetes.io/metadata.name': end.namespace };
  const inNamespace =
    peer.namespaceSelector === undefined
      ? end.namespace === own
      : selects(peer.namespaceSelector, namespaceLabels);
  return inNamespace && selects(peer.podSelector ?? {}, end.labels!);
}
