/**
 * What this process can hold, whatever its config allows: it refuses the connection that is too many, rather
 * than end with all of them.
 */
import { connectionsIn, type Config, type MemoryUse } from './config/index.js';

const MIB = 2 ** 20;

/** What the process was given. */
export interface Machine {
  /** Soft limit of open files; absent: not known, or none. */
  readonly descriptors: number | undefined;
  /** Of the container; absent: none. */
  readonly memoryBytes: number | undefined;
  /** What V8 may grow to in one thread. */
  readonly heapBytes: number;
}

/** The most that the process takes; stays as it is while the process runs. */
export interface Capacity {
  readonly connections: number;
  /** Towards all backends together. */
  readonly backendSockets: number;
  /** What the config allows and the process cannot hold: one sentence each. */
  readonly problems: readonly string[];
}

/** Descriptors for the admin port, files, Redis, key sets and the collector: never a client's. */
const RESERVED_DESCRIPTORS = 128;
/** For the event loop of each worker, and what it watches. */
const WORKER_DESCRIPTORS = 24;
/** Of the heap: V8's young generation and what a thread has before its first connection. */
const THREAD_HEAP_BYTES = 40 * MIB;
/** Of the heap: an event stream takes 17 KiB. */
const CONNECTION_HEAP_BYTES = 20 * 2 ** 10;

interface Bound {
  readonly most: number;
  readonly why: string;
}

export function capacityOf(config: Config, { descriptors, memoryBytes, heapBytes }: Machine): Capacity {
  const { limits, upstream, workers } = config;
  const wantedSockets = (upstream.maxSockets + upstream.maxStreams) * backendsOf(config);
  const reserved = RESERVED_DESCRIPTORS + workers * WORKER_DESCRIPTORS;
  const left = descriptors === undefined ? undefined : Math.max(0, descriptors - reserved);
  const shares = shareDescriptors(left, limits.maxConnections, wantedSockets);
  const heap = Math.max(0, heapBytes - THREAD_HEAP_BYTES) * workers;
  const bounds: Bound[] = [
    { most: shares.connections, why: `of ${descriptors} descriptors (ulimit -n)` },
    {
      most: memoryBytes === undefined ? Infinity : connectionsIn(memoryBytes, useOf(config)),
      why: `in ${Math.round((memoryBytes ?? 0) / MIB)} MiB of memory`,
    },
    {
      most: Math.floor(heap / CONNECTION_HEAP_BYTES),
      why: `in a heap of ${Math.round(heapBytes / MIB)} MiB (--max-old-space-size)`,
    },
  ];
  const tightest = bounds.reduce((a, b) => (b.most < a.most ? b : a));
  const problems = [];
  if (tightest.most < limits.maxConnections)
    problems.push(
      `limits.maxConnections: must be what the process can hold, ${tightest.most} ${tightest.why}, got ` +
        `${limits.maxConnections}; more are refused`,
    );
  if (shares.sockets < wantedSockets)
    problems.push(
      `upstream.maxSockets and maxStreams: must be what the process can hold, ${shares.sockets} for all ` +
        `backends of ${descriptors} descriptors (ulimit -n), got ${wantedSockets}; more requests wait, more ` +
        'streams are refused',
    );
  return {
    connections: Math.max(1, Math.min(tightest.most, limits.maxConnections)),
    backendSockets: Math.max(1, shares.sockets),
    problems,
  };
}

/** The config with bounds that the process can hold. A reload with more backends gives each of them less. */
export function fit(config: Config, { connections, backendSockets }: Capacity): Config {
  const { limits, upstream } = config;
  const perBackend = Math.floor(backendSockets / backendsOf(config));
  const wanted = upstream.maxSockets + upstream.maxStreams;
  // Exchanges and streams give up the same share of what they want.
  const fitted = (most: number) => Math.max(1, Math.floor(most * Math.min(1, perBackend / wanted)));
  return {
    ...config,
    limits: { ...limits, maxConnections: Math.min(limits.maxConnections, connections) },
    upstream: {
      ...upstream,
      maxSockets: fitted(upstream.maxSockets),
      maxStreams: fitted(upstream.maxStreams),
    },
  };
}

/** Each side gets half of what is left, or more where the other wants less. */
function shareDescriptors(left: number | undefined, connections: number, sockets: number) {
  if (left === undefined) return { connections, sockets };
  const half = Math.floor(left / 2);
  const toBackends = Math.min(sockets, Math.max(half, left - connections));
  return { connections: left - toBackends, sockets: toBackends };
}

/** Pools of connections: one for each endpoint. */
const backendsOf = ({ routes }: Config): number =>
  routes.reduce((sum, route) => sum + (route.kind === 'mcp' ? (route.backend.endpoints?.length ?? 1) : 1), 0);

const useOf = ({ workers, replay, listen, limits }: Config): MemoryUse => ({
  workers,
  proofs: replay.store === 'memory' ? replay.maxEntries : 0,
  tls: listen.tls !== undefined,
  maxHeaderBytes: limits.maxHeaderBytes,
});
