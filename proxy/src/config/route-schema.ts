/** What a route can say: its backend, its credentials, its rules, its limits. */
import { isIP } from 'node:net';
import * as z from 'zod/mini';
import { auth, scope } from './auth-schema.js';
import { patience } from './bounds-schema.js';
import {
  callingOrigin,
  fileRef,
  filePath,
  httpUrl,
  label,
  must,
  nonEmpty,
  origin,
  pathPrefix,
  routePrefix,
  seconds,
  subdomain,
  suggest,
  whole,
} from './fields.js';

const rateLimit = z.strictObject({
  /** Size of the bucket: the burst one caller may send at once. */
  maxTokens: whole(1, 1_000_000, 'requests'),
  /** Requests added to the bucket every `fillIntervalSeconds`. */
  tokensPerFill: whole(1, 1_000_000, 'requests'),
  fillIntervalSeconds: z._default(seconds(0.001, 86_400), 1),
  /**
   * `caller`: one bucket per proven key; `route`: one bucket for everyone, as the data plane's own local limit
   * counts.
   */
  per: z._default(z.enum(['caller', 'route']), 'caller'),
  /** One bucket for all replicas, kept in the Redis of `replay`; while that is away each replica counts for itself. */
  shared: z._default(z.boolean(), false),
});

/** Instead of those of `upstream`, for the backend of this route. */
const timeouts = z.prefault(
  z.strictObject({
    connectTimeoutSeconds: z.optional(patience.connectTimeoutSeconds),
    firstByteTimeoutSeconds: z.optional(patience.firstByteTimeoutSeconds),
    idleTimeoutSeconds: z.optional(patience.idleTimeoutSeconds),
    totalTimeoutSeconds: z.optional(patience.totalTimeoutSeconds),
  }),
  {},
);

const credential = z._default(
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none') }),
    /**
     * The verified access token as `Authorization: Bearer`; loopback backends only, since MCP forbids token
     * passthrough.
     */
    z.strictObject({
      kind: z.literal('verifiedToken'),
      /**
       * Whether a backend that refuses the token says so to the client: 401 and 403 with its challenge. false: it is
       * about a credential that the client does not have, and 401 is answered as 502.
       */
      relayChallenge: z._default(z.boolean(), true),
    }),
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
    /**
     * The caller's token, exchanged at the authorization server for one that is the backend's (RFC 8693), as
     * `Authorization: Bearer`.
     */
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

/** Revisions of the Model Context Protocol that have Streamable HTTP, oldest first. */
const STREAMABLE = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const;
/** The first has another transport, but servers negotiate it over this one, and clients name it from then on. */
const REVISIONS = ['2024-11-05', ...STREAMABLE] as const;

export const mcpRoute = z.strictObject({
  kind: z.literal('mcp'),
  name: label,
  pathPrefix: routePrefix,
  /** Streamable HTTP: POST sends, GET opens the server's stream, DELETE ends a session. */
  methods: z._default(nonEmpty(z.enum(['GET', 'POST', 'DELETE'])), ['POST', 'GET', 'DELETE']),
  auth,
  rateLimit: z.optional(rateLimit),
  timeouts,
  /**
   * An event stream on which nothing came for so long gets a comment line, between two events, so that what stands in
   * between does not take it for dead. Absent: none.
   */
  heartbeatSeconds: z.optional(seconds(1, 3600)),
  /**
   * Origin header values of browsers that may call; a request with any other Origin is refused (MCP transports,
   * DNS rebinding).
   */
  allowedOrigins: z._default(z.array(callingOrigin), []),
  /**
   * Revisions of MCP that are served, by the client's MCP-Protocol-Version; a request without one counts as
   * 2025-03-26, and initialize by its protocolVersion. 2024-11-05 is for servers that negotiate it over Streamable
   * HTTP; its own transport is not served.
   */
  revisions: z._default(nonEmpty(z.enum(REVISIONS)), [...STREAMABLE]),
  /**
   * Present: only JSON-RPC messages that fit a rule pass, and lists in answers show what the caller may use. What
   * completion/complete and subscriptions/listen point at must be allowed by prompts/get or resources/read. The body is
   * read for it, up to `limits.maxBodyBytes`.
   */
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
        /** Only for callers whose token has one of these values in a claim, or in the list that it is. */
        when: z.optional(
          z.strictObject({
            /** Its name, or a JSON pointer to it where it lies in another: `/realm_access/roles`. */
            claim: z
              .string()
              .check(
                must('must be the name of a claim, or a JSON pointer', (v: string) =>
                  /^(?!\/)[^]+$|^(\/([^~/]|~[01])+)+$/.test(v),
                ),
              ),
            oneOf: nonEmpty(z.string()),
          }),
        ),
      }),
    ),
  ),
  backend: z.strictObject({
    /** Origin of the MCP server or of agentgateway, with the path that replaces `pathPrefix` if it has one. */
    url: httpUrl,
    /**
     * Origins that share the work, `url`'s path on each; absent: the one of `url`. A session stays where it
     * began: its `Mcp-Session-Id` is given a tag that names the endpoint and is taken off again, so every
     * replica of the gateway knows.
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
    /**
     * `Host` of requests to the backend, `name` or `name:port`, for servers that answer to one name only; with https
     * also SNI and the certificate's name, unless `serverName` says otherwise. Absent: the host of the URL.
     */
    host: z.optional(
      z
        .string()
        .check(
          must(
            'must be "name" or "name:port", in lower case',
            (v: string) =>
              /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9]\d{0,4})?$/.test(v) &&
              URL.canParse(`http://${v}`),
          ),
        ),
    ),
    /**
     * URLs that the backend's own redirects begin with, where that is not `url`: behind a further proxy that sets the
     * Host or rewrites the path. They have one path. A Location under one of them is given to clients as one under the
     * route.
     */
    redirectBases: z.optional(nonEmpty(httpUrl)),
    /**
     * Field that a further proxy in between sets on what the backend answered, and on nothing else, whatever the
     * backend says. An error without it is the further proxy's own: its text goes to the audit log, and the client
     * gets a refusal of the gateway's. Clients never get the field.
     */
    answerMark: z.optional(
      z
        .string()
        .check(
          must('must be a lower-case field name that begins with "x-"', (v: string) =>
            /^x-[a-z0-9]+(-[a-z0-9]+)*$/.test(v),
          ),
        ),
    ),
    /**
     * Loopback address that connections to the backend come from; absent: the kernel's choice. For a backend in the pod
     * that admits this address alone: what a port-forward or a mesh brings in comes from another.
     */
    localAddress: z.optional(
      z
        .string()
        .check(
          must('must be an IPv4 loopback address', (v: string) => isIP(v) === 4 && v.startsWith('127.')),
        ),
    ),
    credential,
  }),
});

export const secretsRoute = z.strictObject({
  kind: z.literal('secrets'),
  name: label,
  pathPrefix,
  methods: z._default(nonEmpty(z.enum(['GET', 'HEAD'])), ['GET', 'HEAD']),
  auth,
  rateLimit: z.optional(rateLimit),
  timeouts,
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
    /**
     * Of the Secrets named here only these keys can be read, each at `<prefix>/<name>/<key>` as its decoded
     * value; the object as a whole cannot.
     */
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
