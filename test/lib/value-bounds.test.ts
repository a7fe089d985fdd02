/** What the proxy would refuse at start, a factory refuses at once, with the prop's own name. */
import { Duration, Size } from 'cdk8s';
import {
  AuthProfile,
  DataPlane,
  Image,
  JwksSource,
  McpRouteProps,
  Peer,
  RateLimit,
  RedisTopology,
  ReplayStore,
  SecretSource,
} from '../../lib';
import { Fields } from '../../lib/support/fields';
import { valueProblems } from '../../lib/support/parser';
import * as groups from '../../lib/values/config-fields';
import { schemaPlaces } from '../support/config-page';
import { gatewayChart, manifests } from '../support/synth';

type Group = keyof typeof groups;
type Props = Record<string, unknown>;
const peer = Peer.pods({ app: 'idp' });
const secret = SecretSource.existing('idp', 'secret');
const image = Image.fromDigest(`docker.io/valkey/valkey@sha256:${'0'.repeat(64)}`);
const server = { url: 'https://idp.example', peer, clientId: 'gateway', clientSecret: secret };
const bucket = { maxTokens: 1, tokensPerSecond: 1 };
/** A gateway; never synthesized, so whatever throws is its constructor. */
const gateway = (props: Props) => gatewayChart({ gateway: props });
const route = (mcp: Partial<McpRouteProps>) =>
  gatewayChart({ gateway: { dataPlane: DataPlane.direct() }, mcp });

/** What the errors of a group begin with, and a factory that is given its props. */
const FACTORIES: Record<Group, readonly [where: string, make: (props: any) => unknown]> = {
  DPOP: ['auth.', (props) => AuthProfile.dpop(props)],
  DPOP_NONCE: ['auth.nonce.', (props) => AuthProfile.dpop({ nonce: { keys: secret, ...props } })],
  MIXED: ['auth.', (props) => AuthProfile.mixed(props)],
  MIXED_NONCE: ['auth.nonce.', (props) => AuthProfile.mixed({ nonce: { keys: secret, ...props } })],
  MTLS: ['auth.', (props) => AuthProfile.mtls(props)],
  SELF_SIGNED: ['auth.', (props) => AuthProfile.selfSigned(props)],
  ISSUER: ['auth.', (props) => AuthProfile.mtls(props)],
  AUDIENCE: ['auth.', (props) => AuthProfile.selfSigned(props)],
  INTROSPECTION: [
    'auth.introspection.',
    (props) => AuthProfile.dpop({ introspection: { ...server, ...props } }),
  ],
  JWKS_URL: ['jwks.', ({ url = server.url, ...props }) => JwksSource.fromUrl(url, { peer, ...props })],
  JWKS_DISCOVERY: ['jwks.', (props) => JwksSource.discover(server.url, { peer, ...props })],
  RATE_LIMIT: ['rateLimit.', (props) => RateLimit.tokenBucket({ maxTokens: 1, tokensPerFill: 1, ...props })],
  MEMORY_STORE: ['memory.', (props) => ReplayStore.memory(props)],
  REDIS_STORE: ['redis.', (props) => ReplayStore.redis({ host: 'redis', peer, ...props })],
  VALKEY_STORE: [
    'valkey.',
    (props) =>
      ReplayStore.valkey({ image, password: secret, issuer: 'internal', requestsPerSecond: 1, ...props }),
  ],
  REDIS_CLUSTER: ['topology.', ({ nodes }) => RedisTopology.cluster(...[nodes].flat())],
  REDIS_SENTINEL: ['topology.', (props) => RedisTopology.sentinel({ master: 'main', ...props })],
  LIMITS: ['limits.', (limits) => gateway({ limits })],
  REQUESTS_PER_ADDRESS: [
    'limits.requestsPerAddress.',
    (props) => gateway({ limits: { requestsPerAddress: { ...bucket, ...props } } }),
  ],
  REFUSALS_PER_ADDRESS: [
    'limits.refusalsPerAddress.',
    (props) => gateway({ limits: { refusalsPerAddress: { ...bucket, ...props } } }),
  ],
  UPSTREAM: ['upstream.', (upstream) => gateway({ upstream })],
  EGRESS_FIELDS: [
    'egressProxy.',
    (props) => gateway({ egressProxy: { url: 'http://proxy.example:3128', peer, ...props } }),
  ],
  TRACING_FIELDS: ['tracing.', (props) => gateway({ tracing: { url: server.url, peer, ...props } })],
  ROUTE_TIMEOUTS: ['timeouts.', (timeouts) => route({ timeouts })],
  HEARTBEAT: ['', route],
  BACKEND: ['', route],
  OUTLIER: ['outlierEjection.', (outlierEjection) => route({ outlierEjection })],
  MCP_RULE: ['allow[0].', (props) => route({ allow: [{ method: 'tools/call', ...props }] })],
  TOKEN_EXCHANGE: ['tokenExchange.', (props) => route({ tokenExchange: { ...server, ...props } })],
  DRAIN: ['', gateway],
  // Texts and numbers of a construct's props: synth checks them.
  GATEWAY: ['', (props) => manifests({ gateway: props })],
};

