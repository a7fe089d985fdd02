/** What one config makes of requests: a reload makes another of these and lets the requests under way end in theirs. */
import { hash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Clock } from './clock.js';
import type { Config, McpRoute, Route } from './config/index.js';
import type { SessionKeys } from './keys/key-source.js';
import { hostNameOf, metadataUrl, publicPlaceOf } from './http/resource.js';
import { trustedPeers, type TrustedPeers } from './http/trusted-peers.js';
import type { AuditLog } from './observe/audit-log.js';
import type { LineSink } from './observe/line-sink.js';
import type { Metrics } from './observe/metrics.js';
import type { Tracer } from './observe/tracer.js';
import type { Acquire } from './resource-registry.js';
import type { UpstreamRequest } from './pipeline/evidence.js';
import type { ReplayStore } from './replay/replay-store.js';
import { createVerifyQueue } from './profiles/verify-queue.js';
import { createResponder, type Responder } from './stages/respond.js';
import { openTrust, type Dependencies, type Trust } from './trust.js';
import type { Deadlines } from './upstream/deadlines.js';
import type { OpenAnswers } from './upstream/open-answers.js';
import type { BackendWatch } from './upstream/backend-watch.js';
import { several, single, type Endpoints } from './upstream/endpoints.js';
import { createUpstream, type BackendView } from './upstream/upstream.js';
import type { BucketTable } from './limit/bucket-table.js';
import {
  createAddressLimits,
  createPipeline,
  type Buckets,
  type SharedRedis,
  type RequestPipeline,
} from './request-pipeline.js';

const HASH_LENGTH = 12;

export interface Generation {
  readonly config: Config;
  readonly trust: Trust;
  readonly pipeline: RequestPipeline;
  readonly responder: Responder;
  readonly peers: TrustedPeers;
  readonly endpointsOf: (route: Route) => Endpoints;
  /** @param origin the one of `publicOrigins` that was asked for; absent: the first */
  readonly viewOf: (route: Route, origin: string | undefined) => BackendView | undefined;
  /** By what rules a route lets somebody in, as one word: an answer goes on after a reload while they are the same. */
  readonly policyOf: (route: Route) => string;
  readonly policies: ReadonlySet<string>;
  /** Of the config: the beginning of its SHA-256, for operators who compare pods. */
  readonly hash: string;
  /** Seconds since the epoch. */
  readonly openedAt: number;
}

/** What lasts as long as the process: every generation uses the same. */
export interface ProcessResources {
  readonly store: ReplayStore;
  readonly buckets: Buckets<BucketTable>;
  /** Absent: no replicas, nothing to share. */
  readonly sharedRedis: SharedRedis | undefined;
  readonly sessionKeys: SessionKeys;
  readonly audit: AuditLog;
  readonly auditSink: LineSink;
  readonly metrics: Metrics;
  readonly tracer: Tracer | undefined;
  readonly deadlines: Deadlines;
  readonly openAnswers: OpenAnswers;
  /** Of all backends, since several routes may have the same. */
  readonly watch: BackendWatch;
  /** Reads again what is mounted. */
  refresh(): void;
  close(): Promise<void>;
}

export function openGeneration(
  config: Config,
  acquire: Acquire,
  resources: ProcessResources,
  dependencies: Dependencies,
): Generation {
  const { clock } = dependencies;
  const { store, buckets, audit, metrics, sharedRedis, sessionKeys } = resources;
  const trust = openTrust(config, acquire, dependencies);
  const addressLimits = createAddressLimits(config, buckets.addresses, clock);
  const endpoints = new Map(
    config.routes.map((route) => {
      const upstream = patienceOf(route, config);
      const open = () => openEndpoints(route, { ...config, upstream }, resources, trust, clock);
      const key = ['endpoints', route.name, route.kind, route.backend, upstream, config.limits];
      return [route, acquire(key, open)];
    }),
  );
  const views = new Map(config.routes.map((route) => [route, viewsOf(route, config)]));
  const policies = new Map(config.routes.map((route) => [route, policyText(route, config)]));
  return {
    config,
    trust,
    pipeline: createPipeline(config, {
      trust,
      acquire,
      buckets: buckets.callers,
      store,
      sessionKeys,
      addressLimits,
      sharedRedis,
      clock,
      verify: createVerifyQueue({
        // `accept` has taken one request of the address; the rest of what a dear one costs is taken here.
        isWelcome: (network, cost) =>
          addressLimits.refusals.peek(network).allowed &&
          (cost === 1 || addressLimits.requests?.take(network, cost - 1).allowed !== false),
        most: config.limits.maxUnverified,
      }),
    }),
    responder: createResponder({ config, audit, metrics, clock, refusals: addressLimits.refusals }),
    peers: trustedPeers(config.trustedPeers),
    endpointsOf: (route) => endpoints.get(route)!,
    viewOf: (route, origin = config.publicOrigins[0]!) => views.get(route)?.get(origin),
    policyOf: (route) => policies.get(route)!,
    policies: new Set(policies.values()),
    hash: hash('sha256', JSON.stringify(config)).slice(0, HASH_LENGTH),
    openedAt: clock(),
  };
}

