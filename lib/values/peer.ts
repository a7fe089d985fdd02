import { canonicalCidr } from '../support/cidr';
import { instanceOf, Kind, listOf, NUMBER, optional, Shape, struct } from '../support/kinds';
import { LABEL_KEY, LABEL_VALUE } from '../support/labels';
import { holdsEverybody } from '../support/parser';
import { checkLabel, checkPort, checkText, refuse, shown } from '../support/text';
import { PeerEnd, SinglePeer } from './peer-end';

/** What narrows a pod peer further. */
export interface PodPeerOptions {
  /**
   * Labels of the namespace the pods are in; `kubernetes.io/metadata.name` is set by the API server and cannot
   * be forged.
   *
   * @default - the gateway's own namespace
   */
  readonly namespaceLabels?: Record<string, string>;

  /**
   * Port the pods listen on, where a Service maps it from another: most CNIs evaluate a policy after that translation.
   *
   * @default - the port of the backend's address
   */
  readonly port?: number;
}

/** What narrows a namespace or CIDR peer further. */
export interface PeerOptions {
  /**
   * Port the peer listens on, where a Service maps it from another.
   *
   * @default - the port of the backend's address
   */
  readonly port?: number;
}

const PORT_SHAPE: Shape<PeerOptions> = { port: optional(NUMBER) };
const PORT_OPTIONS = struct('PeerOptions', PORT_SHAPE);
const LABELS: Kind<Record<string, string>> = {
  check: (where, value) => void checkedLabels(where, value as Record<string, string>),
};
const POD_SHAPE: Shape<PodPeerOptions> = { ...PORT_SHAPE, namespaceLabels: optional(LABELS) };
const POD_OPTIONS = struct('PodPeerOptions', POD_SHAPE);

/**
 * The other end of one connection in a NetworkPolicy. There is no "any": a rule that names nobody admits everybody.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export class Peer {
  /** Pods that carry all of these labels; refuses an empty set, which selects every pod. */
  public static pods(labels: Record<string, string>, options: PodPeerOptions = {}): Peer {
    POD_OPTIONS.check('', options);
    const { namespaceLabels, port } = options;
    const podSelector = { matchLabels: checkedLabels('labels', labels) };
    if (namespaceLabels === undefined) return new Peer({ kind: 'rule', rule: { podSelector } }, port);
    const namespaceSelector = { matchLabels: checkedLabels('namespaceLabels', namespaceLabels) };
    return new Peer({ kind: 'rule', rule: { namespaceSelector, podSelector } }, port);
  }

  /** Every pod of the namespace with this name. Prefer `Peer.pods`. */
  public static namespace(name: string, options: PeerOptions = {}): Peer {
    PORT_OPTIONS.check('', options);
    const matchLabels = { 'kubernetes.io/metadata.name': checkLabel('namespace', name) };
    return new Peer({ kind: 'rule', rule: { namespaceSelector: { matchLabels } } }, options.port);
  }

  /**
   * Addresses outside the pod network, as `address/bits`. Refuses what holds the whole internet, as `0.0.0.0/0`
   * and `2000::/3`; synth refuses ranges that do so together.
   *
   * On Cilium a CIDR never selects pods or nodes of the cluster.
   */
  public static cidr(range: string, options: PeerOptions = {}): Peer {
    checkText('cidr', range);
    PORT_OPTIONS.check('', options);
    const meant = canonicalCidr(range);
    const next = meant === undefined ? undefined : `did you mean "${meant}"?`;
    if (meant === undefined || !range.includes('/')) {
      refuse({ where: 'cidr', want: 'must be an IP address, "/" and a prefix length', got: range, next });
    }
    if (meant !== range) {
      refuse({
        where: 'cidr',
        want: 'must be written as the API server takes it, without bits beyond the prefix length',
        got: range,
        next,
      });
    }
    if (holdsEverybody([range])) {
      refuse({
        where: 'cidr',
        want: 'must not be the whole internet',
        got: range,
        next: 'name the range that the backend lives in, or its pods with Peer.pods',
      });
    }
    return new Peer({ kind: 'rule', rule: { ipBlock: { cidr: range } } }, options.port);
  }

  /**
   * Hosts outside the cluster by name, for backends whose addresses change: `api.example.com`, or
   * `*.example.com` for every name with one label more. Only a CNI that sees the answers of DNS can hold pods
   * to it: refused at synth without `NetworkPolicyFlavor.CILIUM`, and as a client.
   *
   * @see https://docs.cilium.io/en/stable/security/policy/language/#dns-based
   */
  public static fqdn(name: string, options: PeerOptions = {}): Peer {
    checkText('fqdn', name);
    PORT_OPTIONS.check('', options);
    if (!FQDN.test(name) || name.length > 253) {
      refuse({
        where: 'fqdn',
        want: 'must be a lower-case host name with a dot, or "*." and one',
        got: name,
        next: 'for example "api.example.com" or "*.example.com"',
      });
    }
    return new Peer({ kind: 'fqdn', name }, options.port);
  }

  /**
   * Any of these: a backend with addresses of both families, several DNS servers, clients of several
   * namespaces. Each keeps its own port.
   */
  public static anyOf(...peers: Peer[]): Peer {
    if (peers.length === 0) refuse({ where: 'anyOf', want: 'must be given at least one peer', got: peers });
    listOf(instanceOf(Peer)).check('anyOf', peers);
    return new Peer(
      undefined,
      undefined,
      peers.flatMap(({ _members }) => _members),
    );
  }

  /** @internal who is meant: this peer, or those that it is made of */
  public readonly _members: readonly SinglePeer[];

  private constructor(end: PeerEnd | undefined, port?: number, members: readonly SinglePeer[] = []) {
    const checked = port === undefined ? undefined : checkPort('port', port);
    this._members = end === undefined ? members : [{ end, port: checked }];
  }
}

const FQDN = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A copy of labels that each select something: one that is lost on the way to the manifest leaves a selector
 * that selects everything.
 */
function checkedLabels(where: string, labels: Record<string, string>): Record<string, string> {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    refuse({
      where,
      want: 'must be an object of label keys and values',
      got: shown(labels),
      next: 'for example { app: "redis" }',
    });
  }
  const entries = Object.entries(labels);
  if (entries.length === 0) {
    refuse({
      where,
      want: 'must have at least one label: an empty selector selects everything',
      got: labels,
    });
  }
  for (const [key, value] of entries) {
    if (!LABEL_KEY.test(key)) refuse({ where, want: 'must have valid label keys', got: key });
    checkText(`${where}.${key}`, value);
    if (value === '') {
      refuse({
        where: `${where}.${key}`,
        want: 'must not be empty: a label without a value says nothing about who the pod is',
        got: value,
        next: 'is the variable that it comes from set?',
      });
    }
    if (!LABEL_VALUE.test(value)) {
      refuse({ where: `${where}.${key}`, want: 'must be a valid label value', got: value });
    }
  }
  return Object.fromEntries(entries);
}