const places = schemaPlaces();
const placeOf = ({ at }: Fields<unknown>, field: string) => (at === '' ? field : `${at}.${field}`);
const propsOf = (group: Group) => Object.entries(groups[group].of as Record<string, string>);
const cases = (Object.keys(groups) as Group[]).flatMap((group) =>
  propsOf(group).map(([prop, field]) => [group, prop, placeOf(groups[group], field)] as const),
);

/** Values that a field must not have, next to its bounds; of a text or a list some that it may not have. */
function outside(place: string): unknown[] {
  const { bounds } = places.get(place) ?? {};
  if (bounds === undefined) {
    const texts = ['', 'no such word', 'http://u:p@idp', 'x'.repeat(300)];
    return [...texts, [], ...texts.map((text) => [text])].filter(
      (value) => valueProblems(place, 'x', value).length > 0,
    );
  }
  const { min, max } = bounds;
  if (place.endsWith('BytesPerSecond') || !/Seconds$|BodyBytes$/.test(place)) {
    return [min - 1, max + 1, ...(place.endsWith('Ratio') ? [] : [min + 0.5])];
  }
  if (place.endsWith('BodyBytes')) return [Size.kibibytes(max / 1024 + 1)];
  const below = min === 0 ? [] : [Duration.millis(min * 1000 - (min > 0.001 ? 1 : 0.5))];
  return [...below, Duration.millis(max * 1000 + 1)];
}

describe('a value out of the bounds of the schema', () => {
  it.each(cases)('of %s.%s (%s) ends its factory', (group, prop, place) => {
    const [where, make] = FACTORIES[group];
    const values = outside(place);
    if (places.get(place)?.takes !== 'boolean') expect(values).not.toEqual([]);
    const wrong = new RegExp(`(^|\\s)${`${where}${prop}`.replace(/[[\].]/g, '\\$&')}(\\[\\d\\])?: .*must`);
    for (const value of values) expect(() => make({ [prop]: value })).toThrow(wrong);
  });
  it('is named by its prop, with what stands there and what may', () => {
    expect(() => AuthProfile.dpop({ proofMaxAge: Duration.hours(9) })).toThrow(
      /^auth\.proofMaxAge: must be a number of seconds from 1 to 3600, got 32400$/,
    );
  });
});

/** Fields of the config that no prop becomes as it is. */
const OURS = ['listen.port', 'admin.port', 'lameDuckSeconds'];

it('every number of the schema that has bounds is a prop, but for those that the library writes itself', () => {
  const known = new Set(cases.map(([, , place]) => place));
  const missing = [...places].filter(([place, { bounds }]) => bounds !== undefined && !known.has(place));
  expect(missing.map(([place]) => place).sort()).toEqual([...OURS].sort());
  expect(places.size).toBeGreaterThan(100);
});
