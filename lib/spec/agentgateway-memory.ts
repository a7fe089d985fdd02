/** Memory of agentgateway's container: it follows from what the proxy may have open with it at a time. */
import { GatewaySpec, maxConnections, mcpRoutes, SCHEMA_DEFAULTS } from './gateway-spec';

/** Measured on 1.4.1 with 2 cores: 45 to 57 MiB without a request. */
const IDLE_MEBIBYTES = 64;
/** An open event stream took 88 to 90 KB; a request that waits for its answer is counted as one. */
const EXCHANGE_KIBIBYTES = 100;

/** Event streams and requests that may be open at a time, over all routes. */
function exchangesOf(spec: GatewaySpec): number {
  const { maxSockets = SCHEMA_DEFAULTS.maxSockets, maxStreams = SCHEMA_DEFAULTS.maxStreams } = spec.upstream;
  const backends = mcpRoutes(spec).reduce((sum, { endpoints }) => sum + (endpoints?.length ?? 1), 0);
  const pools = backends * (maxSockets + maxStreams);
  // A connection of HTTP/1 has one exchange at a time; with TLS a client may choose HTTP/2.
  return spec.tlsSecretName === undefined ? Math.min(pools, maxConnections(spec)) : pools;
}

/** Less, and agentgateway is killed, with every stream that is open. */
export const leastAgentgatewayMebibytes = (spec: GatewaySpec) =>
  IDLE_MEBIBYTES + Math.ceil((exchangesOf(spec) * EXCHANGE_KIBIBYTES) / 1024);

/** What was asked for, or what is needed. */
export const agentgatewayMebibytes = (spec: GatewaySpec) =>
  spec.dataPlane._memoryMebibytes ?? leastAgentgatewayMebibytes(spec);
