/** What a gateway says of itself on its admin port: `/status`, and the page that shows it. */
import { constrainedMemory, memoryUsage, versions } from 'node:process';
import { codeHash, VERSION } from './build.js';
import { sumOfCounts, type RouteCounts } from './request-counts.js';

export interface IssuerStatus {
  readonly name: string;
  readonly issuer: string;
  /** Keys that verify tokens now. */
  readonly keys: number;
  readonly kids: readonly string[];
  /** Since the set was loaded; absent: there is none. */
  readonly ageSeconds?: number;
}

export interface CertificateStatus {
  readonly file: string;
  readonly expiresAt: string;
}

export interface ReplayStatus {
  readonly store: 'memory' | 'redis';
  /** Host and port of Redis. */
  readonly server?: string;
  /** Whether a claim could be answered by the store itself. */
  readonly reachable: boolean;
  /** The beginning of its epoch; absent: it is not known. */
  readonly remembersSince?: string;
  /** Live claims of a memory store. */
  readonly entries?: number;
}

export interface RouteStatus extends RouteCounts {
  readonly name: string;
  readonly kind: string;
  readonly pathPrefix: string;
  readonly profile: string;
  readonly mode: string;
}

/** What one thread that serves knows. */
export interface EdgeStatus {
  readonly waitingFor: readonly string[];
  readonly config: { readonly hash: string; readonly loadedAt: string };
  /** What was read again and is no good: what was read before is in use. */
  readonly notTaken: readonly string[];
  readonly weakenings: readonly string[];
  readonly issuers: readonly IssuerStatus[];
  readonly certificates: readonly CertificateStatus[];
  readonly replay: ReplayStatus;
  readonly routes: readonly RouteStatus[];
  readonly noRoute: RouteCounts;
  readonly openStreams: number;
  readonly heapUsedBytes: number;
}

export interface GatewayStatus extends Omit<EdgeStatus, 'heapUsedBytes'> {
  readonly time: string;
  readonly ready: boolean;
  readonly build: { readonly version: string; readonly code: string; readonly node: string };
  readonly startedAt: string;
  readonly workers: number;
  readonly memory: {
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    readonly limitBytes?: number;
  };
}

/** Every member of the document, in its order, and what it says: docs/reference/status.md. Times are RFC 3339, UTC. */
export const STATUS_FIELDS = {
  time: 'when it was asked',
  ready: 'whether it can serve, as `/readyz` says',
  'waitingFor[]': 'what it waits for before it is ready',
  'build.version': 'release of the package',
  'build.code': 'hash of the code: pods that differ run different code',
  'build.node': 'version of Node',
  startedAt: 'when the process began',
  workers: 'threads that serve; every figure here is of all of them together',
  'memory.rssBytes': 'memory of the process',
  'memory.heapUsedBytes': "memory of JavaScript's objects, within it",
  'memory.limitBytes': "the container's limit; absent: it has none",
  'config.hash': 'hash of the config in use: pods that differ run different configs',
  'config.loadedAt': 'when it was read',
  'notTaken[]':
    'files and key sets that are no good as they are mounted or served now; what was read before is in use',
  'weakenings[]': 'what the config gives up of the protection, as `agw check` says it',
  'replay.store': '`memory` or `redis`',
  'replay.server': 'host and port of Redis',
  'replay.reachable': 'whether the store itself could answer now',
  'replay.remembersSince':
    'the beginning of its epoch: proofs from before it are refused; absent: it is not known',
  'replay.entries': 'proofs that a memory store remembers',
  'issuers[].name': 'what the config calls it',
  'issuers[].issuer': 'the `iss` of its tokens',
  'issuers[].keys': 'keys that verify tokens now; 0: none of its tokens pass',
  'issuers[].kids[]': 'the `kid` of each that has one, its first 100 characters',
  'issuers[].ageSeconds': 'time since the set was loaded; absent: there is none',
  'certificates[].file':
    'of a certificate in use: ours towards clients and towards backends, and the CA bundle of a backend',
  'certificates[].expiresAt': 'when it ends; of a bundle the first to end',
  'routes[].name': 'what the config calls it',
  'routes[].kind': '`mcp` or `secrets`',
  'routes[].pathPrefix': 'where it is',
  'routes[].profile': 'how it authenticates',
  'routes[].mode': '`strict`, or how it is weaker',
  'routes[].answered': 'requests that the backend answered, since the process began',
  'routes[].refused': 'requests that the gateway refused',
  'routes[].refusals[].reason': 'why, as in [errors.md](errors.md); the latest first',
  'routes[].refusals[].count': 'how often',
  'routes[].refusals[].lastAt': 'when last',
  'routes[].wouldRefuse[].reason': 'why a strict route would have refused what this one let through',
  'routes[].wouldRefuse[].count': 'how often',
  'routes[].wouldRefuse[].lastAt': 'when last',
  'noRoute.answered': 'requests that matched no route and need none: metadata and CORS preflights',
  'noRoute.refused': 'requests that were refused before a route was found',
  'noRoute.refusals[].reason': 'as above',
  'noRoute.refusals[].count': 'as above',
  'noRoute.refusals[].lastAt': 'as above',
  openStreams: 'event streams open towards clients',
} as const;

