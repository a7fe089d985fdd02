import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';

export interface EpochOptions {
  readonly prefix: string;
  readonly clustered: boolean;
  readonly marginSeconds: number;
  readonly now: Clock;
  readonly onProblem: (problem: string) => void;
}

/** Since when Redis remembers everything that it was told. */
export interface Epoch {
  /** Asks the server who it is; until then nothing is claimed. Rejects if it does not answer. */
  settle(): Promise<void>;
  settled(): boolean;
  /** The connection is gone: whoever answers next may be another server. */
  forget(): void;
  bucketOf(key: Buffer): string;
  markerOf(bucket: string): string;
  /** Unix seconds, from the marker that a claim saw; a missing one is written anew: everything was flushed. */
  since(bucket: string, marker: string | undefined): Promise<number>;
}

/** Hash tags that spread a cluster's claims over its masters, each with a marker beside it in the same slot. */
const BUCKETS = 64;

/**
 * RFC 9449 11.1 needs a store that does not forget, and Redis can: by FLUSHALL, by a restart, by a failover to a replica that had not got the last writes. So a
 * marker stands beside the claims: `<second> <run id of the server>`. Where it is missing the store is new; where it names another server than the one that answers, the
 * claims were made elsewhere and some may be lost. Both start a new epoch now, and a proof made before it is refused, once: its client makes a new one.
 */
export function createEpoch(
  redis: Redis | Cluster,
  { prefix, clustered, marginSeconds, now, onProblem }: EpochOptions,
): Epoch {
  let self: string | undefined;
  /** Slot of each bucket, in a cluster. */
  let slots: readonly number[] = [];
  let warned = false;
  const begin = () => Math.floor(now()) + marginSeconds;
  const markerOf = (bucket: string) => `${prefix}${bucket}epoch`;

  const tagOf = (bucket: number) => `{${bucket}}`;
  /** Who answers for a bucket now, in a word that changes with a failover: in a cluster the master of its slot, as the client has just learned it. */
  const ownerOf = (bucket: string): string | undefined =>
    clustered ? (redis as Cluster).slots[slots[Number(bucket.slice(1, -1))]!]?.[0] : self;

  const settle = async () => {
    const text = String(await redis.info());
    warn(text);
    if (clustered) {
      const cluster = redis as Cluster;
      if (slots.length === 0)
        slots = await Promise.all(
          Array.from({ length: BUCKETS }, async (_, i) =>
            Number(await cluster.cluster('KEYSLOT', markerOf(tagOf(i)))),
          ),
        );
      self = 'cluster';
      return;
    }
    const runId = /^run_id:(\w+)/m.exec(text)?.[1] ?? 'unknown';
    const marker = await redis.get(markerOf(''));
    if (marker?.split(' ')[1] !== runId) await redis.set(markerOf(''), `${begin()} ${runId}`);
    self = runId;
  };
  const warn = (info: string) => {
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    const bounded = /^maxmemory:(\d+)/m.exec(info)?.[1];
    if (warned || policy === undefined || policy === 'noeviction' || bounded === '0') return;
    warned = true;
    onProblem(
      `replay store: maxmemory-policy must be noeviction, got ${policy}: Redis would forget proofs that can still be used; set it on the server`,
    );
  };

  return {
    settle,
    settled: () => self !== undefined,
    forget: () => {
      if (!clustered) self = undefined;
    },
    bucketOf: (key) => (clustered ? tagOf(key[31]! % BUCKETS) : ''),
    markerOf,
    async since(bucket, marker) {
      const [written = '', by] = marker?.split(' ') ?? [];
      const owner = ownerOf(bucket) ?? 'unknown';
      if (marker !== undefined && /^\d+$/.test(written) && by === owner) return Number(written);
      const fresh = begin();
      // The first of all replicas writes it where there is none; the others find it at their next claim.
      await (marker === undefined
        ? redis.set(markerOf(bucket), `${fresh} ${owner}`, 'NX')
        : redis.set(markerOf(bucket), `${fresh} ${owner}`));
      if (!clustered)
        onProblem(
          'replay store: Redis has no epoch marker of its own: it is new, or was flushed; proofs made before now are refused',
        );
      return fresh;
    },
  };
}
