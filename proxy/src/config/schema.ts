/**
 * THE schema of the gateway's config file: the proxy parses it at start, `lib` parses what it is about to emit
 * at synth, and both get their types from here. Units are in the names; a default stands here and nowhere else.
 */
import * as z from 'zod/mini';
import { limits, upstream } from './bounds-schema.js';
import {
  algorithm,
  ASYMMETRIC,
  fileRef,
  filePath,
  host,
  httpUrl,
  isCidr,
  label,
  must,
  nonEmpty,
  origin,
  pathPrefix,
  port,
  seconds,
  suggest,
  whole,
} from './fields.js';
import { egressProxy } from './egress-schema.js';
import { mcpRoute, secretsRoute } from './route-schema.js';
import { tracing } from './tracing-schema.js';

/** Which authorization server signs the tokens of an issuer; docs/guides/identity-providers.md says what follows. */
const preset = z.enum(['generic', 'typed', 'keycloak', 'entra', 'okta', 'auth0']);

const fetchedKeys = {
  caFile: z.optional(filePath),
  /** A fetched set is used this long before it is fetched again in the background. */
  refreshSeconds: z._default(seconds(30, 86_400), 600),
  /** At most one fetch per this time, whatever kids the callers send. */
  cooldownSeconds: z._default(seconds(1, 3600), 30),
  /** A set that cannot be refreshed stays in use this long. */
  maxStaleSeconds: z._default(seconds(0, 604_800), 86_400),
  /** Patience with one answer. */
  timeoutSeconds: z._default(seconds(0.1, 60), 5),
};

const issuer = z.strictObject({
  /** What routes call it. */
  name: label,
  /** Exact value of the `iss` claim. */
  issuer: z.string().check(must('must not be empty', (v: string) => v !== '')),
  /** Algorithms accepted for this issuer's tokens (RFC 8725 3.1). */
  algorithms: z._default(nonEmpty(algorithm), ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']),
  /**
   * What its access tokens look like: `generic` is RFC 9068 to the letter, the others are what these servers
   * write instead. What a token must prove is the same for all.
   */
  preset: z._default(preset, 'generic'),
  /**
   * For servers without a preset that sign access tokens without `typ: at+jwt`: any other `typ`, or none, passes on a
   * token that is bound; not one that ends in `+jwt` or `+sd-jwt`, which names another use.
   */
  legacyTyp: z._default(z.boolean(), false),
  /** Keys of JWT access tokens; may be left out where `introspection` answers for all of them. */
  jwks: z.optional(
    z.union(
      [
        fileRef,
        z.strictObject({ url: httpUrl, ...fetchedKeys }),
        z.strictObject({
          /** The issuer's metadata says where (RFC 8414, OpenID Connect Discovery); `issuer` is its URL then. */
          discover: z.literal(true),
          ...fetchedKeys,
        }),
      ],
      { error: 'must be { file }, { url } or { discover: true }' },
    ),
  ),
  /** RFC 7662: who is asked about tokens that are not JWTs. */
  introspection: z.optional(
    z.strictObject({
      /** About JWTs too, after they verified under `jwks`: for issuers that revoke them. */
      always: z._default(z.boolean(), false),
      url: httpUrl,
      clientId: z.string().check(must('must not be empty', (v: string) => v !== '')),
      clientSecret: fileRef,
      caFile: z.optional(filePath),
      timeoutSeconds: z._default(seconds(0.1, 60), 2),
      /**
       * An answer is used again this long at most, and never past the token's `exp`; how long a revoked token
       * may still pass.
       */
      cacheSeconds: z._default(seconds(0, 3600), 30),
      maxEntries: z._default(whole(1, 1_000_000, 'tokens'), 10_000),
    }),
  ),
});

const hostPort = z
  .string()
  .check(must('must be host:port', (v: string) => /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/.test(v)));
/**
 * How far ahead a client's clock can have been when its proof was used before a loss. Absent: the route's
 * `clockSkewSeconds`, 5 more with Redis; less lets such a proof pass once more.
 */
const epochMarginSeconds = z.optional(seconds(0, 60));

const replay = z.discriminatedUnion('store', [
  z.strictObject({
    store: z.literal('memory'),
    /** Live proofs held at once; when full, new proofs are refused and none is forgotten early. */
    maxEntries: z._default(whole(1_000, 50_000_000, 'entries'), 1_000_000),
    epochMarginSeconds,
  }),
  z.strictObject({
    store: z.literal('redis'),
    /** redis:// or, over TLS, rediss://; no credentials in it. */
    url: z.string().check(
      must(
        'must be a redis:// or rediss:// URL without credentials',
        (v: string) => {
          if (!URL.canParse(v)) return false;
          const url = new URL(v);
          return (
            /^rediss?:$/.test(url.protocol) &&
            url.hostname !== '' &&
            url.username === '' &&
            url.password === ''
          );
        },
        () => 'name the user in "username" and the password file in "password"',
      ),
    ),
    username: z.optional(z.string()),
    password: z.optional(fileRef),
    caFile: z.optional(filePath),
    keyPrefix: z._default(
      z
        .string()
        .check(
          must('must be 1 to 64 visible ASCII characters without spaces', (v: string) =>
            /^[\x21-\x7e]{1,64}$/.test(v),
          ),
        ),
      'agw:jti:',
    ),
    /** A claim that has no answer by then is refused with 503. */
    timeoutSeconds: z._default(seconds(0.01, 10), 0.5),
    /** `cluster` and `sentinel` start from `url` and these addresses. */
    topology: z._default(
      z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('single') }),
        z.strictObject({ kind: z.literal('cluster'), nodes: z._default(z.array(hostPort), []) }),
        z.strictObject({
          kind: z.literal('sentinel'),
          master: z.string().check(must('must not be empty', (v: string) => v !== '')),
          sentinels: z._default(z.array(hostPort), []),
          password: z.optional(fileRef),
        }),
      ]),
      { kind: 'single' },
    ),
    /**
     * deny: 503. local: this process remembers, so each replica takes a proof once. allow: a proof may be used
     * again while the store is away.
     */
    onStoreFailure: z._default(z.enum(['deny', 'local', 'allow']), 'deny'),
    epochMarginSeconds,
  }),
]);

