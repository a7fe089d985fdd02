import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';
import type { Server, Servers } from './redis-servers.js';
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
  readonly servers: Servers;
  readonly windowSeconds: number;
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
}

/** Since when Redis remembers everything that it was told. */
export interface Epochs {
  /** Learns where the buckets are, and of a single server its epoch; until then nothing is claimed. */
  settle(): Promise<void>;
  settled(): boolean;
  /** The connection is gone: whoever answers next may be another server. */
  forget(): void;
  bucketOf(key: Buffer): string;
  markerOf(bucket: string): string;
  serverOf(bucket: string): Server | undefined;
  /** As it was last seen. */
  known(bucket: string): Epoch | undefined;
  /**
   * What a marker that a claim saw means; where it is missing or stands for what is gone, a new one. `undefined`: the
   * server is not known.
   */
  of(bucket: string, marker: string | undefined): Promise<Epoch | undefined>;
  /** Begins anew in every bucket that is known. */
  renew(): Promise<void>;
  cover(windowSeconds: number): void;
  readonly windowSeconds: number;
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
 * replica that had not got the last writes, by throwing out keys. So a
 * marker stands beside the claims, which says for which start of which server they are. Where it is missing or does
 * not fit any more a new epoch begins: a proof that may be
 * older is refused, once: its client makes a new one.
 */
// eslint-disable-next-line max-lines-per-function -- one closure; to be cut into named steps
export function createEpochs(
  redis: Redis | Cluster,
  { prefix, clustered, servers, windowSeconds: first, now, onProblem }: EpochsOptions,
): Epochs {
  const epochs = new Map<string, Epoch>();
  /** Buckets whose marker is being looked into: claims that come together ask once. */
  const pending = new Map<string, Promise<Epoch | undefined>>();
  /** Slot of each bucket, in a cluster. */
  let slots: readonly number[] = [];
  let settled = false;
  let windowSeconds = Math.ceil(first);
  const markerOf = (bucket: string) => `${prefix}${bucket}epoch`;
  const tagOf = (bucket: number) => `{${bucket}}`;
  const serverOf = (bucket: string) => servers.of(clustered ? slots[Number(bucket.slice(1, -1))]! : 0);

  /**
   * A server without a name may be another one after each reconnect, so its marker counts only where this process has
   * seen it in this connection.
   */
  const fits = (epoch: Epoch | undefined, server: Server, bucket: string): epoch is Epoch =>
    epoch !== undefined &&
    epoch.server === server.name &&
    epoch.evictedKeys === server.evictedKeys &&
    epoch.windowSeconds >= windowSeconds &&
    (server.named || epochs.has(bucket));

  const begin = async (bucket: string, stands: Epoch | undefined, text: string, server: Server) => {
    const since = Math.max(secondAfter(now()), stands?.since ?? 0);
    const longest = Math.max(windowSeconds, stands?.windowSeconds ?? 0);
    const fresh = `${since} ${server.name} ${server.evictedKeys} ${longest} ${randomUUID()}`;
    const written = readMarker(String(await redis.eval(REPLACE, 1, markerOf(bucket), text, fresh)));
    if (!clustered && written?.text === fresh && epochs.has(bucket))
      onProblem(
        'replay store: Redis may have forgotten proofs: it was flushed, replaced, threw out keys, or its clock was set back; proofs made before now are refused',
      );
    return written;
  };
  // eslint-disable-next-line complexity -- each case of what a marker can say stands here once, in its order
  const lookInto = async (bucket: string, marker: string | undefined): Promise<Epoch | undefined> => {
    let server = serverOf(bucket);
    if (server === undefined) return undefined;
    let epoch = marker === undefined ? undefined : readMarker(marker);
    let text = marker ?? '';
    if (!fits(epoch, server, bucket)) {
      // What this process knows of the server may be a second old: another replica may know better.
      await servers.look();
      server = serverOf(bucket);
      if (server === undefined) return undefined;
    }
    for (let attempt = 0; attempt < ATTEMPTS && !fits(epoch, server, bucket); attempt++) {
      epoch = await begin(bucket, epoch, text, server);
      text = epoch?.text ?? '';
      if (epoch?.server === server.name) epochs.set(bucket, epoch);
    }
    if (!fits(epoch, server, bucket)) return undefined;
    epochs.set(bucket, epoch);
    return epoch;
  };
  const of: Epochs['of'] = async (bucket, marker) => {
    const known = epochs.get(bucket);
    const server = serverOf(bucket);
    if (known?.text === marker && server !== undefined && fits(known, server, bucket)) return known;
    const others = pending.get(bucket);
    if (others !== undefined) return others;
    const found = lookInto(bucket, marker).finally(() => pending.delete(bucket));
    pending.set(bucket, found);
    return found;
  };

  return {
    async settle() {
      await servers.look();
      if (clustered && slots.length === 0)
        slots = await Promise.all(
          Array.from({ length: BUCKETS }, async (_, i) =>
            Number(await (redis as Cluster).cluster('KEYSLOT', markerOf(tagOf(i)))),
          ),
        );
      if (!clustered) await of('', (await redis.get(markerOf(''))) ?? undefined);
      settled = true;
    },
    settled: () => settled,
    forget() {
      if (clustered) return;
      settled = false;
      epochs.clear();
      servers.forget();
    },
    bucketOf: (key) => (clustered ? tagOf(key[31]! % BUCKETS) : ''),
    markerOf,
    serverOf,
    known: (bucket) => epochs.get(bucket),
    of,
    async renew() {
      for (const [bucket, epoch] of epochs) {
        const server = serverOf(bucket);
        if (server === undefined) continue;
        const written = await begin(bucket, epoch, epoch.text, server);
        if (fits(written, server, bucket)) epochs.set(bucket, written);
      }
    },
    cover(seconds) {
      windowSeconds = Math.max(windowSeconds, Math.ceil(seconds));
    },
    get windowSeconds() {
      return windowSeconds;
    },
  };
}
