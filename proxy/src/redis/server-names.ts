/** SNI for every server: node:tls sends none by itself, and one address may serve several names (RFC 6066 3). */
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Cluster, Redis, RedisOptions, SentinelConnector } from 'ioredis';

interface Endpoint {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}
/** What ioredis' connector does for a sentinel, beside what its types show. */
type Resolving = new (options: SentinelTls) => {
  readonly options: SentinelTls;
  resolve(sentinel: Endpoint): Promise<Endpoint | null>;
};
interface SentinelTls {
  tls?: ConnectionOptions;
  sentinelTLS?: ConnectionOptions;
}

/** An address is no name. */
export const withServerName = (tls: ConnectionOptions, host: string | undefined): ConnectionOptions =>
  host === undefined || isIP(host) !== 0 ? tls : { ...tls, servername: host };

/** Each node of a cluster has a name of its own. */
export function nameNodes(cluster: Cluster): void {
  cluster.on('+node', ({ options }: Redis) => {
    if (options.tls !== undefined) options.tls = withServerName(options.tls, options.host);
  });
}

/** A connector that names the sentinel that it asks, and then the master that this one named. */
export function namingConnector(base: typeof SentinelConnector): NonNullable<RedisOptions['Connector']> {
  const Base = base as unknown as Resolving;
  class NamingConnector extends Base {
    override async resolve(sentinel: Endpoint): Promise<Endpoint | null> {
      const { options } = this;
      const { servername: _, ...plain } = options.tls ?? {};
      if (options.sentinelTLS !== undefined) options.sentinelTLS = withServerName(plain, sentinel.host);
      const master = await super.resolve(sentinel);
      if (options.tls !== undefined) options.tls = withServerName(plain, master?.host);
      return master;
    }
  }
  return NamingConnector as unknown as NonNullable<RedisOptions['Connector']>;
}
