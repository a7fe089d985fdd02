/** Every connection of a gateway, declared once; the NetworkPolicy is a rendering of it. */
import { oncePer } from '../support/memo';
import { holdsEverybody } from '../support/parser';
import { PORT } from '../support/ports-and-paths';
import { Peer } from '../values/peer';
import { cidrOf, PeerEnd } from '../values/peer-end';
import { GatewaySpec, mcpRoutes, secretsRoutes, usesAgentgateway } from './gateway-spec';
import { questionsOf } from './questions';

/** Flows that some CNIs can say better than by their peer; and the one whose other end is ours too. */
type Purpose = 'dns' | 'api-server' | 'own-store' | 'other';

export interface Flow {
  readonly way: 'ingress' | 'egress';
  readonly end: PeerEnd;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly purpose: Purpose;
}

/** One peer and all its ports. Some CNIs keep only one of two rules on the same CIDR. */
export interface Rule {
  readonly end: PeerEnd;
  readonly ports: { readonly port: number; readonly protocol: 'TCP' | 'UDP' }[];
}

export class FlowGraph {
  public readonly flows: Flow[] = [];

  public admit(peer: Peer | undefined, port: number): this {
    for (const { end } of peer?._members ?? []) {
      this.flows.push({ way: 'ingress', end, port, protocol: 'TCP', purpose: 'other' });
    }
    return this;
  }

  /** A peer that names a port of its own listens there; `port` is then only what the client dials. */
  public reach(
    peer: Peer | undefined,
    dialled: number,
    protocol: 'TCP' | 'UDP' = 'TCP',
    purpose: Purpose = 'other',
  ): this {
    for (const { end, port = dialled } of peer?._members ?? []) {
      this.flows.push({ way: 'egress', end, port, protocol, purpose });
    }
    return this;
  }

  /**
   * Ranges that hold the whole internet together, though none does alone: one list for each direction and port
   * that is open to it.
   */
  public everybody(): readonly { readonly where: string; readonly ranges: readonly string[] }[] {
    const rangesOf = new Map<string, Set<string>>();
    for (const { way, end, port, protocol } of this.flows) {
      const cidr = cidrOf(end);
      if (cidr === undefined) continue;
      const where = `${way} on port ${port}/${protocol}`;
      rangesOf.set(where, (rangesOf.get(where) ?? new Set<string>()).add(cidr));
    }
    return [...rangesOf]
      .map(([where, ranges]) => ({ where, ranges: [...ranges] }))
      .filter(({ ranges }) => holdsEverybody(ranges));
  }
}

/** The flows of one direction, by peer. */
export function rulesOf(flows: readonly Flow[], way: Flow['way']): Rule[] {
  const byPeer = new Map<string, Rule>();
  for (const { end, port, protocol } of flows.filter((flow) => flow.way === way)) {
    const key = JSON.stringify(end);
    const rule = byPeer.get(key) ?? { end, ports: [] };
    if (!rule.ports.some((p) => p.port === port && p.protocol === protocol)) {
      rule.ports.push({ port, protocol });
    }
    byPeer.set(key, rule);
  }
  return [...byPeer.values()];
}

/** All connections that this gateway has a reason for; nobody adds to them. */
export const flowsOf = oncePer((spec: GatewaySpec): FlowGraph => {
  const graph = new FlowGraph();
  for (const client of spec.clients) graph.admit(client, PORT.traffic);
  graph.admit(spec.metricsPeer, PORT.admin);
  if (usesAgentgateway(spec)) graph.admit(spec.metricsPeer, PORT.dataPlaneStats);
  graph.reach(spec.dnsPeer, 53, 'UDP', 'dns').reach(spec.dnsPeer, 53, 'TCP', 'dns');
  for (const { backendPeer, backendPort } of mcpRoutes(spec)) graph.reach(backendPeer, backendPort);
  reachRedis(graph, spec);
  for (const { peer, url } of questionsOf(spec)) graph.reach(peer, portOf(url));
  if (spec.egressProxy !== undefined) graph.reach(spec.egressProxy.peer, portOf(spec.egressProxy.url));
  if (secretsRoutes(spec).length > 0) {
    for (const peer of spec.apiServer?._peers ?? []) graph.reach(peer, 443, 'TCP', 'api-server');
  }
  return graph;
});

/** All connections of the gateway's own Valkey: it asks nobody, not even DNS. */
export const valkeyFlowsOf = (spec: GatewaySpec): FlowGraph =>
  new FlowGraph().admit(Peer.pods(spec.selectorLabels), PORT.redis);

/** The server itself, its cluster's nodes, and its sentinels. */
function reachRedis(graph: FlowGraph, { replayStore }: GatewaySpec): void {
  const redis = replayStore._redis;
  if (redis === undefined) return;
  const purpose = replayStore._valkey === undefined ? 'other' : 'own-store';
  graph.reach(redis.peer, redis.port ?? PORT.redis, 'TCP', purpose);
  for (const address of redis.topology?._addresses ?? []) {
    graph.reach(redis.peer, Number(address.slice(address.lastIndexOf(':') + 1)));
  }
  if (redis.topology?._kind === 'sentinel') {
    graph.reach(redis.peer, redis.topology._sentinel?.serverPort ?? PORT.redis);
  }
}

/** Port that a client of this URL dials. One that is no URL is refused by the parser, where the user is told. */
export function portOf(url: string): number {
  if (!URL.canParse(url)) return 443;
  const { port, protocol } = new URL(url);
  const usual = protocol === 'https:' ? 443 : 80;
  return port === '' ? usual : Number(port);
}
