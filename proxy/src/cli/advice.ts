import type { Reason } from '../pipeline/reason.js';

interface Advice {
  /** Where the rule stands. */
  readonly clause: string;
  /** What a client developer can do. */
  readonly next: string;
}

const advice = (clause: string, next: string): Advice => ({ clause, next });
const server = (next: string): Advice => ({ clause: 'none: it is the gateway or what it depends on', next });

/** For every reason the rule behind it and the way out of it; `agw explain` and docs/reference/errors.md say them. */
export const ADVICE: Readonly<Record<Reason, Advice>> = {
  malformed_request: advice(
    'RFC 9112 3, 6; RFC 9113 8',
    'send HTTP/1.1 with one Host, one body length or chunked, and a path in origin-form; on HTTP/2 an ' +
      ':authority, and no other Host',
  ),
  proxy_protocol: server(
    'the front sends the PROXY protocol before its requests: turn it off there (haproxy send-proxy, ' +
      'nginx proxy_protocol, Envoy upstream proxy_protocol, AWS NLB proxy_protocol_v2), ' +
      'and let it set X-Forwarded-For or Forwarded',
  ),
  not_tls: server(
    'what came first is no TLS: let the front speak https to the gateway, without the PROXY protocol, ' +
      'or leave out listen.tls',
  ),
  bad_path: advice(
    'RFC 3986 3.3',
    'send the path without dot segments, empty segments, encoded slashes, parameters or controls, and the ' +
      'name of a route exactly as it is configured',
  ),
  upgrade_refused: advice(
    'RFC 9110 7.8',
    "send HTTP/1.1 without Upgrade (no WebSocket, no h2c); for Java's HttpClient set version(HTTP_1_1)",
  ),
  header_repeated: advice('RFC 9110 5.3', 'send the header once'),
  url_too_long: advice('RFC 9110 15.5.15', 'shorten the URL, or raise limits.maxUrlBytes'),
  too_many_headers: advice('RFC 6585 5', 'send fewer headers, or raise limits.maxHeaderCount'),
  body_too_large: advice('RFC 9110 15.5.14', 'send a smaller body, or raise limits.maxBodyBytes'),
  too_many_ahead: advice(
    'RFC 9112 9.3.2',
    'send at most 32 requests, and 64 KiB behind the second, ahead of their answers; on HTTP/2 open at most ' +
      '100 streams at a time',
  ),
  expectation_failed: advice('RFC 9110 10.1.1', 'send no Expect, or 100-continue'),
  headers_stalled: advice(
    'RFC 9110 15.5.9',
    'send the header block without pauses; operators: limits.headersTimeoutSeconds',
  ),
  body_fragmented: advice('RFC 9112 7.1.1', 'send the body in larger pieces'),
  body_stalled: advice('RFC 9110 15.5.9', 'send the body without pauses'),
  host_refused: advice(
    'RFC 9110 15.5.20',
    'use a URL of the gateway; operators: list the origin in publicOrigins, and let the ingress overwrite ' +
      'X-Forwarded-Proto and X-Forwarded-Host',
  ),
  no_route: advice('RFC 9110 15.5.5', 'use a path under the pathPrefix of a route'),
  method_not_allowed: advice('RFC 9110 15.5.6', 'use a method that the Allow header names'),
  origin_refused: advice(
    'MCP transports, DNS rebinding',
    "list the page's origin in allowedOrigins of the route",
  ),
  secret_not_listed: advice('least privilege', 'name the Secret in secretNames of the route'),
  secret_absent: advice('RFC 9110 15.5.5', 'create the Secret in the namespace of the gateway'),
  mcp_version_refused: advice(
    'MCP transports, MCP-Protocol-Version',
    'send a revision that the route serves, in the header, and in initialize as protocolVersion; ' +
      'operators: revisions of the route, with 2024-11-05 for a server that negotiates it',
  ),
  mcp_header_missing: advice(
    'MCP 2026-07-28, transports',
    'send Mcp-Method with every request, and Mcp-Name for tools/call, prompts/get, resources/read and tasks/*',
  ),
  mcp_header_mismatch: advice(
    'MCP 2026-07-28, transports',
    'make MCP-Protocol-Version, Mcp-Method and Mcp-Name say what the body says',
  ),
  mcp_body_malformed: advice(
    'JSON-RPC 2.0',
    'send one JSON-RPC 2.0 request, notification or response, or a batch of at most 100, as JSON without ' +
      'repeated members',
  ),
  mcp_session_gone: advice(
    'MCP transports, session management',
    'send initialize again, without Mcp-Session-Id: a session is for the key and subject that began it; ' +
      'operators: or the endpoint that had it is no longer listed, or the gateway was restarted',
  ),
  mcp_not_allowed: advice(
    'least privilege',
    'add a rule to allow of the route, with a when that the token fulfils, or use what it allows',
  ),
  credentials_missing: advice(
    'RFC 9449 7.1, RFC 6750 3',
    'send Authorization with the scheme of the challenge',
  ),
  token_missing: advice(
    'RFC 6750 3.1, RFC 9449 7.1',
    'send an access token with the scheme of the challenge; Basic and other credentials are not read here',
  ),
  credentials_ambiguous: advice(
    'RFC 9449 7.2, RFC 6750 2',
    'send one Authorization header, and no access_token in the URL',
  ),
  scheme_refused: advice(
    'RFC 9449 7.1, 7.2',
    'use the scheme of the challenge: a bound token goes with DPoP and a proof, an unbound one with Bearer and none',
  ),
  token_malformed: advice(
    'RFC 7519 7.2, RFC 7515 2, 4',
    'send the access token as the authorization server gave it',
  ),
  token_type_refused: advice(
    'RFC 9068 2.1, RFC 8725 3.11, RFC 7662 2.2',
    'send an access token, no refresh or ID token; operators: set issuers[].preset to the server that signs ' +
      'them, which the detail names, or legacyTyp where there is none',
  ),
  token_algorithm_refused: advice(
    'RFC 9068 4, RFC 8725 3.1',
    "sign with an algorithm that the issuer's entry lists",
  ),
  token_issuer_unknown: advice(
    'RFC 9068 4',
    'use a token of an issuer of this route; iss is compared character by character',
  ),
  token_key_unknown: advice(
    'RFC 9068 4, RFC 7515 4.1.4',
    "publish the key under its kid in the issuer's JWKS",
  ),
  token_signature_bad: advice('RFC 7515 5.2', 'sign with the private half of the key that kid names'),
  token_claim_missing: advice(
    'RFC 9068 2.2',
    'have the claim in the token, of its type, and exp after iat and nbf; operators: issuers[].preset says ' +
      'which claims those are',
  ),
  token_expired: advice('RFC 7519 4.1.4', 'get a new token'),
  token_too_old: advice(
    'the self-signed profile',
    'make a token for each request, with exp at most maxTokenAgeSeconds after iat',
  ),
  token_not_yet_valid: advice('RFC 7519 4.1.5', 'check the clock of whoever made the token'),
  token_audience_refused: advice(
    'RFC 9068 4, RFC 8707',
    'ask for a token with resource set to the URL of this route',
  ),
  token_htm_mismatch: advice('the self-signed profile', 'put the method of this request into htm'),
  token_htu_mismatch: advice('the self-signed profile', 'put the URL that the client calls into htu'),
  token_replayed: advice(
    'the self-signed profile, RFC 9449 11.1',
    'make a new token for each request, also for a retry',
  ),
  token_not_bound: advice(
    'RFC 9449 7.1',
    'ask for a token bound to the key: send a DPoP proof to the token endpoint',
  ),
  token_bound: advice('RFC 9449 7.2', 'send a bound token with scheme DPoP and a proof'),
  token_inactive: advice('RFC 7662 2.2', 'get a new token'),
  token_predates_store: advice('RFC 9449 11.1', 'make a new token; it passes after Retry-After'),
  certificate_missing: advice(
    'RFC 8705 3',
    'connect with the client certificate that the token was issued to',
  ),
  certificate_mismatch: advice(
    'RFC 8705 3',
    'connect with the client certificate that the token was issued to',
  ),
  scope_insufficient: advice('RFC 6750 3.1', 'get a token with the scopes of the challenge'),
  token_key_mismatch: advice(
    'RFC 9449 4.3 item 12b',
    'sign the proof with the key that was used at the token endpoint',
  ),
  dpop_missing: advice('RFC 9449 4.3 item 1', 'send a DPoP header with a proof'),
  dpop_repeated: advice(
    'RFC 9449 4.3 item 1',
    'send one DPoP header; look for a middleware that adds a second',
  ),
  dpop_malformed: advice(
    'RFC 9449 4.3 item 2, RFC 7515 2, 4',
    'send one compact JWS: base64url without padding, JSON without repeated members, no crit',
  ),
  dpop_type_refused: advice('RFC 9449 4.3 item 4', 'set typ to dpop+jwt'),
  dpop_algorithm_refused: advice('RFC 9449 4.3 item 5', "sign with an algorithm of the challenge's algs"),
  dpop_key_refused: advice(
    'RFC 9449 4.3 item 7, RFC 7518 6',
    'put the public key, and only it, into jwk: P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits',
  ),
  dpop_signature_bad: advice(
    'RFC 9449 4.3 item 6',
    'sign with the private half of jwk; ECDSA signatures are r and s, not DER (RFC 7518 3.4)',
  ),
  dpop_claim_missing: advice(
    'RFC 9449 4.2',
    'have jti, htm, htu, iat and ath in the proof, of their types, and exp, if at all, after iat and nbf',
  ),
  dpop_htm_mismatch: advice('RFC 9449 4.3 item 8', 'put the method of this request into htm, in upper case'),
  dpop_htu_mismatch: advice(
    'RFC 9449 4.3 item 9',
    'put the URL that the client calls into htu; if it is right, it is missing from publicOrigins or publicPathPrefix',
  ),
  dpop_expired: advice(
    'RFC 9449 4.3 item 11',
    'make the proof right before the request; check the clock of the client',
  ),
  dpop_not_yet_valid: advice('RFC 9449 4.3 item 11', 'check the clock of the client'),
  dpop_ath_mismatch: advice(
    'RFC 9449 4.3 item 12a',
    'set ath to base64url(SHA-256(access token)) of the token in this request',
  ),
  dpop_nonce_missing: advice(
    'RFC 9449 9',
    'send the same request with a new proof that has the nonce of the DPoP-Nonce header',
  ),
  dpop_nonce_refused: advice(
    'RFC 9449 8, 9',
    'send the same request with a new proof that has the nonce of the DPoP-Nonce header; do not keep nonces ' +
      'of the authorization server for it',
  ),
  dpop_predates_store: advice(
    'RFC 9449 9, 11.1',
    'make a new proof, with the DPoP-Nonce of the answer; a client that takes no nonces: after Retry-After',
  ),
  dpop_replayed: advice(
    'RFC 9449 11.1',
    'make a new proof, with a new jti, for each request, also for a retry',
  ),
  address_limited: advice('RFC 6585 4', 'wait for Retry-After; fix what was refused before'),
  rate_limited: advice('RFC 6585 4', 'wait for Retry-After, then send a new proof: this one is spent'),
  replay_store_down: server('try again after Retry-After; operators: is the replay store reachable?'),
  replay_store_full: server(
    'try again after Retry-After; operators: raise replay.maxEntries, or the memory of Redis',
  ),
  keys_unavailable: server("try again; operators: is the issuer's JWKS, or the nonce key file, readable?"),
  introspection_unavailable: server(
    'try again after Retry-After; operators: does the introspection endpoint answer the gateway?',
  ),
  exchange_unavailable: server(
    'operators: does the authorization server answer, and is the client secret its own?',
  ),
  credential_unavailable: server("operators: is the credential's Secret mounted?"),
  overloaded: server(
    'try again after Retry-After; operators: more workers or replicas, or raise limits.maxUnverified',
  ),
  internal_error: server("operators: the gateway's log has the stack; please report it"),
  exchange_refused: advice(
    'RFC 8693 2.2.2',
    "ask the authorization server to let the gateway exchange this client's tokens for the backend",
  ),
  upstream_busy: server(
    'come again; operators: the backend is slow, or upstream.maxSockets and maxQueued are small for the load',
  ),
  upstream_unreachable: server(
    'operators: does the backend run, and does the NetworkPolicy admit the gateway?',
  ),
  upstream_failed: server("operators: look at the backend's log"),
  upstream_refused: server("operators: the backend did not take the gateway's own credential"),
  upstream_not_asked: server(
    'operators: agentgateway did not pass the request on; the detail has its words: does its config come ' +
      'from the same synth?',
  ),
  upstream_timeout: server('operators: the backend is slow; see upstream.firstByteTimeoutSeconds'),
};