/** What a route says of its own, the config's `upstream` for the rest. */
function patienceOf({ timeouts }: Route, { upstream }: Config): Config['upstream'] {
  return {
    ...upstream,
    connectTimeoutSeconds: timeouts.connectTimeoutSeconds ?? upstream.connectTimeoutSeconds,
    firstByteTimeoutSeconds: timeouts.firstByteTimeoutSeconds ?? upstream.firstByteTimeoutSeconds,
    idleTimeoutSeconds: timeouts.idleTimeoutSeconds ?? upstream.idleTimeoutSeconds,
    totalTimeoutSeconds: timeouts.totalTimeoutSeconds ?? upstream.totalTimeoutSeconds,
  };
}

/** By the origin that was asked for; of a route to secrets none. */
function viewsOf(route: Route, config: Config): ReadonlyMap<string, BackendView> {
  if (route.kind !== 'mcp') return new Map();
  const { credential, answerMark } = route.backend;
  const relaysChallenge = credential.kind === 'verifiedToken' && credential.relayChallenge;
  const place = publicPlaceOf(config, route);
  return new Map(
    config.publicOrigins.map((origin) => {
      const challenge = { auth: route.auth, resourceMetadata: metadataUrl(config, route, origin) };
      const { heartbeatSeconds } = route;
      const shown = relaysChallenge ? challenge : undefined;
      return [origin, { place, challenge: shown, heartbeatSeconds, answerMark }];
    }),
  );
}

function policyText(route: Route, { issuers }: Config): string {
  const { name, pathPrefix, methods, auth } = route;
  const what =
    route.kind === 'mcp'
      ? route.allow
      : [route.backend.namespace, route.backend.secretNames, route.backend.secretKeys];
  return JSON.stringify([
    name,
    pathPrefix,
    methods,
    auth,
    what,
    issuers.filter((issuer) => auth.issuers.includes(issuer.name)),
  ]);
}

function openEndpoints(
  route: Route,
  { limits, upstream }: Config,
  { deadlines, openAnswers, metrics, watch }: ProcessResources,
  { credentials, clientCertificates, roots }: Trust,
  now: Clock,
): Endpoints {
  const { caFile } = route.backend;
  const token = route.kind === 'secrets' ? credentials.get(route.backend.tokenFile) : undefined;
  const certificate =
    route.kind === 'mcp' && route.backend.clientCertificate !== undefined
      ? clientCertificates.get(route.backend.clientCertificate.certFile)
      : undefined;
  const open = (url: string) =>
    createUpstream({
      url,
      host: route.kind === 'mcp' ? route.backend.host : undefined,
      localAddress: route.kind === 'mcp' ? route.backend.localAddress : undefined,
      upstream,
      limits,
      deadlines,
      openAnswers,
      onQueued: metrics.upstreamQueued,
      tlsOptions: {
        ca: caFile === undefined ? undefined : () => roots.get(caFile)?.current(),
        servername: route.kind === 'mcp' ? serverNameOf(route.backend) : undefined,
        certificate: certificate === undefined ? undefined : () => certificate.current(),
      },
      renew: (request: UpstreamRequest) => {
        token?.refresh();
        const value = token?.value();
        const at = request.headers.indexOf('Authorization') + 1;
        // What was sent, not what was there a moment ago: a rotation may have come in between.
        return value === undefined || request.headers[at] === `Bearer ${value}`
          ? undefined
          : { ...request, headers: request.headers.with(at, `Bearer ${value}`) };
      },
    });
  if (route.kind === 'secrets' || route.backend.endpoints === undefined)
    return single(open(route.backend.url), watch);
  return several(route.backend.endpoints.map(open), { outlier: route.backend.outlier, now, watch });
}

/** RFC 9110 4.3.4: who is asked for is who must be there; an address has no SNI (RFC 6066 3). */
function serverNameOf({ serverName, host }: McpRoute['backend']): string | undefined {
  if (serverName !== undefined || host === undefined) return serverName;
  const name = hostNameOf(host);
  return isIP(name.replace(/^\[|\]$/g, '')) === 0 ? name : undefined;
}

/** Whether a client may have to show one: bound tokens of every profile may name one. */
export const asksForCertificate = ({ routes }: Config): boolean =>
  routes.some(({ auth }) => auth.profile !== 'selfSigned');

/** What is read once, at the start: a config that changes it needs a restart, and says so. */
const AT_START: readonly (readonly [string, (config: Config) => unknown])[] = [
  ['listen', (c) => c.listen],
  ['admin', (c) => c.admin],
  ['replicas', (c) => c.replicas],
  ['workers', (c) => c.workers],
  ['replay', (c) => c.replay],
  ['audit', (c) => c.audit],
  ['tracing', (c) => c.tracing],
  ['egressProxy', (c) => c.egressProxy],
  ['limits.maxHeaderBytes', (c) => c.limits.maxHeaderBytes],
  ['limits.headersTimeoutSeconds', (c) => c.limits.headersTimeoutSeconds],
  ['limits.keepAliveTimeoutSeconds', (c) => c.limits.keepAliveTimeoutSeconds],
  ['limits.maxIdleConnections', (c) => c.limits.maxIdleConnections],
  ['limits.maxConnections', (c) => c.limits.maxConnections],
  ['limits.maxConnectionsPerAddress', (c) => c.limits.maxConnectionsPerAddress],
  [
    'routes[].auth.profile: whether any is not selfSigned',
    (c) => c.listen.tls !== undefined && asksForCertificate(c),
  ],
];

export function restartProblems(before: Config, after: Config): string[] {
  return AT_START.filter(([, read]) => JSON.stringify(read(before)) !== JSON.stringify(read(after))).map(
    ([where]) => `${where}: must stay as it is while the gateway runs; restart it to change this`,
  );
}
