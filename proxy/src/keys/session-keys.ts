import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../clock.js';

/** The secrets that the ids of MCP sessions are bound to their callers with. */
export interface SessionKeys {
  /** Makes new ids. */
  current(): Buffer;
  /** Every one whose ids are good: the current one first. */
  accepted(): readonly Buffer[];
}

export interface SharedKey {
  readonly redis: () => Promise<Redis | Cluster>;
  /** Of the key in Redis. */
  readonly name: string;
}

export const newSessionKey = (): Buffer => randomBytes(32);

/** How often Redis is asked whether the key is still the one of all replicas. */
const LOOK_SECONDS = 60;
/** Kept beside the current one: the own key, and those that were shared before. */
const MOST_KEYS = 4;

/**
 * The own key of a process, or the one that all replicas share: whoever comes first writes it to Redis, and all
 * use what stands there. Until Redis has answered, and after it lost the key, each goes on with the one it has:
 * at worst a session is gone, and its client begins another.
 */
export function createSessionKeys(own: Buffer, now: Clock, shared?: SharedKey): SessionKeys {
  let keys: readonly Buffer[] = [own];
  let lookAt = 0;
  const look = async ({ redis, name }: SharedKey) => {
    const client = await redis();
    if (client.status !== 'ready') await once(client, 'ready'); // a command while it connects fails at once
    await client.set(name, keys[0]!.toString('base64url'), 'NX');
    const key = Buffer.from((await client.get(name)) ?? '', 'base64url');
    if (key.length !== own.length || key.equals(keys[0]!)) return;
    keys = [key, ...keys.filter((other) => !other.equals(key))].slice(0, MOST_KEYS);
  };
  const refresh = () => {
    if (shared === undefined || now() < lookAt) return;
    lookAt = now() + LOOK_SECONDS;
    look(shared).catch(() => {
      lookAt = now() + 1; // the replay store says what is wrong with the same Redis
    });
  };
  refresh();
  return {
    current() {
      refresh();
      return keys[0]!;
    },
    accepted() {
      refresh();
      return keys;
    },
  };
}
