import { Duration } from 'cdk8s';
import { CaBundle } from './ca-bundle';
import { Peer } from './peer';
import { checkPort, refuse } from './private/text';
import { PORT } from './private/wiring';
import { SecretSource } from './secret-source';

/** Options of the store in the proxy's own memory. */
export interface MemoryStoreOptions {
  /**
   * Live proofs held at once; when full, new proofs are refused and none is forgotten early.
   *
   * @default 1000000
   */
  readonly maxEntries?: number;
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
   * ACL user.
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
}

/** Where the gateway remembers which proofs it has seen, so that each is accepted once. When it is down, requests are refused. */
export class ReplayStore {
  /** In the proxy's memory. For one replica: two would accept the same proof once each, which synth refuses. A restart forgets. */
  public static memory(options: MemoryStoreOptions = {}): ReplayStore {
    return new ReplayStore(options);
  }

  /** In Redis or Valkey, shared by all replicas. */
  public static redis(options: RedisStoreOptions): ReplayStore {
    if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(options.host)) {
      refuse({ where: 'redis.host', want: 'must be a host name or an IPv4 address, without scheme and port', got: options.host });
    }
    if (options.tls === false && options.ca !== undefined) refuse({ where: 'redis.ca', want: 'must go with TLS', next: 'remove "tls: false" or the ca' });
    checkPort('redis.port', options.port ?? PORT.redis);
    return new ReplayStore(undefined, options);
  }

  /** @internal */
  public readonly _memory?: MemoryStoreOptions;

  /** @internal */
  public readonly _redis?: RedisStoreOptions;

  private constructor(memory?: MemoryStoreOptions, redis?: RedisStoreOptions) {
    this._memory = memory;
    this._redis = redis;
  }
}