const route = z.discriminatedUnion('kind', [mcpRoute, secretsRoute]);

/** The schema of one entry of a list of the config. */
export const entrySchemas = { issuers: issuer, routes: route } as const;

export const configSchema = z.strictObject({
  version: z.literal(1),
  /** Where clients connect. */
  listen: z.prefault(
    z.strictObject({
      host,
      port: z._default(port, 8080),
      /**
       * HTTP/2 and HTTP/1.1, as the client chooses (ALPN). Absent: plain HTTP/1.1, for a TLS-ending ingress in
       * front.
       */
      tls: z.optional(z.strictObject({ certFile: filePath, keyFile: filePath })),
    }),
    {},
  ),
  /** Metrics and probes; never exposed to clients. */
  admin: z.prefault(z.strictObject({ host, port: z._default(port, 9090) }), {}),
  /**
   * What clients put before the path in htu: the origins under which this gateway is reached. Never taken from
   * Host.
   */
  publicOrigins: nonEmpty(origin),
  /**
   * What an ingress in front cuts off: clients sign `https://host/ai/mcp`, the gateway gets `/mcp`, and this is
   * `/ai`.
   */
  publicPathPrefix: z.optional(pathPrefix),
  /**
   * CIDR ranges of proxies in front: their `forwardedHeader` gives the client's address, their Client-Cert or
   * X-Forwarded-Client-Cert its certificate. Nobody else's is read.
   */
  trustedPeers: z._default(
    z.array(
      z.string().check(
        must('must be an address range in CIDR notation', isCidr, (v) =>
          suggest(`${v}/32`, isCidr(`${v}/32`) ? v : `${v}/32`),
        ),
        must(
          'must not be all addresses: whoever connects would say who the client is',
          (v: string) => !/\/0+$/.test(v),
        ),
      ),
    ),
    [],
  ),
  /**
   * `forwarded`: the `forwardedHeader` of a trusted peer (X-Forwarded-Proto and -Host, or proto and host) says which
   * of `publicOrigins` was asked for; any other is refused.
   */
  originFrom: z._default(z.enum(['config', 'forwarded']), 'config'),
  /**
   * In which field `trustedPeers` say for whom they speak: `x-forwarded` X-Forwarded-For, -Proto and -Host,
   * `forwarded` the one of RFC 7239. The other is not read: a front that doesn't write it passes on what its client
   * made up.
   */
  forwardedHeader: z._default(z.enum(['x-forwarded', 'forwarded']), 'x-forwarded'),
  /** Replicas that share this config; more than one needs a shared replay store. */
  replicas: z._default(whole(1, 1000, 'replicas'), 1),
  /**
   * Threads of one replica that serve requests, each on a core of its own. They share the port, the claims of a
   * memory store and the buckets of rate limits, exactly; each keeps its own key sets and connections to
   * backends, and takes its share of `limits.maxConnections`, `limits.maxConnectionsPerAddress`,
   * `upstream.maxSockets`, `upstream.maxStreams` and `upstream.maxQueued`. Needs Node 22.12 and Linux.
   */
  workers: z._default(whole(1, 64, 'threads'), 1),
  issuers: nonEmpty(issuer),
  replay,
  routes: nonEmpty(route),
  limits,
  upstream,
  audit: z.prefault(
    z.strictObject({
      /** Absent: standard output. */
      file: z.optional(filePath),
    }),
    {},
  ),
  /** OpenTelemetry traces over OTLP/HTTP; absent: none, and a client's `traceparent` goes on as it came. */
  tracing: z.optional(tracing),
  /**
   * The HTTP proxy that key sets, issuers' metadata, introspection, token exchange and traces go through; absent: they
   * go directly. Backends and Redis never go through it.
   */
  egressProxy: z.optional(egressProxy),
  /**
   * SIGTERM to the end of new connections: not ready, but still serving, until whoever balances load has
   * noticed. 0 where something sleeps before SIGTERM, as preStop does; otherwise longer than the balancer's
   * health checks take.
   */
  lameDuckSeconds: z._default(seconds(0, 600), 0),
  /** From then to exit: how long open requests and streams may go on. */
  drainSeconds: z._default(seconds(0, 3600), 25),
});

