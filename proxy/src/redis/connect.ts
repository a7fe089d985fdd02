import { readFileSync } from 'node:fs';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import type { ReplayConfig } from '../config/index.js';
import { nameNodes, namingConnector, withServerName } from './server-names.js';

export type RedisConfig = Extract<ReplayConfig, { store: 'redis' }>;

const MAX_BACKOFF_MS = 2_000;
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * A connection on which nothing has come back for so many command timeouts is dead, whatever TCP believes: a
 * partition sends no reset.
 */
const SILENT_TIMEOUTS = 4;
/**
 * How often a cluster is asked which master has which slots: a failover is seen though no command is sent to
 * the old one.
 */
const SLOTS_REFRESH_MS = 1_000;

const secretOf = (ref: { readonly file: string } | undefined) =>
  ref === undefined ? undefined : readFileSync(ref.file, 'utf8').replace(/\r?\n$/, '');
const address = (text: string) => {
  const { hostname, port } = new URL(`redis://${text}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 6379 : Number(port) };
};

/**
 * A connection that never queues and never repeats a command: while it is down, asking fails at once. It comes
 * back by itself, with the password as the file then has it. Rejects only for files that cannot be read.
 */
export async function connectRedis(
  config: RedisConfig,
  report: (cause: unknown) => void,
): Promise<Redis | Cluster> {
  // a chunk of its own, mounted only where a gateway uses Redis
  const { Redis: Single, Cluster: Clustered, SentinelConnector } = await import('ioredis');
  const { topology } = config;
  const [first, options] = [address(new URL(config.url).host), connectionOptions(config)];
  if (topology.kind === 'cluster') {
    const cluster = new Clustered([first, ...topology.nodes.map(address)], clusterOptions(config, options));
    nameNodes(cluster);
    return cluster.on('error', report);
  }
  const redis: Redis = new Single({
    ...options,
    ...(topology.kind === 'single'
      ? { ...first, ...(options.tls && { tls: withServerName(options.tls, first.host) }) }
      : { ...sentinelOptions(config, first, topology), Connector: namingConnector(SentinelConnector) }),
    retryStrategy: (attempt) => {
      try {
        Object.assign(redis.options, passwordOf(config)); // rotated, maybe: that is why we were thrown out
      } catch (cause) {
        report(cause);
      }
      return backoff(attempt);
    },
  });
  return redis.on('error', report);
}

type Topology = RedisConfig['topology'];

const backoff = (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), MAX_BACKOFF_MS);

const isOverTls = ({ url }: RedisConfig) => new URL(url).protocol === 'rediss:';

function passwordOf({ password }: RedisConfig): { readonly password?: string } {
  const secret = secretOf(password);
  return secret === undefined ? {} : { password: secret };
}

const tlsOf = ({ caFile }: RedisConfig) => (caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') });

/** Of every connection to a server, whatever the topology. */
function connectionOptions(config: RedisConfig) {
  return {
    db: Number(new URL(config.url).pathname.slice(1) || 0),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...passwordOf(config),
    ...(isOverTls(config) ? { tls: tlsOf(config) } : {}),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: config.timeoutSeconds * 1000,
    socketTimeout: config.timeoutSeconds * 1000 * SILENT_TIMEOUTS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // After a failover the old primary still answers, and refuses to write: look the name up again.
    reconnectOnError: (cause: Error) => cause.message.startsWith('READONLY'),
  } satisfies RedisOptions;
}

const clusterOptions = (config: RedisConfig, redisOptions: ReturnType<typeof connectionOptions>) => ({
  redisOptions,
  enableOfflineQueue: false,
  clusterRetryStrategy: backoff,
  slotsRefreshTimeout: 1_000,
  slotsRefreshInterval: SLOTS_REFRESH_MS,
  scaleReads: 'master' as const,
  // Certificates have names: a name is not looked up before it is connected to.
  ...(isOverTls(config)
    ? { dnsLookup: (name: string, found: (cause: null, ip: string) => void) => found(null, name) }
    : {}),
});

function sentinelOptions(
  config: RedisConfig,
  first: { readonly host: string; readonly port: number },
  { master, sentinels, password }: Extract<Topology, { kind: 'sentinel' }>,
) {
  const secret = secretOf(password);
  return {
    sentinels: [first, ...sentinels.map(address)],
    name: master,
    ...(secret === undefined ? {} : { sentinelPassword: secret }),
    ...(isOverTls(config) ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOf(config) } : {}),
    sentinelRetryStrategy: backoff,
  } satisfies RedisOptions;
}
