/** docs/guides/troubleshooting.md: what a client developer sees, and what it comes from most often. */
import type { Reason } from '../../src/pipeline/reason.js';

export interface Symptom {
  readonly title: string;
  /** Shown as the client gets it. */
  readonly example: Reason;
  /** What all of them have in common. */
  readonly about: string;
  readonly check: string;
  /** Reasons that look alike to a client, each with its most frequent cause. */
  readonly causes: Partial<Record<Reason, string>>;
}

export const SYMPTOMS: readonly Symptom[] = [
  {
    title: '401, and the challenge names no error',
    example: 'credentials_missing',
    about: 'No token arrived. The challenge says which scheme the route takes, and where its metadata is.',
    check:
      'Print the header fields that leave the client, and compare: `agw curl` sends what the route takes.',
    causes: {
      credentials_missing:
        'no `Authorization`: a redirect or a proxy dropped it, or the client waits for a 401 first',
      token_missing: '`Authorization` has Basic, or a scheme and nothing behind it',
    },
  },
  {
    title: 'The token is good, and refused for how it is sent',
    example: 'scheme_refused',
    about:
      'Scheme, token and proof belong together: a bound token goes with `DPoP` and its proof, and only so.',
    check:
      '`agw explain` with `--header "Authorization: SCHEME $TOKEN"`, and `--header "DPoP: $PROOF"`, as the ' +
      'client sends them.',
    causes: {
      scheme_refused: 'Bearer on a route of profile `dpop`, or DPoP where the route takes Bearer',
      credentials_ambiguous: 'two `Authorization` fields, or `access_token` in the URL as well',
      token_bound: 'a library that knows no DPoP sends a bound token as Bearer',
      token_not_bound: 'the token endpoint was asked without a proof, or DPoP is off for this client there',
      dpop_missing:
        'the scheme is DPoP and the field `DPoP` is not there: something in between removes what it does not know',
      dpop_repeated: 'two layers of the client each add a proof',
      certificate_missing:
        'what ends TLS in front does not pass the certificate on, or the client shows none',
      certificate_mismatch: 'the certificate was renewed after the token was issued',
    },
  },
  {
    title: 'Every request with this token is refused as `invalid_token`',
    example: 'token_audience_refused',
    about: 'The proof is sound, or none is asked for: it is the token that this route does not take.',
    check:
      '`agw explain` with `--token` and `--proof`: its `detail` says what the token has and what is wanted.',
    causes: {
      token_malformed: 'an opaque token, on a route without introspection; or a token that was cut or quoted',
      token_type_refused: 'an ID token or a refresh token; or the preset of another kind of server',
      token_algorithm_refused: 'the issuer signs with an algorithm that its entry does not list',
      token_issuer_unknown: 'a token of another tenant or realm, or `iss` differs by a slash at its end',
      token_key_unknown: 'the issuer rotated its keys, and the key set of the gateway is a file of before',
      token_signature_bad: 'a token of another environment, whose keys have the same kid',
      token_claim_missing: 'the server leaves out a claim of RFC 9068: look for its preset',
      token_audience_refused: 'the token was asked for without `resource`, or for another route',
      token_key_mismatch: 'the client made a new key, and kept the token of the old one',
      token_inactive: 'the token was revoked, or is not known to the server that was asked',
    },
  },
  {
    title: 'Every proof is refused as `invalid_dpop_proof`',
    example: 'dpop_signature_bad',
    about: 'The proof is made wrongly, whatever the request. A DPoP library does not make these mistakes.',
    check:
      '`agw proof mint` makes a sound proof for the same key, method, URL and token: decode both, and ' +
      'compare field by field.',
    causes: {
      dpop_malformed: 'padding, line breaks, or a JWS in JSON form',
      dpop_type_refused: 'a JWT library wrote its default `typ`, which is JWT',
      dpop_algorithm_refused: 'HS256, none, or an algorithm that the route does not list',
      dpop_key_refused: 'the private key in `jwk`, or a key of a curve or size that is not taken',
      dpop_signature_bad: 'an ECDSA signature in DER, as OpenSSL and Java make it, instead of r and s',
      dpop_claim_missing: 'no `ath`: the proof was made as for the token endpoint',
      dpop_ath_mismatch: 'the token was renewed, and the proof made for the one before; or `ath` in hex',
    },
  },
  {
    title: 'Refused through an ingress, or for one method or URL',
    example: 'dpop_htu_mismatch',
    about:
      'What was signed is not what the gateway sees. It compares with the URL that clients use: ' +
      '`publicOrigins`, then `publicPathPrefix`, then the path.',
    check:
      '`agw explain --url` with the URL as the client has it: accepted there and refused when sent means ' +
      'that something in between changes host, scheme or path.',
    causes: {
      dpop_htm_mismatch: 'the method in lower case, or one proof for GET and POST',
      dpop_htu_mismatch:
        'the URL of the Service instead of the public one, or a slash at its end more or less',
      token_htm_mismatch: 'one self-signed token for two methods',
      token_htu_mismatch: 'one self-signed token for two URLs, or the URL of before a redirect',
      host_refused: 'an IP address or an internal name as host, which is not in `publicOrigins`',
      proxy_protocol: 'a load balancer that was told to send the PROXY protocol',
      not_tls: 'a front that speaks plain HTTP to a gateway with TLS',
      upgrade_refused: 'Java’s HttpClient tries h2c, or a client wants a WebSocket',
    },
  },
  {
    title: '401 `use_dpop_nonce`, or all are refused after a restart',
    example: 'dpop_nonce_missing',
    about:
      'The answer has a nonce in `DPoP-Nonce`. A client that follows RFC 9449 8 repeats the request once, ' +
      'with a new proof that has it, and keeps it for the next.',
    check:
      '`agw curl` follows the challenge: where it passes, the client does not. After a restart see [the ' +
      'runbook](../runbook.md#restart).',
    causes: {
      dpop_nonce_missing:
        'the first request of a client, which is as it should be; each request: it keeps no nonces',
      dpop_nonce_refused: 'a nonce of the authorization server, or one that is older than two rotations',
      dpop_predates_store:
        'the replay store began anew: a restart with a memory store, or a Redis that was flushed',
      token_predates_store: 'the same, for self-signed tokens',
    },
  },
  {
    title: 'The first request passes, the next does not',
    example: 'dpop_replayed',
    about: 'A proof is good for one request. What repeats a request must make a new one.',
    check:
      '`agw explain` says accepted: it uses nothing up, and only the running gateway knows what was used. ' +
      'The audit log has both: same `dpop.jti`.',
    causes: {
      dpop_replayed:
        'a retry, by the HTTP library or a proxy, with the same fields; or a proof that is kept for a minute',
      token_replayed: 'a self-signed token is taken for an access token, and used until it ends',
    },
  },
  {
    title: 'It worked and no longer does, or fails on one machine only',
    example: 'dpop_expired',
    about: 'Time. `Date` of the answer is the clock of the gateway.',
    check:
      '`agw explain --at` with the `iat` of the proof: accepted then and refused now is a clock, or a delay.',
    causes: {
      dpop_expired: 'the clock of the client is late, or the proof waits in a queue before it is sent',
      dpop_not_yet_valid: 'the clock of the client is ahead, or `iat` is in milliseconds',
      token_expired: 'a token that is kept beyond `exp`',
      token_not_yet_valid: 'the clock of whoever signed the token is ahead',
      token_too_old: 'a self-signed token that was made early, or for longer than the route takes',
    },
  },
  {
    title: '403',
    example: 'scope_insufficient',
    about: 'Token and proof are good, and do not give this right.',
    check: '`agw explain` with `--body FILE`, the JSON-RPC message: `detail` names the rule that is missing.',
    causes: {
      scope_insufficient: 'the token was asked for without the scopes of the challenge',
      mcp_not_allowed: 'the rules of the route have no such tool, or not for the claims of this token',
      origin_refused: 'a web page, or a client that sends `Origin`, from where the route does not expect it',
      exchange_refused:
        'the authorization server lets this client act at the gateway, and not at the backend',
    },
  },
  {
    title: '404 and 405',
    example: 'no_route',
    about: 'What is not there and what is not shown look the same.',
    check: '`agw explain` names the route that matches, or none.',
    causes: {
      no_route: 'a path outside of every `pathPrefix`, or without `publicPathPrefix`',
      secret_not_listed: 'a Secret that the route does not name',
      secret_absent: 'a Secret of another namespace, or one that was not created yet',
      mcp_session_gone: 'the session is of another key or subject, or of before a restart',
      method_not_allowed: 'a POST to a secrets route, or a GET where the server has no event stream',
    },
  },
  {
    title: '429',
    example: 'rate_limited',
    about: '`Retry-After` says how long to wait. A proof that was counted may be spent: make a new one.',
    check:
      '`agw explain` counts nothing; `agw top` and the [status page](../reference/status.md) show refusals by route.',
    causes: {
      rate_limited: 'more than the limit of the route for one caller',
      address_limited:
        'a client that repeats what was refused; behind a front that is no trusted peer, all clients together',
      too_many_ahead: 'many requests on one connection without waiting for answers',
    },
  },
  {
    title: 'An MCP client is refused with 400',
    example: 'mcp_header_mismatch',
    about: 'It is not the token, nor the proof: the message is not one of a revision that the route serves.',
    check: '`agw explain` with the fields as `--header`, and the message as `--body FILE`.',
    causes: {
      mcp_version_refused: 'a client that is newer or older than `revisions` of the route',
      mcp_header_missing: 'a client of an older revision that says it speaks 2026-07-28',
      mcp_header_mismatch:
        'something in between changes the body and leaves the fields, or the other way round',
      mcp_body_malformed: 'a body that is no JSON, has a member twice, or is a larger batch',
    },
  },
  {
    title: 'Other 4xx: the request cannot be taken as it is',
    example: 'bad_path',
    about:
      'Refused before any token is looked at: two readers of HTTP could understand the request differently, ' +
      'or it is beyond a bound.',
    check:
      'The audit log has `detail` where there is one; `agw explain` judges path and fields, not how the bytes came.',
    causes: {
      malformed_request: 'a hand-written client, or a front that joins two requests',
      bad_path: '`//`, `..`, `%2F` or `;` in the path: a URL that was put together from parts',
      header_repeated: 'two layers of the client each set the field',
      url_too_long: 'what belongs into the body stands in the query',
      too_many_headers: 'a front that adds fields at each hop',
      body_too_large: 'a file in a tool call',
      body_fragmented: 'a client that writes a body byte by byte',
      body_stalled: 'a client that opens a request before it has its body',
      headers_stalled: 'a connection that was opened and then left',
      expectation_failed: '`Expect` with anything but 100-continue',
    },
  },
];