/** The config as the proxy uses it: every default filled in. */
export type Config = z.output<typeof configSchema>;
/** The config as it is written: what has a default may be left out. */
export type ConfigInput = z.input<typeof configSchema>;

export type Route = Config['routes'][number];
export type McpRoute = Extract<Route, { kind: 'mcp' }>;
export type SecretsRoute = Extract<Route, { kind: 'secrets' }>;
export type Auth = Route['auth'];
export type DpopAuth = Extract<Auth, { profile: 'dpop' }>;
export type MixedAuth = Extract<Auth, { profile: 'mixed' }>;
export type MtlsAuth = Extract<Auth, { profile: 'mtls' }>;
export type SelfSignedAuth = Extract<Auth, { profile: 'selfSigned' }>;
export type Issuer = Config['issuers'][number];
export type Preset = Issuer['preset'];
export type IntrospectionConfig = NonNullable<Issuer['introspection']>;
export type ExchangeConfig = Extract<McpRoute['backend']['credential'], { kind: 'exchange' }>;
export type McpRule = NonNullable<McpRoute['allow']>[number];
export type ReplayConfig = Config['replay'];
export type TracingConfig = NonNullable<Config['tracing']>;
export type EgressProxyConfig = NonNullable<Config['egressProxy']>;
export type RateLimitConfig = NonNullable<Route['rateLimit']>;
export type Algorithm = (typeof ASYMMETRIC)[number];
