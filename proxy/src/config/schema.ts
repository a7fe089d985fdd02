/**
 * THE schema of the gateway's config file: the proxy parses it at start, `lib` parses what it is about to emit at synth, and both
 * get their types from here. Units are in the names; a default stands here and nowhere else.
 */
import * as z from 'zod/mini';
import { auth, scope } from './auth-schema.js';
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
  subdomain,
  suggest,
  whole,
} from './fields.js';
import { tracing } from './tracing-schema.js';

const rateLimit = z.strictObject({
  /** Size of the bucket: the burst one caller may send at once. */
  maxTokens: whole(1, 1_000_000, 'requests'),
  /** Requests added to the bucket every `fillIntervalSeconds`. */
  tokensPerFill: whole(1, 1_000_000, 'requests'),
  fillIntervalSeconds: z._default(seconds(0.001, 86_400), 1),
  /** `caller`: one bucket per proven key; `route`: one bucket for everyone, as the data plane's own local limit counts. */
  per: z._default(z.enum(['caller', 'route']), 'caller'),
  /** One bucket for all replicas, kept in the Redis of `replay`; while that is away each replica counts for itself. */
  shared: z._default(z.boolean(), false),
});

const credential = z._default(
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    /** The verified access token as `Authorization: Bearer`; loopback backends only, since MCP forbids token passthrough. */
    z.strictObject({ kind: z.literal('verifiedToken') }),
    /** `<header>: <prefix><content of file>`; the file is read again when it changes. */
    z.strictObject({
      kind: z.literal('file'),
      file: filePath,
      header: z._default(
        z.string().check(
          must(
            'must be an HTTP header name that a credential may use',
            (v: string) =>
              /^[a-z][a-z0-9-]*$/.test(v) &&
              !/^(host|connection|content-length|transfer-encoding|te|upgrade|dpop)$/.test(v),
            (v) => suggest(v.toLowerCase(), v),
          ),
        ),
        'authorization',
      ),
      prefix: z._default(
        z.string().check(must('must be visible ASCII', (v: string) => /^[\x20-\x7e]*$/.test(v))),
        'Bearer ',
      ),
    }),
    /** The caller's token, exchanged at the authorization server for one that is the backend's (RFC 8693), as `Authorization: Bearer`. */
    z.strictObject({
      kind: z.literal('exchange'),
      /** The token endpoint. */
      url: httpUrl,
      clientId: z.string().check(must('must not be empty', (v: string) => v !== '')),
      clientSecret: fileRef,
      caFile: z.optional(filePath),
      /** Logical name of the backend (RFC 8693 2.1). */
      audience: z.optional(z.string().check(must('must not be empty', (v: string) => v !== ''))),
      /** Its URI (RFC 8693 2.1, RFC 8707). */
      resource: z.optional(httpUrl),
      /** Asked for; none: what the authorization server gives. */
      scopes: z._default(z.array(scope), []),
      timeoutSeconds: z._default(seconds(0.1, 60), 2),
      /** Exchanged tokens that are kept, each until it expires. */
      maxEntries: z._default(whole(1, 1_000_000, 'tokens'), 10_000),
    }),
  ]),
  { kind: 'none' },
);

/** Of the Model Context Protocol's transports, oldest first. */
const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const;

