import { Duration } from 'cdk8s';

/** Revisions of the Model Context Protocol's transports. */
export enum McpRevision {
  /** For servers that negotiate it over Streamable HTTP; its own transport, HTTP with SSE, is not served. */
  V2024_11_05 = '2024-11-05',
  /** The first with Streamable HTTP; also what a request without MCP-Protocol-Version is. */
  V2025_03_26 = '2025-03-26',
  /** The first with MCP-Protocol-Version. */
  V2025_06_18 = '2025-06-18',
  /** The last with sessions. */
  V2025_11_25 = '2025-11-25',
  /** POST only, with Mcp-Method and Mcp-Name. */
  V2026_07_28 = '2026-07-28',
}

/** When one of several endpoints is left out for a while. */
export interface OutlierEjection {
  /**
   * Failures in a row: no connection, no answer in time, an answer cut off, 502, 503 or 504; 1 to 1000.
   *
   * @default 5
   */
  readonly consecutiveFailures?: number;

  /**
   * How long it gets nothing; 1 second to 1 hour.
   *
   * @default Duration.seconds(30)
   */
  readonly ejectFor?: Duration;
}

/** Whom a rule is for, by a claim of the caller's token. */
export interface McpClaimCondition {
  /**
   * Name of the claim, or a JSON pointer to it where it lies in another: `groups`, `/realm_access/roles`.
   *
   * @see https://www.rfc-editor.org/rfc/rfc6901
   */
  readonly claim: string;

  /** Values of which the claim has one: as it is, or among the strings of a list. */
  readonly oneOf: string[];
}

/** What JSON-RPC messages a rule lets pass. */
export interface McpRule {
  /**
   * Exact method, for example `tools/call`, or all under a prefix, `tools/*`. Notifications are methods too:
   * `notifications/*`. Synth speaks of one that is no method of MCP, since it may be one of an extension.
   */
  readonly method: string;

  /**
   * Names of tools or prompts, URIs of resources, or ids of tasks; refused where no method of the rule carries one,
   * as `tools/list`.
   *
   * @default - any
   */
  readonly names?: string[];

  /**
   * Scopes that the caller's token needs for these, on top of the route's.
   *
   * @default - none
   */
  readonly requiredScopes?: string[];
  /**
   * Only for callers whose token has one of these values in a claim. Refused with `AuthProfile.selfSigned`, whose
   * callers write the claims of their tokens themselves.
   *
   * @default - for every caller
   */
  readonly when?: McpClaimCondition;
}
