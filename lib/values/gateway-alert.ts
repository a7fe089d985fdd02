/** What somebody is told of; each is described in docs/reference/alerts.md. */
export enum GatewayAlert {
  /** No pod of the gateway can be scraped. */
  ABSENT = 'AgentgatewayAbsent',
  /** No pod of the gateway is ready. */
  NOT_READY = 'AgentgatewayNotReady',
  /** A pod of the gateway is not ready, for long. */
  POD_NOT_READY = 'AgentgatewayPodNotReady',
  /** A proof or single-use token was sent again. */
  PROOF_REPLAYED = 'AgentgatewayProofReplayed',
  /** Many requests are refused for their token or proof. */
  CALLERS_REFUSED = 'AgentgatewayCallersRefused',
  /** Proofs come from too far in the past or the future. */
  CLOCKS_WRONG = 'AgentgatewayClocksWrong',
  /** The gateway refuses what it cannot check or carry. */
  UNABLE = 'AgentgatewayUnable',
  /** Proofs pass unchecked, since the replay store is away and `onFailure` says so. */
  REPLAY_UNCHECKED = 'AgentgatewayReplayUnchecked',
  /** A backend fails, or cannot be reached. */
  BACKEND_FAILING = 'AgentgatewayBackendFailing',
  /** The key set of an issuer cannot be fetched. */
  KEYS_STALE = 'AgentgatewayKeysStale',
  /** The certificate that clients see ends soon, or one that the gateway and its servers know each other by. */
  CERTIFICATE_ENDS = 'AgentgatewayCertificateEnds',
  /** A config, key set, certificate or credential was changed to something that is no good. */
  RELOAD_REFUSED = 'AgentgatewayReloadRefused',
  /** agentgateway did not take the config or the files that it is given. */
  DATA_PLANE_STALE = 'AgentgatewayDataPlaneStale',
  /** Audit lines are lost. */
  AUDIT_LOST = 'AgentgatewayAuditLost',
  /** Connections are turned away. */
  CONNECTIONS_REFUSED = 'AgentgatewayConnectionsRefused',
  /** A pod has more to do than it can. */
  BUSY = 'AgentgatewayBusy',
  /** A pod needs nearly all of its memory. */
  MEMORY_SHORT = 'AgentgatewayMemoryShort',
  /** The gateway's own Valkey is given nearly as many proofs to remember as were announced. */
  REPLAY_STORE_SHORT = 'AgentgatewayReplayStoreShort',
  /** Traces do not arrive. */
  SPANS_DROPPED = 'AgentgatewaySpansDropped',
}