const mcpRoute = z.strictObject({
  kind: z.literal('mcp'),
  name: label,
  pathPrefix,
  /** Streamable HTTP: POST sends, GET opens the server's stream, DELETE ends a session. */
  methods: z._default(nonEmpty(z.enum(['GET', 'POST', 'DELETE'])), ['POST', 'GET', 'DELETE']),
  auth,
  rateLimit: z.optional(rateLimit),
  /** Origin header values of browsers that may call; a request with any other Origin is refused (MCP transports, DNS rebinding). */
  allowedOrigins: z._default(z.array(origin), []),
  /** Revisions of MCP that are served, by the client's MCP-Protocol-Version; a request without one counts as 2025-03-26, and initialize by its protocolVersion. */
  revisions: z._default(nonEmpty(z.enum(REVISIONS)), [...REVISIONS]),
  /** Present: only JSON-RPC messages that fit a rule pass. The body is read for it, up to `limits.maxBodyBytes`. */
  allow: z.optional(
    nonEmpty(
      z.strictObject({
        /** Exact method, or all under a prefix: `tools/*`; notifications are methods too. */
        method: z
          .string()
          .check(
            must('must be a JSON-RPC method, or a prefix and "/*"', (v: string) =>
              /^[A-Za-z0-9_$.-]+(\/[A-Za-z0-9_$.-]+)*(\/\*)?$/.test(v),
            ),
          ),
        /** `params.name`, `params.uri` of resources/read, or `params.taskId` of tasks; absent: any. */
        names: z.optional(nonEmpty(z.string().check(must('must not be empty', (v: string) => v !== '')))),
        /** On top of the route's. */
        requiredScopes: z._default(z.array(scope), []),
      }),
    ),
  ),
  backend: z.strictObject({
    /** Origin of the MCP server or of agentgateway, with the path that replaces `pathPrefix` if it has one. */
    url: httpUrl,
    /**
     * Origins that share the work, `url`'s path on each; absent: the one of `url`. A session stays where it began: its `Mcp-Session-Id` is given a tag that
     * names the endpoint and is taken off again, so every replica of the gateway knows.
     */
    endpoints: z.optional(nonEmpty(origin)),
    /** Of several endpoints: one that failed so often in a row is left out so long. */
    outlier: z.prefault(
      z.strictObject({
        consecutiveFailures: z._default(whole(1, 1000, 'failures'), 5),
        ejectSeconds: z._default(seconds(1, 3600), 30),
      }),
      {},
    ),
    caFile: z.optional(filePath),
    /** What the gateway shows of itself where the backend asks for a client certificate; followed through rotations. */
    clientCertificate: z.optional(z.strictObject({ certFile: filePath, keyFile: filePath })),
    /** Name that the backend's certificate must have, and SNI, where it is not the host of the URL. */
    serverName: z.optional(
      z
        .string()
        .check(
          must('must be a DNS name', (v: string) =>
            /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(v),
          ),
        ),
    ),
    credential,
  }),
});

const secretsRoute = z.strictObject({
  kind: z.literal('secrets'),
  name: label,
  pathPrefix,
  methods: z._default(nonEmpty(z.enum(['GET', 'HEAD'])), ['GET', 'HEAD']),
  auth,
  rateLimit: z.optional(rateLimit),
  backend: z.strictObject({
    /** Origin of the Kubernetes API server. */
    url: httpUrl.check(
      must('must be https: the token and the secret cross this connection', (v: string) =>
        v.startsWith('https:'),
      ),
    ),
    caFile: filePath,
    /** The projected ServiceAccount token; read again when kubelet rotates it. */
    tokenFile: filePath,
    namespace: label,
    /** The only Secrets that can be read; anything else is 404 without a call to the API server. */
    secretNames: nonEmpty(subdomain),
    /** Of the Secrets named here only these keys can be read, each at `<prefix>/<name>/<key>` as its decoded value; the object as a whole cannot. */
    secretKeys: z._default(
      z.record(
        z.string(),
        nonEmpty(
          z
            .string()
            .check(
              must(
                'must be a key of a Secret: 1 to 253 letters, digits, "-", "_" or "."',
                (v: string) => /^[A-Za-z0-9._-]{1,253}$/.test(v) && v !== '.' && v !== '..',
              ),
            ),
        ),
      ),
      {},
    ),
  }),
});

