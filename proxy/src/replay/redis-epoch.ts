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
export function createEpoch(redis: Redis | Cluster, { prefix, clustered, marginSeconds, now, onProblem }: EpochOptions): Epoch {
  let self: string | undefined;
  /** Of this process: it saw the server change. */
  let notBefore = 0;
  let warned = false;
  const begin = () => Math.floor(now()) + marginSeconds;
  const markerOf = (bucket: string) => `${prefix}${bucket}epoch`;

  const settle = async () => {
    const text = String(await redis.info());
    // A cluster has no one server: its change of members is what is seen, and starts an epoch of this process.
    const runId = clustered ? 'cluster' : /^run_id:(\w+)/m.exec(text)?.[1] ?? 'unknown';
    warn(text);
    if (clustered) {
      if (self !== undefined) notBefore = begin();
      self = runId;
      return;
    }
    const marker = await redis.get(markerOf(''));
    if (marker?.split(' ')[1] !== runId) await redis.set(markerOf(''), `${begin()} ${runId}`);
    self = runId;
  };
  const warn = (info: string) => {
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    const bounded = /^maxmemory:(\d+)/m.exec(info)?.[1];
    if (warned || policy === undefined || policy === 'noeviction' || bounded === '0') return;
    warned = true;
    onProblem(`replay store: maxmemory-policy must be noeviction, got ${policy}: Redis would forget proofs that can still be used; set it on the server`);
  };

  return {
    settle,
    settled: () => self !== undefined,
    forget: () => { if (!clustered) self = undefined; },
    bucketOf: (key) => (clustered ? `{${key[31]! % BUCKETS}}` : ''),
    markerOf,
    async since(bucket, marker) {
      const second = Number(marker?.split(' ')[0]);
      if (marker !== undefined && Number.isFinite(second)) return Math.max(second, notBefore);
      const fresh = begin();
      // The first of all replicas writes it, the others find it at their next claim.
      await redis.set(markerOf(bucket), `${fresh} ${self ?? 'unknown'}`, 'NX');
      onProblem('replay store: Redis has no epoch marker: it is new, or was flushed; proofs made before now are refused');
      return fresh;
    },
  };
}
