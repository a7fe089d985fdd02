/** Every connection of a gateway, declared once; the NetworkPolicy is a rendering of it. */
import { Peer } from '../peer';
import { GatewaySpec, mcpRoutes, secretsRoutes } from './gateway-spec';
import { issuersOf } from './issuers';
import { holdsEverybody } from './parser';
import { PORT } from './wiring';

interface Flow {
  readonly way: 'ingress' | 'egress';
  readonly peer: Peer;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
}

interface Rule {
  readonly peer: object;
  readonly ports: { readonly port: number; readonly protocol: string }[];
}

export class FlowGraph {
  private readonly flows: Flow[] = [];

  public admit(peer: Peer | undefined, port: number): this {
    if (peer !== undefined) this.flows.push({ way: 'ingress', peer, port, protocol: 'TCP' });
    return this;
  }

  /** A peer that names a port of its own listens there; `port` is then only what the client dials. */
  public reach(peer: Peer | undefined, port: number, protocol: 'TCP' | 'UDP' = 'TCP'): this {
    if (peer !== undefined) this.flows.push({ way: 'egress', peer, port: peer._port ?? port, protocol });
    return this;
  }

  /**
   * The rules of one direction. One rule a peer: some CNIs keep only one of two rules on the same CIDR. A rule always has its
   * peer, because one without admits everybody.
   */
  public rules(way: 'ingress' | 'egress'): object[] {
    const byPeer = new Map<string, Rule>();
    for (const { peer, port, protocol } of this.flows.filter((flow) => flow.way === way)) {
      const key = JSON.stringify(peer._rule);
      const rule = byPeer.get(key) ?? { peer: peer._rule, ports: [] };
      if (!rule.ports.some((p) => p.port === port && p.protocol === protocol)) {
        rule.ports.push({ port, protocol });
      }
      byPeer.set(key, rule);
    }
    const end = way === 'ingress' ? 'from' : 'to';
    return [...byPeer.values()].map(({ peer, ports }) => ({ [end]: [peer], ports }));
  }

  /** Ranges that hold the whole internet together, though none does alone: one list for each direction and port that is open to it. */
  public everybody(): readonly { readonly where: string; readonly ranges: readonly string[] }[] {
    const rangesOf = new Map<string, Set<string>>();
    for (const { way, peer, port, protocol } of this.flows) {
      if (peer._cidr === undefined) continue;
      const where = `${way} on port ${port}/${protocol}`;
      rangesOf.set(where, (rangesOf.get(where) ?? new Set<string>()).add(peer._cidr));
    }
    return [...rangesOf]
      .map(([where, ranges]) => ({ where, ranges: [...ranges] }))
      .filter(({ ranges }) => holdsEverybody(ranges));
  }
}

/** All connections that this gateway has a reason for. */
export function flowsOf(spec: GatewaySpec): FlowGraph {
  const graph = new FlowGraph();
  for (const client of spec.clients) graph.admit(client, PORT.traffic);
  graph.admit(spec.metricsPeer, PORT.admin);
  graph.reach(spec.dnsPeer, 53, 'UDP').reach(spec.dnsPeer, 53, 'TCP');
  for (const { backendPeer, backendPort, tokenExchange } of mcpRoutes(spec)) {
    graph.reach(backendPeer, backendPort);
    if (tokenExchange !== undefined) graph.reach(tokenExchange.peer, portOf(tokenExchange.url));
  }
  const redis = spec.replayStore._redis;
  if (redis !== undefined) {
    graph.reach(redis.peer, redis.port ?? PORT.redis);
    for (const address of redis.topology?._addresses ?? []) {
      graph.reach(redis.peer, Number(address.slice(address.lastIndexOf(':') + 1)));
    }
    if (redis.topology?._kind === 'sentinel') {
      graph.reach(redis.peer, redis.topology._sentinel?.serverPort ?? PORT.redis);
    }
  }
  for (const {
    introspection,
    jwks: {
      _choice: { url, options },
    },
  } of issuersOf(spec)) {
    if (introspection !== undefined) graph.reach(introspection.peer, portOf(introspection.url));
    if (url !== undefined) graph.reach(options?.peer, portOf(url));
  }
  if (spec.tracing !== undefined) graph.reach(spec.tracing.peer, portOf(spec.tracing.url));
  if (secretsRoutes(spec).length > 0) for (const peer of spec.apiServer?._peers ?? []) graph.reach(peer, 443);
  return graph;
}

/** Port that a client of this URL dials. */
export function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
