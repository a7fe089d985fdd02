import { isIP } from 'node:net';
import { Duration } from 'cdk8s';
import { checkFields } from '../support/fields';
import {
  DURATION,
  FLAG,
  instanceOf,
  listOf,
  NUMBER,
  oneOf,
  optional,
  Shape,
  struct,
  TEXT,
} from '../support/kinds';
import { PORT } from '../support/ports-and-paths';
import { checkPort, refuse } from '../support/text';
import { CaBundle } from './ca-bundle';
import { MEMORY_STORE, REDIS_CLUSTER, REDIS_SENTINEL, REDIS_STORE } from './config-fields';
import { Peer } from './peer';
import { SecretSource } from './secret-source';
import { StoreFailure } from './store-failure';
import { besideGateway, checkValkey, ValkeyStoreOptions } from './valkey';

/** Options of the store in the proxy's own memory. */
export interface MemoryStoreOptions {
  /**
   * Live proofs held at once, 1000 to 50 000 000; when full, new proofs are refused and none is forgotten early.
   *
   * @default 1000000
   */
  readonly maxEntries?: number;

  /**
   * After the store lost what it remembered (a restart, a flush, a failover), proofs made before that moment
   * are refused, and those made less than this after it: how far ahead a client's clock may have been. The
   * refusal carries a nonce with which the next proof passes at once; a client that follows no nonces, and a
   * self-signed token, is refused for so long. At most 60 seconds. Less than the clock skew WEAKENS the
   * gateway: a proof of a client whose clock was ahead can be used once more after a loss.
   *
   * @default - the route's clock skew
   */
  readonly epochMargin?: Duration;
}

/** Options of a Redis or Valkey store. */
export interface RedisStoreOptions {
  /** Host name or IPv4 address. */
  readonly host: string;

  /** Pods or addresses of the server; the NetworkPolicy lets the gateway reach no other for this. */
  readonly peer: Peer;

  /**
   * Port of the server.
   *
   * @default 6379
   */
  readonly port?: number;

  /**
   * Speak TLS. `false` WEAKENS the store: its password and every jti cross the pod network in clear.
   *
   * @default true
   */
  readonly tls?: boolean;

  /**
   * Certificates that the server is verified against.
   *
   * @default - Node's own roots
   */
  readonly ca?: CaBundle;

  /**
   * ACL user. It needs `+set +get +del +info +eval` on its keys, in a cluster `+cluster` too, and for rate limits
   * that replicas share `+evalsha +time +hmget +hset +pexpire`.
   *
   * @default - the server's default user
   */
  readonly username?: string;

  /**
   * Password, as a mounted file.
   *
   * @default - no password
   */
  readonly password?: SecretSource;

  /**
   * What every key starts with; gateways that share a server need different ones. 1 to 64 visible ASCII characters.
   *
   * @default 'agw:jti:'
   */
  readonly keyPrefix?: string;

  /**
   * A claim that has no answer by then is refused with 503; 10 milliseconds to 10 seconds.
   *
   * @default Duration.millis(500)
   */
  readonly timeout?: Duration;

  /**
   * After the store lost what it remembered (a restart, a flush, a failover), proofs made before that moment
   * are refused, and those made less than this after it: how far ahead a client's clock may have been. The
   * refusal carries a nonce with which the next proof passes at once; a client that follows no nonces, and a
   * self-signed token, is refused for so long. At most 60 seconds. Less than the clock skew WEAKENS the
   * gateway: a proof of a client whose clock was ahead can be used once more after a loss.
   *
   * @default - the route's clock skew and 5 seconds
   */
  readonly epochMargin?: Duration;

  /**
   * Whether `host` is one server, a member of a cluster, or a sentinel.
   *
   * @default RedisTopology.single()
   */
  readonly topology?: RedisTopology;

  /**
   * What happens to requests while the server is away.
   *
   * @default StoreFailure.DENY
   */
  readonly onFailure?: StoreFailure;
}

/** How several Redis or Valkey servers make one store. */
export class RedisTopology {
  /** One server, or a name that always leads to the primary. */
  public static single(): RedisTopology {
    return new RedisTopology('single', []);
  }

  /**
   * A cluster. Its peers must include every member.
   *
   * @param nodes more members to start from, as `host:port`
   */
  public static cluster(...nodes: string[]): RedisTopology {
    listOf(TEXT).check('topology.nodes', nodes);
    checkFields('topology', { nodes }, REDIS_CLUSTER);
    return new RedisTopology('cluster', nodes);
  }

  /**
   * Sentinels that know the primary; `host` and `port` of the store are the first of them. Its peers must
   * include sentinels and servers.
   */
  public static sentinel(options: RedisSentinelOptions): RedisTopology {
    SENTINEL_OPTIONS.check('topology', options);
    checkFields('topology', options, REDIS_SENTINEL);
    return new RedisTopology('sentinel', options.sentinels ?? [], options);
  }

  /** @internal */
  public readonly _kind: 'single' | 'cluster' | 'sentinel';

  /** @internal */
  public readonly _addresses: string[];