const issuer = z.strictObject({
  /** What routes call it. */
  name: label,
  /** Exact value of the `iss` claim. */
  issuer: z.string().check(must('must not be empty', (v: string) => v !== '')),
  /** Algorithms accepted for this issuer's tokens (RFC 8725 3.1). */
  algorithms: z._default(nonEmpty(algorithm), ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']),
  /** Accept access tokens without `typ: at+jwt`, as older authorization servers sign them: another JWT of the same issuer then passes as one. */
  legacyTyp: z._default(z.boolean(), false),
  /** Keys of JWT access tokens; may be left out where `introspection` answers for all of them. */
  jwks: z.optional(
    z.union(
      [
        fileRef,
        z.strictObject({
          url: httpUrl,
          caFile: z.optional(filePath),
          /** A fetched set is used this long before it is fetched again in the background. */
          refreshSeconds: z._default(seconds(30, 86_400), 600),
          /** At most one fetch per this time, whatever kids the callers send. */
          cooldownSeconds: z._default(seconds(1, 3600), 30),
          /** A set that cannot be refreshed stays in use this long. */
          maxStaleSeconds: z._default(seconds(0, 604_800), 86_400),
          timeoutSeconds: z._default(seconds(0.1, 60), 5),
        }),
      ],
      { error: 'must be { file } or { url }' },
    ),
  ),
  /** RFC 7662: who is asked about tokens that are not JWTs. */
  introspection: z.optional(
    z.strictObject({
      url: httpUrl,
      clientId: z.string().check(must('must not be empty', (v: string) => v !== '')),
      clientSecret: fileRef,
      caFile: z.optional(filePath),
      timeoutSeconds: z._default(seconds(0.1, 60), 2),
      /** An answer is used again this long at most, and never past the token's `exp`; how long a revoked token may still pass. */
      cacheSeconds: z._default(seconds(0, 3600), 30),
      maxEntries: z._default(whole(1, 1_000_000, 'tokens'), 10_000),
    }),
  ),
});

const hostPort = z
  .string()
  .check(must('must be host:port', (v: string) => /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/.test(v)));
/** How far ahead a client's clock can have been when its proof was used before a loss. Absent: the route's `clockSkewSeconds`, 5 more with Redis; less lets such a proof pass once more. */
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
    /** deny: 503. local: this process remembers, so each replica takes a proof once. allow: a proof may be used again while the store is away. */
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
      /** HTTP/2 and HTTP/1.1, as the client chooses (ALPN). Absent: plain HTTP/1.1, for a TLS-ending ingress in front. */
      tls: z.optional(z.strictObject({ certFile: filePath, keyFile: filePath })),
    }),
    {},
  ),
  /** Metrics and probes; never exposed to clients. */
  admin: z.prefault(z.strictObject({ host, port: z._default(port, 9090) }), {}),
  /** What clients put before the path in htu: the origins under which this gateway is reached. Never taken from Host. */
  publicOrigins: nonEmpty(origin),
  /** What an ingress in front cuts off: clients sign `https://host/ai/mcp`, the gateway gets `/mcp`, and this is `/ai`. */
  publicPathPrefix: z.optional(pathPrefix),
  /** CIDR ranges of proxies in front: their X-Forwarded-For gives the client's address, their Client-Cert its certificate. Nobody else's is read. */
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
  /** `forwarded`: X-Forwarded-Proto and -Host of a trusted peer say which of `publicOrigins` was asked for; any other is refused. */
  originFrom: z._default(z.enum(['config', 'forwarded']), 'config'),
  /** Replicas that share this config; more than one needs a shared replay store. */
  replicas: z._default(whole(1, 1000, 'replicas'), 1),
  /**
   * Threads of one replica that serve requests, each on a core of its own. They share the port, the claims of a memory store and the buckets of rate limits, exactly; each keeps its own key sets and
   * connections to backends, and takes its share of `limits.maxConnections`, `limits.maxConnectionsPerAddress`, `upstream.maxSockets`, `upstream.maxStreams` and `upstream.maxQueued`. Needs Node 22.12 and Linux.
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
   * SIGTERM to the end of new connections: not ready, but still serving, until whoever balances load has noticed. 0 where something sleeps before SIGTERM, as preStop does;
   * otherwise longer than the balancer's health checks take.
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
export type IntrospectionConfig = NonNullable<Issuer['introspection']>;
export type ExchangeConfig = Extract<McpRoute['backend']['credential'], { kind: 'exchange' }>;
export type McpRule = NonNullable<McpRoute['allow']>[number];
export type ReplayConfig = Config['replay'];
export type TracingConfig = NonNullable<Config['tracing']>;
export type RateLimitConfig = NonNullable<Route['rateLimit']>;
export type Algorithm = (typeof ASYMMETRIC)[number];
