/** Whether the Redis that holds the used proofs would forget some, asked as the gateway asks it. */
import { once } from 'node:events';
import type { Clock } from '../../clock.js';
import { connectRedis, type RedisConfig } from '../../redis/connect.js';
import { readServerInfo } from '../../replay/redis-servers.js';
import { CliError } from '../command.js';
import { readText } from '../key-files.js';
import { at, textAt } from '../kube-objects.js';
import { configIn, gatewaysIn, type MountedGateway } from '../mounted-gateway.js';
import { compared } from './clocks.js';
import type { Finding } from './finding.js';

/** Of the command. */
export const REDIS_OPTIONS = {
  redis: { type: 'string' },
  'redis-username': { type: 'string' },
  'redis-password-file': { type: 'string' },
  'redis-cacert': { type: 'string' },
} as const;

type RedisValues = { readonly [Name in keyof typeof REDIS_OPTIONS]?: string | undefined };

const POLICY = { check: 'replay store', want: 'maxmemory-policy noeviction, or no maxmemory' };
const TIMEOUT_SECONDS = 5;

/** As a gateway's config names it; here the URL may be that of a port-forward. */
export function redisOf(values: RedisValues): RedisConfig | undefined {
  const { redis: url, 'redis-username': username } = values;
  const { 'redis-password-file': passwordFile, 'redis-cacert': caFile } = values;
  if (url === undefined) return undefined;
  if (!isRedisUrl(url))
    throw new CliError(
      '--redis',
      'must be a redis:// or rediss:// URL without credentials',
      undefined,
      'name the user in --redis-username and a file with the password in --redis-password-file',
    );
  if (passwordFile !== undefined) readText(passwordFile, 'redis-password-file');
  if (caFile !== undefined) readText(caFile, 'redis-cacert');
  return {
    store: 'redis',
    url,
    username,
    password: passwordFile === undefined ? undefined : { file: passwordFile },
    caFile,
    keyPrefix: '',
    timeoutSeconds: TIMEOUT_SECONDS,
    topology: { kind: 'single' },
    onStoreFailure: 'deny',
    epochMarginSeconds: 0,
  };
}

function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^rediss?:$/.test(protocol) && username === '' && password === '';
}

/** Without a Redis to ask, a line for each that the manifests use. */
export async function checkRedis(
  objects: readonly unknown[],
  config: RedisConfig | undefined,
  now: Clock,
): Promise<readonly Finding[]> {
  if (config !== undefined) return askRedis(config, now);
  const urls = gatewaysIn(objects).flatMap(redisUrlOf);
  return [...new Set(urls)].map((of) => ({
    ...POLICY,
    of,
    result: 'unknown',
    got: 'not asked',
    next: 'kubectl port-forward to it, then --redis redis://127.0.0.1:PORT [--redis-password-file FILE]',
  }));
}

function redisUrlOf(gateway: MountedGateway): readonly string[] {
  const replay = at(configIn(gateway), 'replay');
  if (at(replay, 'store') !== 'redis') return [];
  const url = textAt(replay, 'url');
  return url === undefined ? [] : [url];
}

async function askRedis(config: RedisConfig, now: Clock): Promise<readonly Finding[]> {
  const of = config.url;
  const began = now();
  try {
    const { mayForget, timeSeconds } = readServerInfo(await infoOf(config));
    const clock = timeSeconds === undefined ? [] : [compared(of, timeSeconds, { from: began, to: now() })];
    return [
      mayForget === undefined
        ? { ...POLICY, of, result: 'ok', got: 'it forgets no proof' }
        : { ...POLICY, of, result: 'fault', got: mayForget, next: 'CONFIG SET maxmemory-policy noeviction' },
      ...clock,
    ];
  } catch (cause) {
    const next = 'its address, port, password and CA are --redis, --redis-password-file and --redis-cacert';
    return [{ ...POLICY, of, result: 'fault', got: (cause as Error).message, next }];
  }
}

/** @returns the text of INFO. Rejects with the first error of the connection. */
async function infoOf(config: RedisConfig): Promise<string> {
  const redis = await connectRedis(config, () => {});
  const timeout = AbortSignal.timeout(TIMEOUT_SECONDS * 1000);
  try {
    await once(redis, 'ready', { signal: timeout });
    return await redis.info();
  } catch (cause) {
    throw timeout.aborted ? new Error(`no answer in ${TIMEOUT_SECONDS} s`) : cause;
  } finally {
    redis.disconnect();
  }
}
