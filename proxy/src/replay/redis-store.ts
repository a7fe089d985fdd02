import { readFileSync } from 'node:fs';
import type { ReplayConfig } from '../config/index.js';
import type { ReplayStore, Turn } from './replay-store.js';

export type RedisReplayConfig = Extract<ReplayConfig, { store: 'redis' }>;

export interface RedisStoreOptions {
  readonly onProblem: (problem: string) => void;
}

const MAX_BACKOFF_MS = 2_000;

/**
 * Claims shared by all replicas: `SET key 1 PX ttl NX`, one atomic act. No queue and no retry: while the connection is down the answer is `down` at once, and a
 * claim without an answer in time is `down` too, though Redis may have taken it; that proof is then spent.
 */
export async function createRedisStore(config: RedisReplayConfig, { onProblem }: RedisStoreOptions): Promise<ReplayStore> {
  const { Redis } = await import('ioredis'); // a chunk of its own, mounted only where a gateway uses Redis
  const { hostname, port, protocol, pathname } = new URL(config.url);
  const redis = new Redis({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1) || 0),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: readFileSync(config.password.file, 'utf8').replace(/\r?\n$/, '') }),
    ...(protocol === 'rediss:' ? { tls: config.caFile === undefined ? {} : { ca: readFileSync(config.caFile, 'utf8') } } : {}),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: config.timeoutSeconds * 1000,
    connectTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), MAX_BACKOFF_MS),
  });
  let troubled = false;
  let closing = false;
  const trouble = (what: string) => {
    if (!troubled && !closing) onProblem(`replay store ${config.url}: ${what}; requests are refused until it answers`);
    troubled = true;
  };
  redis.on('error', (cause: Error) => trouble(cause.message));
  redis.on('close', () => trouble('the connection is lost'));
  redis.on('ready', () => { troubled = false; });

  return {
    async claim(key, ttlSeconds): Promise<Turn> {
      if (redis.status !== 'ready') return 'down';
      try {
        const answer = await redis.set(config.keyPrefix + key.toString('base64url'), '1', 'PX', Math.ceil(ttlSeconds * 1000), 'NX');
        return answer === 'OK' ? 'first' : 'seen';
      } catch {
        return 'down';
      }
    },
    ready: () => redis.status === 'ready',
    async close() {
      closing = true;
      redis.disconnect();
    },
  };
}
