/** Docstrings of props say the defaults and bounds of the proxy's schema, and no others. */
import * as lib from '../../lib';
import * as groups from '../../lib/values/config-fields';
import { schemaPlaces } from '../support/config-page';
import { boundsOf, docstrings, quantitiesOf } from '../support/docstrings';

/** Whose props the fields of a group are. */
const INTERFACES: Record<keyof typeof groups, string> = {
  DPOP: 'DpopOptions',
  DPOP_NONCE: 'NonceOptions',
  MIXED: 'DpopOptions',
  MIXED_NONCE: 'NonceOptions',
  MTLS: 'MtlsOptions',
  SELF_SIGNED: 'SelfSignedOptions',
  ISSUER: 'AccessTokenOptions',
  AUDIENCE: 'AuthProfileOptions',
  INTROSPECTION: 'IntrospectionOptions',
  JWKS_URL: 'JwksUrlOptions',
  JWKS_DISCOVERY: 'JwksUrlOptions',
  RATE_LIMIT: 'TokenBucketOptions',
  MEMORY_STORE: 'MemoryStoreOptions',
  REDIS_STORE: 'RedisStoreOptions',
  VALKEY_STORE: 'ValkeyStoreOptions',
  REDIS_CLUSTER: 'none: `nodes` is a parameter of RedisTopology.cluster',
  REDIS_SENTINEL: 'RedisSentinelOptions',
  LIMITS: 'GatewayLimits',
  REQUESTS_PER_ADDRESS: 'AddressLimit',
  REFUSALS_PER_ADDRESS: 'AddressLimit',
  UPSTREAM: 'UpstreamTimeouts',
  EGRESS_FIELDS: 'EgressProxy',
  TRACING_FIELDS: 'Tracing',
  ROUTE_TIMEOUTS: 'RouteTimeouts',
  HEARTBEAT: 'McpRouteProps',
  BACKEND: 'McpRouteProps',
  OUTLIER: 'OutlierEjection',
  MCP_RULE: 'McpRule',
  TOKEN_EXCHANGE: 'TokenExchange',
  DRAIN: 'AgentGatewayProps',
  GATEWAY: 'AgentGatewayProps',
};
/** Props that become fields of the config in another way. */
const OTHERS = [
  ['AgentGatewayProps', 'algorithms', 'issuers[].algorithms'],
  ['GatewayLimits', 'refusalsPerAddress', 'limits.refusalsPerAddress'],
  ['McpRouteProps', 'credentialHeader', 'routes[]{mcp}.backend.credential{file}.header'],
  ['McpRouteProps', 'credentialPrefix', 'routes[]{mcp}.backend.credential{file}.prefix'],
  ['McpRouteProps', 'methods', 'routes[]{mcp}.methods'],
  ['McpRouteProps', 'allowedOrigins', 'routes[]{mcp}.allowedOrigins'],
  ['McpRouteProps', 'revisions', 'routes[]{mcp}.revisions'],
] as const;

/** What a factory takes beside its options. */
const PARAMETERS = ['JwksUrlOptions.url'];

const documented = docstrings();
const places = schemaPlaces();
const fields = (Object.keys(groups) as (keyof typeof groups)[])
  .filter((group) => !INTERFACES[group].startsWith('none: '))
  .flatMap((group) =>
    Object.entries(groups[group].of).map(([prop, field]) => {
      const { at } = groups[group];
      return [INTERFACES[group], prop, at === '' ? field : `${at}.${field}`] as const;
    }),
  );
const cases = [...fields, ...OTHERS]
  .map(([of, prop, place]) => [`${of}.${prop}`, of, prop, place] as const)
  .filter(([name]) => !PARAMETERS.includes(name));

/** A default that is written as code; undefined where it is prose, after a hyphen. */
function literal(text: string): unknown {
  const code = text.replace(/ - .*$/, '');
  const [, type, member, argument] = /^(\w+)\.(\w+)(?:\(([\d_.]+)\))?$/.exec(code) ?? [];
  if (argument !== undefined) return quantitiesOf(`${argument} ${UNIT_OF[member]}`)[0];
  if (type !== undefined) return (lib as unknown as Record<string, Record<string, string>>)[type][member];
  if (/^'.*'$/.test(code)) return code.slice(1, -1);
  return /^(true|false|[\d.]+)$/.test(code) ? (JSON.parse(code) as unknown) : undefined;
}
const UNIT_OF: Record<string, string> = {
  millis: 'ms',
  seconds: 's',
  minutes: 'minutes',
  hours: 'hours',
  days: 'days',
  kibibytes: 'KiB',
  mebibytes: 'MiB',
};

/** Whether prose says this default: every number of it, every word of a list, `none` of an empty one, `all` of all. */
function says(prose: string, fallback: unknown): boolean {
  if (typeof fallback === 'number') return quantitiesOf(prose).includes(fallback);
  if (!Array.isArray(fallback)) {
    return Object.values(Object(fallback) as object).every((part) => says(prose, part));
  }
  if (fallback.length === 0) return /^- none\b/.test(prose);
  return prose === `- ${fallback.join(', ')}` || /^- (all|both)\b/.test(prose);
}

describe('the docstring of a prop', () => {
  it.each(cases)('%s says the default of the schema, and no other', (_, of, prop, place) => {
    const { fallback: said } = documented.get(of)!.get(prop)!;
    const { fallback } = places.get(place) ?? {};
    const code = said === undefined ? undefined : literal(said);
    if (fallback === undefined || code !== undefined) expect(code).toEqual(fallback);
    else expect({ said, fallback, agrees: says(said ?? '', fallback) }).toMatchObject({ agrees: true });
  });
  it.each(cases)('%s says the bounds of the schema, and no others', (_, of, prop, place) => {
    const { text } = documented.get(of)!.get(prop)!;
    const { takes = '', bounds = boundsOf(takes) } = places.get(place) ?? {};
    if (bounds === undefined) return expect(boundsOf(text)).toBeUndefined();
    return expect({ text, ...bounds }).toMatchObject(boundsOf(text) ?? { bounds: 'are missing' });
  });
  it('is looked for at every place, and places are those of the schema', () => {
    expect(cases.length).toBeGreaterThan(90);
    const unknown = cases.filter(([, , , place]) => !places.has(place)).map(([, , , place]) => place);
    expect(unknown).toEqual(['routes[]{mcp}.auth{selfSigned}.audiences[]']);
  });
});