export interface ProcessFacts {
  /** Seconds since the epoch. */
  readonly now: number;
  /** What the main thread of several waits for itself. */
  readonly waitingFor?: readonly string[];
}

/** What all threads know, as the status of one process. */
export function gatewayStatus(
  threads: readonly EdgeStatus[],
  { now, waitingFor: own = [] }: ProcessFacts,
): GatewayStatus {
  const [first] = threads as readonly [EdgeStatus];
  const waitingFor = unique([...threads.flatMap((thread) => thread.waitingFor), ...own]);
  const limitBytes = memoryLimit();
  return {
    time: timeText(now),
    ready: waitingFor.length === 0,
    waitingFor,
    build: { version: VERSION, code: codeHash(), node: versions.node },
    startedAt: timeText(performance.timeOrigin / 1000),
    workers: threads.length,
    memory: {
      rssBytes: memoryUsage.rss(),
      heapUsedBytes: threads.reduce((sum, thread) => sum + thread.heapUsedBytes, 0),
      ...(limitBytes === undefined ? {} : { limitBytes }),
    },
    config: first.config,
    notTaken: unique(threads.flatMap(({ notTaken }) => notTaken)),
    weakenings: first.weakenings,
    replay: replayOf(threads.map(({ replay }) => replay)),
    issuers: first.issuers.map(({ name }) => oldest(threads, name)),
    certificates: first.certificates.map(({ file }) => soonest(threads, file)),
    routes: first.routes.map((route) => ({ ...route, ...sumOfCounts(countsOf(threads, route.name)) })),
    noRoute: sumOfCounts(threads.map(({ noRoute }) => noRoute)),
    openStreams: threads.reduce((sum, thread) => sum + thread.openStreams, 0),
  };
}

const unique = (names: readonly string[]): string[] => [...new Set(names)];

/** @param seconds since the epoch */
export const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** Of the container, in bytes; without one Node says 0, or more than any machine has. */
function memoryLimit(): number | undefined {
  const bytes = constrainedMemory();
  return bytes > 0 && bytes < Number.MAX_SAFE_INTEGER ? bytes : undefined;
}

/** Threads share what a memory store remembers, and each has its own connection to Redis. */
function replayOf(threads: readonly ReplayStatus[]): ReplayStatus {
  const latest = threads.reduce((a, b) => ((b.remembersSince ?? '') > (a.remembersSince ?? '') ? b : a));
  return { ...latest, reachable: threads.every(({ reachable }) => reachable) };
}

/** Each thread loads key sets itself: the one that is furthest behind counts, first of all one that has none. */
function oldest(threads: readonly EdgeStatus[], name: string): IssuerStatus {
  const age = ({ ageSeconds = Infinity }: IssuerStatus) => ageSeconds;
  return threads
    .flatMap(({ issuers }) => issuers.filter((issuer) => issuer.name === name))
    .reduce((a, b) => (age(b) > age(a) ? b : a));
}

function soonest(threads: readonly EdgeStatus[], file: string): CertificateStatus {
  return threads
    .flatMap(({ certificates }) => certificates.filter((certificate) => certificate.file === file))
    .reduce((a, b) => (b.expiresAt < a.expiresAt ? b : a));
}

const countsOf = (threads: readonly EdgeStatus[], name: string): readonly RouteCounts[] =>
  threads.flatMap(({ routes }) => routes.filter((route) => route.name === name));
