/** What the CNI of a cluster enforces. */
export enum NetworkPolicyFlavor {
  /** NetworkPolicy, which every enforcing CNI understands: pods and addresses. */
  KUBERNETES = 'kubernetes',
  /**
   * NetworkPolicy, and a CiliumNetworkPolicy for what only Cilium can say: hosts by name (`Peer.fqdn`), DNS, of
   * which it must see the answers, and the API server wherever it is.
   *
   * @see https://docs.cilium.io/en/stable/security/policy/
   */
  CILIUM = 'cilium',
}

/** Address family of a Service. */
export enum IpFamily {
  /** IPv4. */
  IPV4 = 'IPv4',
  /** IPv6. */
  IPV6 = 'IPv6',
}
