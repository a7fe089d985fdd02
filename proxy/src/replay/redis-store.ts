import { readFileSync } from 'node:fs';
import type { ReplayConfig } from '../config/index.js';
import type { ReplayStore, Turn } from './replay-store.js';

export type RedisReplayConfig = Extract<ReplayConfig, { store: 'redis' }>;

export interface RedisStoreOptions {
  /** Once for each spell of trouble. */
  readonly onProblem: (problem: string) => void;
}

const MAX_BACKOFF_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection on which nothing has come back for so many command timeouts is dead, whatever TCP believes: a partition sends no reset. */
const SILENT_TIMEOUTS = 4;

/**
 * Claims shared by all replicas: `SET key 1 PX ttl NX`, one atomic act. No queue and no retry: while the connection is down the answer is `down` at once, and a
 * claim without an answer in time is `down` too, though Redis may have taken it; that proof is then spent. Rejects only for files that cannot be read.
 * Does NOT check that Redis keeps what it took: `maxmemory-policy` must be `noeviction`, and a failover may forget the last claims.
 */
export async function createRedisStore(config: RedisReplayConfig, { onProblem }: RedisStoreOptions): Promise<ReplayStore> {
  const { Redis } = await import('ioredis'); // a chunk of its own, mounted only where a gateway uses Redis
  const { hostname, port, protocol, pathname } = new URL(config.url);
  const readPassword = () => (config.password === undefined ? {} : { password: readFileSync(config.password.file, 'utf8').replace(/\r?\n$/, '') });
  let troubled = false;
  const report = (cause: unknown) => {
    if (!troubled) onProblem(`replay store ${config.url}: ${(cause as Error).message}; requests are refused until it answers`);
    troubled = true;
  };

  const redis = new Redis({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1) || 0),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...readPassword(),
    ...(protocol === 'rediss:' ? { tls: config.caFile === undefined ? {} : { ca: readFileSync(config.caFile, 'utf8') } } : {}),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: config.timeoutSeconds * 1000,
    socketTimeout: config.timeoutSeconds * 1000 * SILENT_TIMEOUTS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // After a failover the old primary still answers, and refuses to write: look the name up again.
    reconnectOnError: (cause) => cause.message.startsWith('READONLY'),
    retryStrategy: (attempt) => {
      try {
        Object.assign(redis.options, readPassword()); // rotated, maybe: that is why we were thrown out
      } catch (cause) {
        report(cause);
      }
      return Math.min(50 * 2 ** Math.min(attempt, 6), MAX_BACKOFF_MS);
    },
  });
  redis.on('error', report);
  redis.on('ready', () => { troubled = false; });

  return {
    async claim(key, ttlSeconds): Promise<Turn> {
      if (redis.status !== 'ready') return 'down';
      try {
        const answer = await redis.set(config.keyPrefix + key.toString('base64url'), '1', 'PX', Math.ceil(ttlSeconds * 1000), 'NX');
        return answer === 'OK' ? 'first' : 'seen';
      } catch (cause) {
        report(cause);
        return 'down';
      }
    },
    ready: () => redis.status === 'ready',
    async close() { redis.disconnect(); },
  };
}
