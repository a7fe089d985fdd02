import { canonicalCidr } from './private/cidr';
import { holdsEverybody } from './private/parser';
import { checkLabel, checkPort, checkText, refuse } from './private/text';

/** What narrows a pod peer further. */
export interface PodPeerOptions {
  /**
   * Labels of the namespace the pods are in; `kubernetes.io/metadata.name` is set by the API server and cannot be forged.
   *
   * @default - the gateway's own namespace
   */
  readonly namespaceLabels?: Record<string, string>;

  /**
   * Port the pods listen on, where a Service maps it from another: most CNIs judge a policy after that translation.
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

/**
 * The other end of one connection in a NetworkPolicy. There is no "any": a rule that names nobody admits everybody.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export class Peer {
  /** Pods that carry all of these labels; refuses an empty set, which selects every pod. */
  public static pods(labels: Record<string, string>, options: PodPeerOptions = {}): Peer {
    const { namespaceLabels, port } = options;
    const podSelector = { matchLabels: checkedLabels('labels', labels) };
    if (namespaceLabels === undefined) return new Peer({ podSelector }, port);
    const namespaceSelector = { matchLabels: checkedLabels('namespaceLabels', namespaceLabels) };
    return new Peer({ namespaceSelector, podSelector }, port);
  }

  /** Every pod of the namespace with this name. Prefer `Peer.pods`. */
  public static namespace(name: string, options: PeerOptions = {}): Peer {
    return new Peer(
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': checkLabel('namespace', name) } },
      },
      options.port,
    );
  }

  /**
   * Addresses outside the pod network, as `address/bits`. Refuses what holds the whole internet, as `0.0.0.0/0` and `2000::/3`; synth refuses
   * ranges that do so together.
   *
   * On Cilium a CIDR never selects pods or nodes of the cluster.
   */
  public static cidr(range: string, options: PeerOptions = {}): Peer {
    checkText('cidr', range);
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
    return new Peer({ ipBlock: { cidr: range } }, options.port);
  }

  /** @internal the entry of a rule's `from` or `to` */
  public readonly _rule: object;

  /** @internal */
  public readonly _port?: number;

  /** @internal the range of a CIDR peer */
  public get _cidr(): string | undefined {
    return (this._rule as { ipBlock?: { cidr: string } }).ipBlock?.cidr;
  }

  private constructor(rule: object, port?: number) {
    this._rule = rule;
    this._port = port === undefined ? undefined : checkPort('port', port);
  }
}

const LABEL_KEY = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** A copy of labels that each select something: one that is lost on the way to the manifest leaves a selector that selects everything. */
function checkedLabels(where: string, labels: Record<string, string>): Record<string, string> {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    refuse({
      where,
      want: 'must be an object of label keys and values',
      got: labels ?? String(labels),
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
