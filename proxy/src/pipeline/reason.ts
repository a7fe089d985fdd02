/**
 * Every way a request can be refused: the one table of status, OAuth error, metric family and the text a client
 * may read. Nothing that a client sent is ever part of `say`. docs/reference/errors.md names the same set (by
 * test).
 */
interface Meaning {
  readonly status: number;
  /** OAuth error code of the challenge and of the body: RFC 6750 3.1, RFC 9449 7.1, 9. */
  readonly error?:
    'invalid_request' | 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce' | 'insufficient_scope';
  /** Which counter it belongs to. */
  readonly family: 'request' | 'auth' | 'limit' | 'gateway' | 'upstream';
  readonly say: string;
}

const request = (status: number, say: string): Meaning => ({ status, family: 'request', say });
const token = (say: string): Meaning => ({ status: 401, error: 'invalid_token', family: 'auth', say });
const proof = (say: string): Meaning => ({ status: 401, error: 'invalid_dpop_proof', family: 'auth', say });

export const REASONS = {
  malformed_request: request(400, 'the request is not well-formed HTTP'),
  proxy_protocol: request(400, 'the PROXY protocol is not spoken here; turn it off in what stands in front'),
  not_tls: request(400, 'TLS is spoken here'),
  bad_path: request(400, 'the path is not in canonical form'),
  upgrade_refused: request(400, 'protocol upgrades are not served here; send the request without Upgrade'),
  header_repeated: request(400, 'a header that may stand once stands twice'),
  url_too_long: request(414, 'the request target is too long'),
  too_many_headers: request(431, 'the request has too many headers'),
  body_too_large: request(413, 'the request body is too large'),
  too_many_ahead: request(429, 'too much was sent ahead on one connection; wait for the answers'),
  expectation_failed: request(417, 'of expectations only 100-continue is met here'),
  body_fragmented: request(400, 'the request body comes in too many pieces that are too small'),
  headers_stalled: request(408, 'the header block did not arrive in time'),
  body_stalled: request(408, 'the request body did not arrive in time'),
  host_refused: request(421, 'this gateway does not answer for the host that was asked for'),
  no_route: request(404, 'no such resource'),
  method_not_allowed: request(405, 'the method is not allowed here'),
  origin_refused: request(403, 'the origin is not allowed'),
  secret_not_listed: request(404, 'no such resource'),
  secret_absent: request(404, 'no such resource'),

  mcp_version_refused: request(400, 'the MCP-Protocol-Version is not one that is served here'),
  mcp_header_missing: request(
    400,
    'this MCP revision requires Mcp-Method, and Mcp-Name where the method has a name',
  ),
  mcp_header_mismatch: request(
    400,
    'MCP-Protocol-Version, Mcp-Method or Mcp-Name does not agree with the body',
  ),
  mcp_body_malformed: request(400, 'the body is not a JSON-RPC message'),
  mcp_session_gone: request(404, 'the session is gone; begin a new one'),
  mcp_not_allowed: request(403, 'this MCP method or name is not allowed here'),

  credentials_missing: { status: 401, family: 'auth', say: 'credentials are required' },
  token_missing: { status: 401, family: 'auth', say: 'the Authorization header carries no access token' },
  credentials_ambiguous: {
    status: 400,
    error: 'invalid_request',
    family: 'auth',
    say: 'more than one way of sending a token was used',
  },
  scheme_refused: token('the authorization scheme is not the one this resource requires'),
  token_malformed: token('the token is not a well-formed JWT'),
  token_type_refused: token('the token is not of the type this resource accepts'),
  token_algorithm_refused: token('the token is signed with an algorithm that is not accepted'),
  token_issuer_unknown: token('the issuer of the token is not trusted here'),
  token_key_unknown: token('the token names a signing key that is not known'),
  token_signature_bad: token('the signature of the token does not verify'),
  token_claim_missing: token('the token lacks a required claim, or one has the wrong type'),
  token_expired: token('the token has expired'),
  token_too_old: token('the token is too old, or lives longer than allowed'),
  token_not_yet_valid: token('the token is not valid yet'),
  token_audience_refused: token('the token is for another audience'),
  token_htm_mismatch: token('the token is for another method'),
  token_htu_mismatch: token('the token is for another URI'),
  token_replayed: token('the token was used before'),
  token_not_bound: token('the token is not bound to a key'),
  token_bound: token('the token is bound to a key: it needs its proof'),
  token_inactive: token('the token is not active'),
  token_predates_store: token(
    'the token was made before the gateway began to remember tokens; make a new one',
  ),
  certificate_missing: token('the token is bound to a client certificate, and none was shown'),
  certificate_mismatch: token('the token is bound to another client certificate'),
  scope_insufficient: {
    status: 403,
    error: 'insufficient_scope',
    family: 'auth',
    say: 'the token lacks a scope that this needs',
  },
  token_key_mismatch: token('the token is bound to another key than the one that signed the proof'),

  dpop_missing: proof('a DPoP proof is required'),
  dpop_repeated: proof('more than one DPoP header was sent'),
  dpop_malformed: proof('the proof is not a well-formed JWT'),
  dpop_type_refused: proof('the typ of the proof is not dpop+jwt'),
  dpop_algorithm_refused: proof('the proof is signed with an algorithm that is not accepted'),
  dpop_key_refused: proof('the jwk of the proof is not an acceptable public key'),
  dpop_signature_bad: proof('the signature of the proof does not verify'),
  dpop_claim_missing: proof('the proof lacks a required claim, or one has the wrong type'),
  dpop_htm_mismatch: proof('the proof is for another method'),
  dpop_htu_mismatch: proof('the proof is for another URI'),
  dpop_expired: proof('the proof is too old; check the clock of the client'),
  dpop_not_yet_valid: proof('the proof is from the future; check the clock of the client'),
  dpop_ath_mismatch: proof('the proof is for another access token'),
  dpop_nonce_missing: {
    status: 401,
    error: 'use_dpop_nonce',
    family: 'auth',
    say: 'the proof must carry the nonce of this answer',
  },
  dpop_nonce_refused: {
    status: 401,
    error: 'use_dpop_nonce',
    family: 'auth',
    say: 'the nonce of the proof is not a recent one; use the one of this answer',
  },
  dpop_predates_store: {
    status: 401,
    error: 'use_dpop_nonce',
    family: 'auth',
    say:
      'the proof may have been made before the gateway began to remember proofs; make a new one, with the ' +
      'nonce of this answer',
  },
  dpop_replayed: proof('the proof was used before'),

  address_limited: { status: 429, family: 'limit', say: 'too many refused requests from this address' },
  rate_limited: { status: 429, family: 'limit', say: 'too many requests' },
  replay_store_down: {
    status: 503,
    family: 'gateway',
    say: 'the gateway cannot check for replays right now',
  },
  replay_store_full: {
    status: 503,
    family: 'gateway',
    say: 'the gateway cannot check for replays right now',
  },
  keys_unavailable: { status: 503, family: 'gateway', say: 'the gateway has no verification keys right now' },
  introspection_unavailable: {
    status: 503,
    family: 'gateway',
    say: 'the gateway cannot check tokens right now',
  },
  exchange_unavailable: {
    status: 503,
    family: 'gateway',
    say: 'the gateway cannot exchange tokens right now',
  },
  credential_unavailable: {
    status: 503,
    family: 'gateway',
    say: 'the gateway has no credential for the backend right now',
  },
  overloaded: { status: 503, family: 'gateway', say: 'the gateway is busy' },
  internal_error: { status: 500, family: 'gateway', say: 'internal error' },
  exchange_refused: {
    status: 403,
    family: 'upstream',
    say: 'the authorization server does not give this token access to the backend',
  },
  upstream_busy: { status: 503, family: 'upstream', say: 'the backend is busy' },
  upstream_unreachable: { status: 502, family: 'upstream', say: 'the backend cannot be reached' },
  upstream_failed: { status: 502, family: 'upstream', say: 'the backend failed' },
  upstream_refused: { status: 502, family: 'upstream', say: 'the backend refused the gateway' },
  upstream_not_asked: {
    status: 502,
    family: 'upstream',
    say: 'what stands between the gateway and the backend refused the request',
  },
  upstream_timeout: { status: 504, family: 'upstream', say: 'the backend did not answer in time' },
} as const satisfies Record<string, Meaning>;

