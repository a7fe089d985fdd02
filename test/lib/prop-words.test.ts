/** Errors speak of props: who writes constructs never sees the config's fields. */
import { modelOf } from '../../lib/config/proxy-config';
import { inPropWords } from '../../lib/validation/prop-words';
import {
  AuthProfile,
  CaBundle,
  DataPlane,
  JwksSource,
  OriginSource,
  Peer,
  RateLimit,
  RedisTopology,
  ReplayStore,
  SecretSource,
} from '../../lib';
import { Callable, Model, Param, publicCallables } from '../support/public-api';
import { GatewayOptions, apiServer, gatewayChart, newChart, newGateway, problems } from '../support/synth';

const peer = Peer.pods({ app: 'idp' });
const secret = SecretSource.existing('secret', 'value');
const ca = CaBundle.fromConfigMap('ca');
const introspection = { url: 'https://idp.example/introspect', peer, clientId: 'me', clientSecret: secret };
const nonce = { keys: secret };
const direct = { dataPlane: DataPlane.direct() };
const tokenExchange = { url: 'https://idp.example/token', peer, clientId: 'me', clientSecret: secret };

/** Gateways that together use every field of the config that a prop can fill. */
const GATEWAYS: readonly GatewayOptions[] = [
  {
    gateway: {
      ...direct,
      jwks: JwksSource.fromUrl('https://idp.example/jwks', { peer, ca }),
      replayStore: ReplayStore.memory(),
      tracing: { url: 'https://otel.example/v1/traces', peer, ca },
      tlsSecretName: 'tls',
      limits: {
        requestsPerAddress: { maxTokens: 1, tokensPerSecond: 1 },
        refusalsPerAddress: { maxTokens: 1, tokensPerSecond: 1 },
      },
      apiServer,
    },
    mcp: {
      auth: AuthProfile.dpop({ introspection: { ...introspection, ca }, nonce, requiredScopes: ['a'] }),
      allow: [
        { method: 'tools/call', names: ['a'], requiredScopes: ['b'], when: { claim: 'c', oneOf: ['d'] } },
      ],
      tokenExchange: { ...tokenExchange, ca, scopes: ['a'] },
      outlierEjection: {},
      backendCertificateSecret: 'client',
    },
    secrets: ['db'],
    secretKeys: { db: ['a'] },
  },
  {
    gateway: {
      ...direct,
      replayStore: ReplayStore.redis({ host: 'redis', peer, topology: RedisTopology.cluster('b:1') }),
    },
    mcp: { credential: secret, auth: AuthProfile.selfSigned() },
  },
  {
    gateway: {
      ...direct,
      replayStore: ReplayStore.redis({
        host: 'redis',
        peer,
        topology: RedisTopology.sentinel({ master: 'm', sentinels: ['b:1'] }),
      }),
    },
    mcp: { auth: AuthProfile.mtls() },
  },
];

/** What no prop fills, since the library writes it in a form that the parser takes, and what is checked before. */
const OURS = [
  /^(limits|upstream|version|admin|audit|lameDuckSeconds|listen\.(host|port)|replay\.(store|url))\b/,
  /^(issuers\[\d+\]\.(name|jwks\.file))\b/,
  /^(routes\[\d+\]\.(kind|auth\.profile|backend\.(outlier|namespace|localAddress|answerMark|credential\.kind)))\b/,
  /^(.*\.file|.*(File|clientCertificate))\b/,
  /^replay\.topology\.kind$/,
];
const isOurs = (field: string) => OURS.some((each) => each.test(field));

function leaves(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((each, at) => leaves(each, `${path}[${at}]`));
  if (value === null || typeof value !== 'object') return [path];
  return Object.entries(value).flatMap(([key, each]) => leaves(each, path === '' ? key : `${path}.${key}`));
}

const callables = publicCallables();
const propsOf = (match: (callable: Callable) => boolean): Param[] =>
  callables
    .filter(match)
    .flatMap(({ params }) =>
      params.flatMap(({ name, model }) =>
        model.kind === 'struct' ? model.props : [{ name, isOptional: false, isRest: false, model }],
      ),
    );

/** Whether a path like `auth.nonce.lifetime` leads through props and options of factories. */
function isProp(path: string, props: readonly Param[]): boolean {
  const [first, ...rest] = path.replace(/\[\d+\]/g, '').split('.');
  return props
    .filter(({ name }) => name === first)
    .some(({ model }) => rest.length === 0 || leads(rest.join('.'), model));
}

function leads(path: string, model: Model): boolean {
  if (model.kind === 'list') return leads(path, model.of);
  if (model.kind === 'record') return true;
  if (model.kind === 'struct') return isProp(path, model.props);
  if (model.kind !== 'class') return false;
  return isProp(
    path,
    propsOf(({ className, isStatic }) => isStatic && className === model.name),
  );
}

describe('the name of every field of the config', () => {
  it.each(GATEWAYS.map((options, at) => [at, options] as const))(
    'is that of a prop, gateway %i',
    (_, options) => {
      const gateway = gatewayChart(options).node.findChild('Gateway') as ReturnType<typeof newGateway>;
      const spec = gateway._spec();
      const fields = leaves(modelOf(spec), '').filter((field) => !isOurs(field));
      expect(fields.length).toBeGreaterThan(40);
      const strangers = fields.filter((field) => {
        const [{ route, text }] = inPropWords([`${field}: must be other`], spec);
        const owner = route === undefined ? ['AgentGateway'] : ['McpRoute', 'SecretsRoute'];
        const where = text.slice(0, text.indexOf(':'));
        return !isProp(
          where,
          propsOf(({ className, method }) => method === undefined && owner.includes(className)),
        );
      });
      expect(strangers).toEqual([]);
    },
  );
});

describe('a message', () => {
  const of = (options: GatewayOptions) => problems(() => gatewayChart(options)).join('\n');

  it('about a gateway without routes says to add one, and nothing of issuers', () => {
    const chart = newChart();
    newGateway(chart);
    expect(problems(() => chart)).toEqual([
      '[test/Gateway] routes: must be at least one; add an McpRoute or a SecretsRoute',
    ]);
  });

  it.each<[string, GatewayOptions, string]>([
    [
      'a backend',
      { gateway: direct, mcp: { backendServerName: 'x' } },
      '[test/Mcp] backendServerName: must go with an https backend',
    ],
    [
      'an exchange',
      { gateway: direct, mcp: { tokenExchange } },
      '[test/Mcp] tokenExchange: must name the backend by audience or resource',
    ],
    [
      'certificates of clients',
      { mcp: { auth: AuthProfile.mtls() } },
      '[test/Mcp] auth.certificateFrom: must go with tlsSecretName, or no connection has a certificate, got ' +
        '"tls"; set tlsSecretName,',
    ],
    [
      'shared limits',
      { mcp: { rateLimit: RateLimit.tokenBucket({ maxTokens: 9, tokensPerFill: 1, shared: true }) } },
      '[test/Mcp] rateLimit.shared: must go with ReplayStore.redis',
    ],
    [
      'forwarded origins',
      { gateway: { ...direct, originFrom: OriginSource.FORWARDED } },
      '[test/Gateway] originFrom: must',
    ],
    ['the issuer', { gateway: { issuer: '' } }, '[test/Gateway] issuer: must not be empty'],
  ])('about %s names the prop', (_, options, said) => {
    expect(of(options)).toContain(said);
  });
});
