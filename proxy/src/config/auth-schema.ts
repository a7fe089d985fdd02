/** How callers of a route prove who they are: one shape a profile. */
import * as z from 'zod/mini';
import { algorithm, fileRef, label, must, nonEmpty, seconds } from './fields.js';

/**
 * strict: authenticated or refused. optional: anonymous allowed, bad credentials refused. permissive: verdict
 * recorded, never refused.
 */
const mode = z._default(z.enum(['strict', 'optional', 'permissive']), 'strict');

/** RFC 6749 3.3 scope-token. */
export const scope = z
  .string()
  .check(must('must be an OAuth scope token', (v: string) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(v)));

/** What every profile that takes an access token of an authorization server has. */
const accessTokenAuth = {
  mode,
  /** Names of entries of `issuers` whose access tokens are accepted. */
  issuers: nonEmpty(label),
  /** Accepted `aud` values beside the route's own canonical URI, which is always one (RFC 9068 4, RFC 8707, MCP). */
  audiences: z._default(z.array(z.string().check(must('must not be empty', (v: string) => v !== ''))), []),
  /** Scopes that the access token must have, all of them; else 403 `insufficient_scope` (RFC 6750 3.1). */
  requiredScopes: z._default(z.array(scope), []),
  /** How far a client's clock may run ahead; also the leeway for exp and nbf of the access token. */
  clockSkewSeconds: z._default(seconds(0, 60), 60),
};

const proofAuth = {
  ...accessTokenAuth,
  /** Algorithms accepted for the proof itself; also the challenge's `algs` (RFC 9449 7.1). */
  proofAlgorithms: z._default(nonEmpty(algorithm), ['ES256', 'ES384', 'PS256', 'EdDSA', 'Ed25519', 'RS256']),
  /** A proof older than this is refused (RFC 9449 4.3 item 11). */
  proofMaxAgeSeconds: z._default(seconds(1, 3600), 300),
  /** Refuse an htu that carries a query or a fragment instead of ignoring them (RFC 9449 4.2). */
  strictHtu: z._default(z.boolean(), false),
  /** Present: every proof must carry a nonce of ours (RFC 9449 9). */
  nonce: z.optional(
    z.strictObject({
      /**
       * One secret of at least 32 characters a line: the first makes nonces, all are accepted, and a removed
       * one still is for `lifetimeSeconds`.
       */
      keys: fileRef,
      /** How long a nonce is good; a fresh one is offered at half of it. */
      lifetimeSeconds: z._default(seconds(10, 3600), 300),
      /** The nonce alone says when the proof was made, for clients with wrong clocks (RFC 9449 11.1). */
      timeFromNonce: z._default(z.boolean(), false),
    }),
  ),
};

/** RFC 9449: bound access tokens with a proof, and nothing else. */
const dpopAuth = z.strictObject({ profile: z.literal('dpop'), ...proofAuth });
/** For a migration: bound tokens as in `dpop`, and unbound ones as Bearer. A bound token as Bearer is still refused. */
const mixedAuth = z.strictObject({ profile: z.literal('mixed'), ...proofAuth });
/** RFC 8705: access tokens bound to the client's certificate by `cnf.x5t#S256`. */
const mtlsAuth = z.strictObject({
  profile: z.literal('mtls'),
  ...accessTokenAuth,
  /**
   * `tls`: of the connection, which `listen.tls` ends; `header`: `Client-Cert` (RFC 9440) of a trusted peer
   * that ends it; `xfcc`: `X-Forwarded-Client-Cert` of one, as Envoy writes it: one element with Hash or Cert.
   */
  certificateFrom: z._default(z.enum(['tls', 'header', 'xfcc']), 'tls'),
});

const selfSignedAuth = z.strictObject({
  profile: z.literal('selfSigned'),
  mode,
  issuers: nonEmpty(label),
  audiences: nonEmpty(z.string().check(must('must not be empty', (v: string) => v !== ''))),
  /** Bound on `exp - iat` and on `now - iat`. */
  maxTokenAgeSeconds: z._default(seconds(1, 3600), 300),
  clockSkewSeconds: z._default(seconds(0, 60), 5),
  /** false accepts a token for any method and URI: only the jti then limits what a thief can do. */
  enforceHtuHtm: z._default(z.boolean(), true),
  strictHtu: z._default(z.boolean(), false),
});

export const auth = z.discriminatedUnion('profile', [dpopAuth, mixedAuth, mtlsAuth, selfSignedAuth]);