export type Reason = keyof typeof REASONS;

export const meaningOf = (reason: Reason): Meaning => REASONS[reason];

export interface DenialOptions {
  readonly retryAfterSeconds?: number | undefined;
  /** All scopes that the refused request needs, for the challenge (RFC 6750 3). */
  readonly scopes?: readonly string[];
  /** True: counted as a refusal of the address, as those of family `auth` are. */
  readonly addressIsToBlame?: boolean;
  /** For the client, where the answer is a JSON-RPC error: its `data`. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Instead of the error that the reason has: there is no nonce to give. */
  readonly error?: Meaning['error'] | undefined;
}

/** A refusal: a value that stages return, never thrown. */
export class Denial {
  readonly reason: Reason;
  /** For the audit record and `explain`, never for the client. */
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly addressIsToBlame: boolean;
  /** Of OAuth, for the client. */
  readonly error: Meaning['error'];
  /** Of JSON-RPC, for the client. */
  readonly data: Readonly<Record<string, unknown>> | undefined;
  constructor(
    reason: Reason,
    detail?: string,
    { retryAfterSeconds, scopes, addressIsToBlame = false, error, data }: DenialOptions = {},
  ) {
    this.reason = reason;
    this.detail = detail;
    this.retryAfterSeconds = retryAfterSeconds;
    this.scopes = scopes;
    this.addressIsToBlame = addressIsToBlame;
    this.error = error ?? meaningOf(reason).error;
    this.data = data;
  }
}

/** @param detail what was got and wanted, for operators; cut to 200 characters by the audit log */
export const deny = (reason: Reason, detail?: string, options?: DenialOptions): Denial =>
  new Denial(reason, detail, options);
