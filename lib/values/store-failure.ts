/** What happens to requests while the replay store is away. */
export enum StoreFailure {
  /** They are refused with 503. */
  DENY = 'deny',
  /**
   * WEAKENS the gateway: every replica takes a proof once, so that a stolen one can be used once on each of the
   * others. Counted in `agentgateway_replay_unchecked_total`.
   */
  LOCAL = 'local',
  /**
   * WEAKENS the gateway: a stolen proof can be used again until it is too old. Refused beside a SecretsRoute.
   * Counted in `agentgateway_replay_unchecked_total`.
   */
  ALLOW = 'allow',
}
