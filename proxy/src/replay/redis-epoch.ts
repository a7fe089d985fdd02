import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import type { RedisServers, Server } from './redis-servers.js';
import { secondAfter } from './replay-store.js';

/** What the marker of a bucket says: since when everything is remembered that was claimed in it. */
export interface Epoch {
  /** The marker's text. */
  readonly text: string;
  /** Whole seconds since the epoch. */
  readonly since: number;
  readonly server: string;
  /** What the server had thrown out until then. */
  readonly evictedKeys: number;
  /** Claims are held until so long after their proof was made. */
  readonly windowSeconds: number;
  readonly nonce: string;
}

export interface EpochsOptions {
  readonly prefix: string;
  readonly clustered: boolean;
  readonly servers: RedisServers;
  readonly windowSeconds: number;
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
}

/** Hash tags that spread a cluster's claims over its masters, each with a marker beside it in the same slot. */
export const BUCKETS = 64;
const ATTEMPTS = 3;

/**
 * Writes a marker where the one that its writer saw still stands, and says which one stands then: of several replicas
 * one begins an epoch, and none moves one back.
 */
const REPLACE = `
local stands = redis.call('GET', KEYS[1]) or ''
if stands ~= ARGV[1] then return stands end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
`;

function readMarker(text: string): Epoch | undefined {
  const match = /^(\d+) (\S+) (\d+) (\d+) (\S+)$/.exec(text);
  if (match === null) return undefined;
  const [, since, server, evictedKeys, windowSeconds, nonce] = match;
  return {
    text,
    since: Number(since),
    server: server!,
    evictedKeys: Number(evictedKeys),
    windowSeconds: Number(windowSeconds),
    nonce: nonce!,
  };
}

/**
 * RFC 9449 11.1 needs a store that does not forget, and Redis can: by FLUSHALL, by a restart, by a failover to a
 * replica that had not got the last writes, by throwing out keys. So a marker stands beside the claims, which says for
 * which start of which server they are. Where it is missing or does not fit any more a new epoch begins: a proof that
 * may be older is refused, once: its client makes a new one.
 */
export class RedisEpochs {
  readonly #redis: Redis | Cluster;
  readonly #options: EpochsOptions;
  readonly #epochs = new Map<string, Epoch>();
  /** Buckets whose marker is being looked into: claims that come together ask once. */
  readonly #pending = new Map<string, Promise<Epoch | undefined>>();
  /** Slot of each bucket, in a cluster. */
  #slots: readonly number[] = [];
  #isSettled = false;
  #windowSeconds: number;

  constructor(redis: Redis | Cluster, options: EpochsOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#windowSeconds = Math.ceil(options.windowSeconds);
  }

