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

/** The servers behind a connection: who they are, and whether they can be claimed from. */
export class RedisServers {
  readonly #redis: Redis | Cluster;
  readonly #options: ServersOptions;
  /** By host:port in a cluster, else by nothing. */
  readonly #seen = new Map<string, Seen>();
  /** Nodes of a cluster that are forgotten when their connection closes. */
  readonly #followed = new WeakSet<Redis>();
  /** What there is a problem with that was reported. */
  readonly #reported = new Set<string>();

  constructor(redis: Redis | Cluster, options: ServersOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  /** Asks all of them who they are. Rejects if none answers. */
  async look(): Promise<void> {
    const nodes = this.#options.clustered ? (this.#redis as Cluster).nodes('master') : [this.#redis as Redis];
    const looked = await Promise.allSettled(nodes.map((node) => this.#lookAt(node)));
    const failed = looked.find((each) => each.status === 'rejected');
    if (failed !== undefined && !looked.some((each) => each.status === 'fulfilled')) throw failed.reason;
  }

  /** @param slot in a cluster: the server that has it; absent: one is unknown, silent, or may throw out claims */
  ofSlot(slot: number): Server | undefined {
    const address = this.#options.clustered ? (this.#redis as Cluster).slots[slot]?.[0] : '';
    return address === undefined ? undefined : this.#knownAt(address)?.server;
  }

  /** Some server can be claimed from. */
  any(): boolean {
    return [...this.#seen.keys()].some((address) => this.#knownAt(address) !== undefined);
  }

  forget(): void {
    this.#seen.clear();
  }

  async #lookAt(node: Redis): Promise<void> {
    const { clustered, now, onDoubt } = this.#options;
    const { host, port } = node.options;
    const address = clustered ? `${host}:${port}` : '';
    if (clustered) this.#follow(node, address);
    const info = readServerInfo(String(await node.info()));
    const atMs = performance.now();
    const timeSeconds = info.timeSeconds ?? now();
    const before = this.#seen.get(address);
    const offsetSeconds = timeSeconds - atMs / 1000;
    this.#seen.set(address, { info, server: serverOf(info, offsetSeconds), offsetSeconds, atMs });
    this.#report(`policy ${address}`, policyProblem(info));
    this.#report(`clock ${address}`, clockProblem(timeSeconds - now()));
    const setBack = before !== undefined && offsetSeconds < before.offsetSeconds - STEP_SECONDS;
    const forgetsNoMore = before?.info.mayForget !== undefined && info.mayForget === undefined;
    if (setBack || forgetsNoMore) onDoubt();
  }

  #follow(node: Redis, address: string): void {
    if (this.#followed.has(node)) return;
    this.#followed.add(node);
    node.on('close', () => this.#seen.delete(address));
  }

  /** Reports a problem when it begins, and again only after it was gone. */
  #report(about: string, problem: string | undefined): void {
    if (problem === undefined) {
      this.#reported.delete(about);
      return;
    }
    if (!this.#reported.has(about)) this.#options.onProblem(problem);
    this.#reported.add(about);
  }

  #knownAt(address: string): Seen | undefined {
    const known = this.#seen.get(address);
    return known === undefined ||
      known.info.mayForget !== undefined ||
      performance.now() - known.atMs > SILENT_MS
      ? undefined
      : known;
  }
}

const policyProblem = ({ mayForget }: ServerInfo): string | undefined =>
  mayForget &&
  `replay store: maxmemory-policy must be noeviction, got ${mayForget}: Redis would forget proofs that can still be ` +
    'used, so requests are refused; set it on the server';

/** @param ahead seconds */
const clockProblem = (ahead: number): string | undefined =>
  Math.abs(ahead) > CLOCKS_SECONDS
    ? `replay store: the clock of Redis is ${Math.round(ahead)} s ahead of the gateway's: proofs are good for a ` +
      'shorter time, or held for a longer one; set the clocks'
    : undefined;
