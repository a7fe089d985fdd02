/** What the gateway owes to the standards: one requirement a line, where it is checked, and the test that shows it. */
export interface Requirement {
  readonly id: string;
  readonly clause: string;
  readonly says: string;
  /** Under proxy/src; the file cites the clause, or refuses with a reason that the test asks for. */
  readonly where: string;
  /** Under test/conformance. */
  readonly test: string;
}

const of = (
  test: string,
  where: string,
  clause: string,
  requirements: readonly (readonly [id: string, says: string, elsewhere?: string])[],
): Requirement[] =>
  requirements.map(([id, says, elsewhere]) => ({ id, clause, says, where: elsewhere ?? where, test }));

export const MANIFEST: readonly Requirement[] = [
  // The message.
  ...of('rfc9449/4.3-01-one-header.test.ts', 'profiles/dpop.ts', 'RFC 9449 4.3 item 1', [
    ['dpop-field-present', 'a request without a DPoP field is refused'],
    [
      'dpop-field-once',
      'more than one DPoP field is refused, counted on the lines as received',
      'http/header-fields.ts',
    ],
  ]),
  ...of('rfc9449/4.2-jws.test.ts', 'checks/compact-jws.ts', 'RFC 9449 4.3 item 2', [
    [
      'proof-compact-jws',
      'the field is exactly one compact JWS: three non-empty parts, nothing around or between (RFC 7515 7.1)',
    ],
    ['proof-bounded', 'its length is bounded before anything is parsed'],
  ]),
  ...of('rfc9449/7.1-scheme.test.ts', 'http/authorization.ts', 'RFC 9449 7.1', [
    [
      'authorization-once',
      'more than one Authorization field, and any other syntax than scheme and token68, is refused (RFC 9110 11.6.2)',
    ],
    ['scheme-case', 'scheme names are compared without regard to case (RFC 9110 11.1)'],
    ['bound-as-bearer', 'a bound token never passes as Bearer', 'profiles/dpop.ts'],
    ['unbound-as-dpop', 'a token that names no key never passes as DPoP', 'profiles/dpop.ts'],
    [
      'no-credentials-no-error',
      'a request without credentials is challenged without an error',
      'http/challenge.ts',
    ],
    ['challenge-algs', 'the challenge lists the accepted proof algorithms', 'http/challenge.ts'],
    [
      'proof-error',
      'a proof that fails is 401 invalid_dpop_proof, a token that fails 401 invalid_token',
      'pipeline/reason.ts',
    ],
    ['no-echo', 'no answer repeats what the client sent', 'http/challenge.ts'],
    ['no-proxy-authorization', 'Proxy-Authorization carries no access token', 'profiles/dpop.ts'],
  ]),
  ...of('rfc9449/7.2-one-transport.test.ts', 'stages/accept.ts', 'RFC 9449 7.2', [
    ['token-not-in-query', 'an access token in the query is refused (OAuth 2.1 5.1.1)'],
    ['token-not-in-body', 'an access token in a form body is not read', 'profiles/dpop.ts'],
    [
      'ambiguous-400',
      'more than one way of sending a token is 400 invalid_request, in every challenge (RFC 6750 3.1)',
      'http/challenge.ts',
    ],
  ]),
  ...of('rfc9112/well-formed.test.ts', 'stages/accept.ts', 'RFC 9112 3.2, 6.1, 6.3', [
    ['one-host', 'exactly one Host'],
    [
      'origin-form',
      'the target is in origin-form, canonical, without anything that two readers could read differently',
      'checks/uri.ts',
    ],
    ['one-framing', 'Transfer-Encoding is chunked alone, and never beside Content-Length'],
  ]),

  // The header of the proof.
  ...of('rfc9449/4.3-04-typ.test.ts', 'profiles/proof.ts', 'RFC 9449 4.3 item 4', [
    ['proof-typ', 'typ is dpop+jwt'],
  ]),
  ...of('rfc9449/4.3-05-alg.test.ts', 'profiles/proof.ts', 'RFC 9449 4.3 item 5', [
    [
      'proof-alg',
      'alg is asymmetric and on the list of the route; none, HMAC and unknown ones never (RFC 8725 3.1, 3.2)',
    ],
    ['proof-alg-per-route', 'a key that another route has accepted does not widen the list of this one'],
  ]),
  ...of('rfc9449/4.3-06-signature.test.ts', 'checks/signature.ts', 'RFC 9449 4.3 item 6', [
    [
      'proof-signature',
      'the signature verifies under jwk, over the octets that were received (RFC 8725 3.3)',
    ],
    ['signature-length', 'a signature has the length that its algorithm fixes (RFC 7518 3.4)'],
    ['key-from-jwk', 'kid, jku, x5u and x5c of a proof are ignored (RFC 8725 3.10)', 'profiles/proof.ts'],
  ]),
  ...of('rfc9449/4.3-07-public-jwk.test.ts', 'checks/jwk.ts', 'RFC 9449 4.3 item 7', [
    ['jwk-object', 'jwk is an object'],
    ['jwk-public', 'jwk has no private or symmetric member, not even an empty one'],
  ]),
  ...of('rfc7518/keys.test.ts', 'checks/jwk.ts', 'RFC 7518 3.3, 3.4, 6', [
    ['rsa-size', 'an RSA modulus has 2048 to 4096 bits'],
    ['rsa-exponent', 'an RSA exponent is odd and at least 65537 (FIPS 186-5)'],
    ['ec-point', 'coordinates have their exact length, and the point is on its curve'],
    ['key-kinds', 'no other kty, crv, use or key_ops'],
    ['key-fits-alg', 'kty and crv fit alg'],
  ]),
  ...of('rfc8037/a-ed25519.test.ts', 'checks/jwk.ts', 'RFC 8037 A', [
    ['okp-ed25519', 'of OKP only Ed25519, of 32 octets'],
    ['okp-vectors', 'thumbprint and signature of the examples', 'checks/signature.ts'],
  ]),
  ...of('rfc7638/3.1-thumbprint.test.ts', 'checks/jwk.ts', 'RFC 7638 3.1', [
    ['thumbprint', 'the thumbprint is of the required members alone, in order'],
  ]),
  ...of('rfc7515/4.1.11-crit.test.ts', 'profiles/proof.ts', 'RFC 7515 4.1.11', [
    ['proof-crit', 'crit and b64 in a proof are refused (RFC 7797 7)'],
    ['token-crit', 'crit and b64 in a token are refused', 'profiles/access-token.ts'],
  ]),
  ...of('rfc7515/4-unique-members.test.ts', 'checks/strict-json.ts', 'RFC 7515 4', [
    ['unique-members', 'a member that stands twice is refused, however it is spelled'],
    [
      'json-bounded',
      'nesting is bounded, and what is no JSON object in UTF-8 is a refusal, not a fault',
      'checks/compact-jws.ts',
    ],
  ]),
  ...of('rfc7515/2-base64url.test.ts', 'checks/base64url.ts', 'RFC 7515 2', [
    ['canonical-base64url', 'base64url has one spelling: no padding, unused bits zero (RFC 4648 3.5)'],
  ]),

  // The claims of the proof.
  ...of('rfc9449/4.3-03-claims.test.ts', 'checks/claims.ts', 'RFC 9449 4.3 item 3', [
    ['proof-claims', 'jti, htm, htu, iat and ath are there, of their types', 'profiles/proof.ts'],
    ['jti-bounded', 'jti has at most 256 characters (11.1)'],
    ['iat-bounded', 'iat is a number in a sane range'],
  ]),
  ...of('rfc9449/4.3-08-htm.test.ts', 'profiles/proof.ts', 'RFC 9449 4.3 item 8', [
    ['htm', 'htm is the method, case and all (RFC 9110 9.1)'],
  ]),
  ...of('rfc9449/4.3-09-htu.test.ts', 'checks/target.ts', 'RFC 9449 4.3 item 9', [
    ['htu', 'htu is the URI of the request, query and fragment left out'],
    [
      'htu-syntax-normal',
      'case of scheme, host and percent-encoding, unreserved characters and dot segments are normalised ' +
        '(RFC 3986 6.2.2)',
      'checks/uri.ts',
    ],
    [
      'htu-scheme-normal',
      'default and empty ports, and an empty path, are normalised (RFC 3986 6.2.3)',
      'checks/uri.ts',
    ],
    [
      'htu-no-folding',
      'nothing else is: path case, trailing and doubled slashes, encoded slashes, a trailing dot, userinfo, ' +
        'backslashes, raw non-ASCII',
      'checks/uri.ts',
    ],
    [
      'htu-configured-origin',
      'the expected URI comes from the config, not from Host or X-Forwarded-*',
      'stages/accept.ts',
    ],
  ]),
  ...of('rfc9449/4.3-09-htu.test.ts', 'profiles/proof.ts', 'RFC 9449 4.2, strictHtu', [
    ['htu-strict', 'where the route says so an htu with a query or fragment is refused'],
  ]),
  ...of('rfc9449/4.3-11-iat.test.ts', 'profiles/proof.ts', 'RFC 9449 4.3 item 11', [
    ['iat-window', 'iat is at most the configured age behind and the configured skew ahead'],
    [
      'proof-exp-nbf',
      'exp and nbf are honoured where present and never required (RFC 7519 4.1.4, 4.1.5)',
      'checks/claims.ts',
    ],
    ['proof-unknown', 'unknown claims and header members are ignored (RFC 7519 4)'],
  ]),
  ...of('rfc9449/4.3-10-nonce.test.ts', 'profiles/nonces.ts', 'RFC 9449 4.3 item 10', [
    [
      'nonce-required',
      'where nonces are required a proof without one is answered use_dpop_nonce and DPoP-Nonce (9)',
      'profiles/proof.ts',
    ],
    ['nonce-no-downgrade', 'that does not change with the client (11.3)', 'profiles/proof.ts'],
    ['nonce-syntax', 'one DPoP-Nonce field of NQCHAR that nobody can predict (8, 8.1)', 'checks/nonce.ts'],
  ]),
  ...of('rfc9449/8-nonce-rotation.test.ts', 'profiles/dpop.ts', 'RFC 9449 8.2', [
    ['nonce-recent', 'a nonce that is too old or from the future is refused', 'profiles/nonces.ts'],
    ['nonce-early', 'a fresh nonce is offered on a success before the old one ends'],
    ['nonce-no-store', 'an answer with a nonce is not cached', 'upstream/answer.ts'],
  ]),
  ...of('rfc9449/4.3-12-binding.test.ts', 'profiles/dpop.ts', 'RFC 9449 4.3 item 12', [
    ['ath', 'ath is the hash of the token that came with it', 'profiles/proof.ts'],
    ['jkt', 'the key of the proof is the one that the token is bound to'],
    ['cnf-tolerant', 'other members of cnf are tolerated (RFC 7800 3.1)'],
  ]),
  ...of('rfc9449/vectors.test.ts', 'profiles/proof.ts', 'RFC 9449, figures 2 and 12', [
    ['rfc9449-vectors', 'the proof of the example passes at its time, and not otherwise'],
  ]),

  // Replay.
  ...of('rfc9449/11.1-replay.test.ts', 'stages/reject-replay.ts', 'RFC 9449 11.1', [
    ['replay-once', 'a proof is good once, of any number at the same time', 'replay/memory-store.ts'],
    [
      'replay-key',
      'by profile, key and jti: neither jti alone, nor with method and URI',
      'replay/replay-key.ts',
    ],
    ['replay-last', 'a request that is refused for another reason burns nothing'],
    ['replay-epoch', 'a proof from before the store began to remember is refused', 'replay/memory-store.ts'],
  ]),

  // The access token.
  ...of('rfc9068/4-access-token.test.ts', 'profiles/access-token.ts', 'RFC 9068 4', [
    ['at-typ', 'typ is at+jwt, with or without application/'],
    ['at-alg', 'alg is on the list of the issuer; none and HMAC never', 'profiles/issuers.ts'],
    ['at-claims', 'iss, exp, aud, sub, client_id, iat and jti are required (2.2)'],
    ['at-iss', 'iss is exactly that of the issuer that owns the key'],
    [
      'at-aud',
      'aud has the canonical URI of the route, or a configured alias (RFC 8725 3.9)',
      'checks/claims.ts',
    ],
    ['at-time', 'exp and nbf hold, with at most 60 seconds of leeway', 'checks/claims.ts'],
    ['at-kid', 'kid chooses among the keys of the issuer', 'keys/parse-jwks.ts'],
  ]),
  ...of('rfc8725/3-jwt-bcp.test.ts', 'profiles/issuers.ts', 'RFC 8725 3.8, 3.10, 3.12', [
    ['keys-not-pooled', 'keys of one issuer are never tried on a token of another'],
    ['no-key-from-token', 'a token brings no key and no address of one'],
    ['kid-opaque', 'kid is a text to look up and nothing else', 'keys/parse-jwks.ts'],
    [
      'kinds-apart',
      'proofs, access tokens and self-signed tokens never pass as one another',
      'profiles/access-token.ts',
    ],
  ]),
  ...of('rfc7662/2-introspection.test.ts', 'keys/introspector.ts', 'RFC 7662 2.2, 4', [
    [
      'introspection-active',
      'an opaque token is what its issuer says: active, bound, in time, for us (RFC 9449 6.2)',
      'profiles/access-token.ts',
    ],
    ['introspection-cache', 'an answer is kept by the hash of the token, bounded, and never past exp'],
  ]),
  ...of('rfc6750/3-challenges.test.ts', 'http/challenge.ts', 'RFC 6750 3', [
    [
      'insufficient-scope',
      'a missing scope is 403 insufficient_scope with all scopes that are needed',
      'profiles/access-token.ts',
    ],
    ['scope-hint', 'the 401 challenge names the scopes too (MCP)'],
    ['json-body', 'the body is OAuth JSON that is not stored', 'http/refusal-body.ts'],
  ]),
  ...of('rfc8705/3-certificate.test.ts', 'profiles/mtls.ts', 'RFC 8705 3', [
    ['x5t', 'a certificate-bound token passes with its certificate only'],
    ['x5t-required', 'under mtls a token that names none is refused'],
  ]),
  ...of('rfc8705/3-certificate.test.ts', 'profiles/certificate.ts', 'RFC 9440 3', [
    ['client-cert-trust', 'Client-Cert is read from trusted peers only'],
  ]),
  ...of('rfc9728/3-metadata.test.ts', 'http/resource.ts', 'RFC 9728 2, 3, 5.1', [
    [
      'metadata-place',
      'metadata is at the well-known place of its resource, for anybody, and the challenge points there',
    ],
    ['metadata-root', 'and at the root form where it is unambiguous', 'stages/answer-locally.ts'],
    ['metadata-true', 'what it says is what is enforced: resource, algorithms, binding'],
  ]),
  ...of('mcp/transport.test.ts', 'stages/apply-mcp-policy.ts', 'MCP transports and authorization', [
    ['mcp-origin', 'an Origin that is not listed is refused before credentials', 'stages/match-route.ts'],
    ['mcp-audience', 'tokens are for the canonical URI of the server', 'profiles/profiles.ts'],
    ['mcp-no-passthrough', "the client's token goes no further", 'stages/rewrite.ts'],
    ['mcp-401', 'authentication failures are 401, never 400, 404 or 405', 'pipeline/reason.ts'],
    ['mcp-revisions', 'revisions 2025-03-26 to 2026-07-28 are served side by side'],
  ]),
  ...of('mcp/sep-1932.test.ts', 'profiles/dpop.ts', 'MCP SEP-1932', [
    ['sep-1932-advertises', 'without credentials 401 with a DPoP challenge and its algs (RFC 9449 7.1)'],
    [
      'sep-1932-metadata',
      'metadata says that DPoP is required, with asymmetric algorithms (RFC 9728)',
      'http/resource.ts',
    ],
    ['sep-1932-accepts', 'a valid proof with a bound token passes (RFC 9449 4.3)'],
    [
      'sep-1932-refuses',
      'each of 22 defects of proof, binding, audience and scheme is 401 with a DPoP challenge (RFC 9449 4.3)',
    ],
    ['sep-1932-nonce', 'a nonce is asked for, taken, and no other (RFC 9449 8.2)'],
  ]),
  ...of(
    'self-signed/profile.test.ts',
    'profiles/self-signed.ts',
    'The self-signed profile of the reference document',
    [
      ['self-alg', 'RS256 under a listed kid, and no other'],
      ['self-claims', 'iss, aud, jti, htm, htu, iat and exp are required and hold'],
      ['self-age', 'exp - iat and now - iat are bounded'],
      ['self-once', 'a token is good once', 'stages/reject-replay.ts'],
    ],
  ),
];