  /** Learns where the buckets are, and of a single server its epoch; until then nothing is claimed. */
  async settle(): Promise<void> {
    const { servers, clustered } = this.#options;
    await servers.look();
    if (!clustered) await this.current('', (await this.#redis.get(this.markerOf(''))) ?? undefined);
    else if (this.#slots.length === 0) this.#slots = await this.#findSlots(this.#redis as Cluster);
    this.#isSettled = true;
  }

  isSettled(): boolean {
    return this.#isSettled;
  }

  /** The connection is gone: whoever answers next may be another server. */
  forget(): void {
    const { servers, clustered } = this.#options;
    if (clustered) return;
    this.#isSettled = false;
    this.#epochs.clear();
    servers.forget();
  }

  bucketOf(key: Buffer): string {
    return this.#options.clustered ? tagOf(key[31]! % BUCKETS) : '';
  }

  markerOf(bucket: string): string {
    return `${this.#options.prefix}${bucket}epoch`;
  }

  serverOf(bucket: string): Server | undefined {
    const { servers, clustered } = this.#options;
    return servers.ofSlot(clustered ? this.#slots[Number(bucket.slice(1, -1))]! : 0);
  }

  /** When the epoch of the last bucket began, in seconds since the epoch; `undefined`: none is known. */
  get since(): number | undefined {
    const all = [...this.#epochs.values()];
    return all.length === 0 ? undefined : Math.max(...all.map(({ since }) => since));
  }

  /** As it was last seen. */
  known(bucket: string): Epoch | undefined {
    return this.#epochs.get(bucket);
  }

  /**
   * What a marker that a claim saw means; where it is missing or stands for what is gone, a new one. `undefined`: the
   * server is not known.
   */
  async current(bucket: string, marker: string | undefined): Promise<Epoch | undefined> {
    const known = this.#epochs.get(bucket);
    const server = this.serverOf(bucket);
    if (known?.text === marker && server !== undefined && this.#fits(known, server, bucket)) return known;
    const others = this.#pending.get(bucket);
    if (others !== undefined) return others;
    const found = this.#lookInto(bucket, marker).finally(() => this.#pending.delete(bucket));
    this.#pending.set(bucket, found);
    return found;
  }

  /** Begins anew in every bucket that is known. */
  async renew(): Promise<void> {
    for (const [bucket, epoch] of this.#epochs) {
      const server = this.serverOf(bucket);
      if (server === undefined) continue;
      const written = await this.#begin(bucket, epoch, epoch.text, server);
      if (this.#fits(written, server, bucket)) this.#epochs.set(bucket, written);
    }
  }

  cover(seconds: number): void {
    this.#windowSeconds = Math.max(this.#windowSeconds, Math.ceil(seconds));
  }

  get windowSeconds(): number {
    return this.#windowSeconds;
  }

  #findSlots(cluster: Cluster): Promise<number[]> {
    return Promise.all(
      Array.from({ length: BUCKETS }, async (_, i) =>
        Number(await cluster.cluster('KEYSLOT', this.markerOf(tagOf(i)))),
      ),
    );
  }

  /**
   * A server without a name may be another one after each reconnect, so its marker counts only where this process has
   * seen it in this connection.
   */
  #fits(epoch: Epoch | undefined, server: Server, bucket: string): epoch is Epoch {
    return (
      epoch !== undefined &&
      epoch.server === server.name &&
      epoch.evictedKeys === server.evictedKeys &&
      epoch.windowSeconds >= this.#windowSeconds &&
      (server.named || this.#epochs.has(bucket))
    );
  }

  /** What the bucket's marker says now: that of a claim, or one that this or another replica has written since. */
  async #lookInto(bucket: string, marker: string | undefined): Promise<Epoch | undefined> {
    const epoch = marker === undefined ? undefined : readMarker(marker);
    const server = await this.#serverFor(epoch, bucket);
    if (server === undefined) return undefined;
    const fitting = this.#fits(epoch, server, bucket)
      ? epoch
      : await this.#beginUntilFit(bucket, epoch, marker ?? '', server);
    if (fitting !== undefined) this.#epochs.set(bucket, fitting);
    return fitting;
  }

  /** What this process knows of the server may be a second old: the replica that wrote the epoch may know better. */
  async #serverFor(epoch: Epoch | undefined, bucket: string): Promise<Server | undefined> {
    const server = this.serverOf(bucket);
    if (server === undefined || this.#fits(epoch, server, bucket)) return server;
    await this.#options.servers.look();
    return this.serverOf(bucket);
  }

  /** Begins an epoch; where another replica did so meanwhile and theirs does not fit either, on top of theirs. */
  async #beginUntilFit(
    bucket: string,
    stands: Epoch | undefined,
    text: string,
    server: Server,
  ): Promise<Epoch | undefined> {
    let epoch = stands;
    let marker = text;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      epoch = await this.#begin(bucket, epoch, marker, server);
      marker = epoch?.text ?? '';
      if (epoch?.server === server.name) this.#epochs.set(bucket, epoch);
      if (this.#fits(epoch, server, bucket)) return epoch;
    }
    return undefined;
  }

  /** @returns what the marker says then, whoever wrote it */
  async #begin(
    bucket: string,
    stands: Epoch | undefined,
    text: string,
    server: Server,
  ): Promise<Epoch | undefined> {
    const { clustered, now, onProblem } = this.#options;
    const since = Math.max(secondAfter(now()), stands?.since ?? 0);
    const longest = Math.max(this.#windowSeconds, stands?.windowSeconds ?? 0);
    const fresh = `${since} ${server.name} ${server.evictedKeys} ${longest} ${randomUUID()}`;
    const written = readMarker(
      String(await this.#redis.eval(REPLACE, 1, this.markerOf(bucket), text, fresh)),
    );
    if (!clustered && written?.text === fresh && this.#epochs.has(bucket)) onProblem(MAY_HAVE_FORGOTTEN);
    return written;
  }
}

const MAY_HAVE_FORGOTTEN =
  'replay store: Redis may have forgotten proofs: it was flushed, replaced, threw out keys, or its clock ' +
  'was set back; ' +
  'proofs made before now are refused';

const tagOf = (bucket: number) => `{${bucket}}`;
