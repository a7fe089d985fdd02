import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';

/** What a server says of itself in INFO, as far as it matters to somebody who must not be forgotten. */
export interface ServerInfo {
  /** Changes with every start of the server; absent where it does not say, as some that speak the protocol do not. */
  readonly runId: string | undefined;
  /** Keys that were thrown out to make room, since it started. */
  readonly evictedKeys: number;
  /** Why it may throw out a claim that is needed. */
  readonly mayForget: string | undefined;
  /** Its clock, by which keys expire: seconds since the epoch; absent where it does not say. */
  readonly timeSeconds: number | undefined;
}

export function readServerInfo(text: string): ServerInfo {
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1];
  const policy = field('maxmemory_policy');
  const micros = field('server_time_usec');
  return {
    runId: field('run_id'),
    evictedKeys: Number(field('evicted_keys') ?? 0),
    mayForget: field('maxmemory') === '0' || policy === 'noeviction' ? undefined : `${policy ?? 'nothing'}`,
    timeSeconds: micros === undefined ? undefined : Number(micros) / 1e6,
  };
}

/** A server that answers for claims. */
export interface Server {
  /** A word for this start of it. */
  readonly name: string;
  /** It says who it is: after a reconnect it can be told from another. */
  readonly named: boolean;
  readonly evictedKeys: number;
  /** Its clock, in seconds since the epoch. */
  now(): number;
}

export interface ServersOptions {
  readonly clustered: boolean;
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
  /** What it had been told may be gone though it is the same server: its clock went back, or it forgets no more. */
  readonly onDoubt: () => void;
}

export interface Servers {
  /** Asks all of them who they are. Rejects if none answers. */
  look(): Promise<void>;
  /** @param slot in a cluster: the server that has it; absent: one is unknown, silent, or may throw out claims */
  of(slot: number): Server | undefined;
  /** Some server can be claimed from. */
  any(): boolean;
  forget(): void;
}

/** A server that has not said for so long how it is may be another. */
const SILENT_MS = 5_000;
/** A clock that is set back by less does not matter: claims are held for longer than needed. */
const STEP_SECONDS = 2;
/** Clocks that differ by more make claims end too early or too late. */
const CLOCKS_SECONDS = 30;
const UNNAMED = 'unnamed';

interface Seen {
  readonly info: ServerInfo;
  readonly server: Server;
  /** Its clock less the monotonic one of this process. */
  readonly offsetSeconds: number;
  readonly atMs: number;
}

const serverOf = ({ runId, evictedKeys }: ServerInfo, offsetSeconds: number): Server => ({
  name: runId ?? UNNAMED,
  named: runId !== undefined,
  evictedKeys,
  now: () => performance.now() / 1000 + offsetSeconds,
});

// eslint-disable-next-line max-lines-per-function -- one closure; to be cut into named steps
export function createServers(
  redis: Redis | Cluster,
  { clustered, now, onProblem, onDoubt }: ServersOptions,
): Servers {
  /** By host:port in a cluster, else by nothing. */
  const seen = new Map<string, Seen>();
  const followed = new WeakSet<Redis>();
  const told = new Set<string>();
  const tell = (about: string, problem: string | undefined) => {
    if (problem === undefined) return void told.delete(about);
    if (!told.has(about)) onProblem(problem);
    told.add(about);
  };
  const addressOf = ({ options: { host, port } }: Redis) => (clustered ? `${host}:${port}` : '');

  const lookAt = async (node: Redis) => {
    const address = addressOf(node);
    if (clustered && !followed.has(node)) {
      followed.add(node);
      node.on('close', () => seen.delete(address));
    }
    const info = readServerInfo(String(await node.info()));
    const atMs = performance.now();
    const timeSeconds = info.timeSeconds ?? now();
    const before = seen.get(address);
    const offsetSeconds = timeSeconds - atMs / 1000;
    seen.set(address, { info, server: serverOf(info, offsetSeconds), offsetSeconds, atMs });
    tell(
      `policy ${address}`,
      info.mayForget &&
        `replay store: maxmemory-policy must be noeviction, got ${info.mayForget}: Redis would forget proofs that can still be used, so requests are refused; set it on the server`,
    );
    const ahead = timeSeconds - now();
    tell(
      `clock ${address}`,
      Math.abs(ahead) > CLOCKS_SECONDS
        ? `replay store: the clock of Redis is ${Math.round(ahead)} s ahead of the gateway's: proofs are good for a shorter time, or held for a longer one; set the clocks`
        : undefined,
    );
    const setBack = before !== undefined && offsetSeconds < before.offsetSeconds - STEP_SECONDS;
    const forgetsNoMore = before?.info.mayForget !== undefined && info.mayForget === undefined;
    if (setBack || forgetsNoMore) onDoubt();
  };
  const knownAt = (address: string): Seen | undefined => {
    const known = seen.get(address);
    return known === undefined ||
      known.info.mayForget !== undefined ||
      performance.now() - known.atMs > SILENT_MS
      ? undefined
      : known;
  };

  return {
    async look() {
      const nodes = clustered ? (redis as Cluster).nodes('master') : [redis as Redis];
      const looked = await Promise.allSettled(nodes.map(lookAt));
      const failed = looked.find((each) => each.status === 'rejected');
      if (failed !== undefined && !looked.some((each) => each.status === 'fulfilled')) throw failed.reason;
    },
    of(slot) {
      const address = clustered ? (redis as Cluster).slots[slot]?.[0] : '';
      return address === undefined ? undefined : knownAt(address)?.server;
    },
    any: () => [...seen.keys()].some((address) => knownAt(address) !== undefined),
    forget: () => seen.clear(),
  };
}