  /** @internal */
  public readonly _sentinel?: RedisSentinelOptions;

  private constructor(
    kind: 'single' | 'cluster' | 'sentinel',
    addresses: string[],
    sentinel?: RedisSentinelOptions,
  ) {
    this._kind = kind;
    this._addresses = addresses;
    this._sentinel = sentinel;
  }
}

/** Options of a store behind sentinels. */
export interface RedisSentinelOptions {
  /** Name under which the sentinels watch the primary. */
  readonly master: string;

  /**
   * More sentinels, as `host:port`.
   *
   * @default - none: `host` and `port` of the store alone
   */
  readonly sentinels?: string[];

  /**
   * Ports on which the servers behind the sentinels listen, beside the sentinels' own.
   *
   * @default - 6379
   */
  readonly serverPort?: number;

  /**
   * Password of the sentinels, as a mounted file.
   *
   * @default - no password
   */
  readonly password?: SecretSource;
}

const SENTINEL_SHAPE: Shape<RedisSentinelOptions> = {
  master: TEXT,
  sentinels: optional(listOf(TEXT)),
  serverPort: optional(NUMBER),
  password: optional(instanceOf(SecretSource)),
};
const SENTINEL_OPTIONS = struct('RedisSentinelOptions', SENTINEL_SHAPE);

const MEMORY_SHAPE: Shape<MemoryStoreOptions> = {
  maxEntries: optional(NUMBER),
  epochMargin: optional(DURATION),
};
const MEMORY_OPTIONS = struct('MemoryStoreOptions', MEMORY_SHAPE);

const REDIS_SHAPE: Shape<RedisStoreOptions> = {
  host: TEXT,
  peer: instanceOf(Peer),
  port: optional(NUMBER),
  tls: optional(FLAG),
  ca: optional(instanceOf(CaBundle)),
  username: optional(TEXT),
  password: optional(instanceOf(SecretSource)),
  keyPrefix: optional(TEXT),
  timeout: optional(DURATION),
  epochMargin: optional(DURATION),
  topology: optional(instanceOf(RedisTopology)),
  onFailure: optional(oneOf(StoreFailure)),
};
const REDIS_OPTIONS = struct('RedisStoreOptions', REDIS_SHAPE);

/**
 * Where the gateway remembers which proofs it has seen, so that each is accepted once. When it is down,
 * requests are refused, unless `onFailure` says otherwise.
 */
export class ReplayStore {
  /**
   * In the proxy's memory. For one replica: two would accept the same proof once each, which synth refuses. A
   * restart forgets, and so refuses what was made before it.
   */
  public static memory(options: MemoryStoreOptions = {}): ReplayStore {
    MEMORY_OPTIONS.check('memory', options);
    checkFields('memory', options, MEMORY_STORE);
    return new ReplayStore(options);
  }

  /** In Redis or Valkey, shared by all replicas. */
  public static redis(options: RedisStoreOptions): ReplayStore {
    REDIS_OPTIONS.check('redis', options);
    if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(options.host) && isIP(options.host) !== 6) {
      refuse({
        where: 'redis.host',
        want: 'must be a host name or an IP address, without scheme and port',
        got: options.host,
      });
    }
    if (options.tls === false && options.ca !== undefined) {
      refuse({ where: 'redis.ca', want: 'must go with TLS', next: 'remove "tls: false" or the ca' });
    }
    checkFields('redis', options, REDIS_STORE);
    checkPort('redis.port', options.port ?? PORT.redis);
    return new ReplayStore(undefined, options);
  }

  /**
   * In a Valkey of the gateway's own, which is deployed beside it: one pod that takes TLS only, knows one user, and
   * is reached by this gateway's pods alone. It keeps everything in memory: a restart, an eviction or a change of its
   * settings refuses the proofs from before it, once each. It is never thrown out of what it remembers: beyond its
   * memory requests are refused. Several gateways may be given the same value; each has its own Valkey.
   *
   * Emits a StatefulSet, a Service, a Certificate of cert-manager, a NetworkPolicy and a PodDisruptionBudget.
   */
  public static valkey(options: ValkeyStoreOptions): ReplayStore {
    checkValkey(options);
    return new ReplayStore(undefined, undefined, options);
  }

  /** @internal */
  public readonly _memory?: MemoryStoreOptions;

  /** @internal of a Valkey of the gateway's own: known once the gateway is */
  public readonly _redis?: RedisStoreOptions;

  /** @internal */
  public readonly _valkey?: ValkeyStoreOptions;

  private constructor(memory?: MemoryStoreOptions, redis?: RedisStoreOptions, valkey?: ValkeyStoreOptions) {
    this._memory = memory;
    this._redis = redis;
    this._valkey = valkey;
  }

  /** @internal the same store, with the address of what is deployed beside this gateway */
  public _of(gateway: { readonly name: string; readonly namespace: string }): ReplayStore {
    const valkey = this._valkey;
    return valkey === undefined ? this : new ReplayStore(undefined, besideGateway(gateway, valkey), valkey);
  }
}
