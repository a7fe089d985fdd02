/** What a Peer stands for, as plain data. */
export interface LabelSelector {
  readonly matchLabels: Record<string, string>;
}

/** An entry of `from` or `to` of a NetworkPolicy. */
export interface PolicyPeer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly ipBlock?: { readonly cidr: string };
}

export type PeerEnd =
  | { readonly kind: 'rule'; readonly rule: PolicyPeer }
  /** Hosts by name, which a NetworkPolicy cannot say. */
  | { readonly kind: 'fqdn'; readonly name: string };

export interface SinglePeer {
  readonly end: PeerEnd;
  /** Where it listens, if a Service maps that from another port. */
  readonly port?: number;
}

/** The range of a CIDR peer. */
export const cidrOf = (end: PeerEnd): string | undefined =>
  end.kind === 'rule' ? end.rule.ipBlock?.cidr : undefined;

const NAME_LABEL = 'kubernetes.io/metadata.name';

/** The one namespace that this peer's pods are in, where its labels say so. */
export function namespaceOf({ namespaceSelector, ipBlock }: PolicyPeer, own: string): string | undefined {
  if (ipBlock !== undefined) return undefined;
  return namespaceSelector === undefined ? own : namespaceSelector.matchLabels[NAME_LABEL];
}

export const inNamespace = (name: string): LabelSelector => ({ matchLabels: { [NAME_LABEL]: name } });
