import {
  AgentGatewayProps,
  AuthProfile,
  CaBundle,
  DataPlane,
  EgressProxy,
  JwksSource,
  Peer,
  SecretSource,
  TokenExchange,
} from '../../lib';
import { all, dataOf, gatewayChart, GatewayOptions, manifests, pod, problems } from '../support/synth';

const PROXY_PEER = Peer.cidr('198.51.100.9/32');
const COLLECTOR_PEER = Peer.pods({ app: 'collector' });
const proxy: EgressProxy = { url: 'http://proxy.example.com:3128', peer: PROXY_PEER };
const introspection = {
  url: 'https://as.example/introspect',
  clientId: 'gateway',
  clientSecret: SecretSource.existing('introspection', 'secret'),
};
const exchange: TokenExchange = {
  url: 'https://sts.example/token',
  clientId: 'gateway',
  clientSecret: SecretSource.existing('exchange', 'secret'),
  audience: 'backend',
};
/** Everything that a gateway asks on its own account, through the proxy. */
const options = (props: Partial<AgentGatewayProps> = {}): GatewayOptions => ({
  gateway: {
    dataPlane: DataPlane.direct(),
    jwks: JwksSource.fromUrl('https://idp.example/jwks', {}),
    auth: AuthProfile.dpop({ introspection }),
    tracing: { url: 'https://collector.example/v1/traces' },
    egressProxy: proxy,
    ...props,
  },
  mcp: { tokenExchange: exchange },
});
const configOf = (objects: ReturnType<typeof manifests>) =>
  JSON.parse(dataOf(objects, 'config.json')) as { egressProxy: object };
/** Whom the gateway may reach, but for DNS and its backend. */
const reached = (objects: ReturnType<typeof manifests>) =>
  all(objects, 'NetworkPolicy')
    .find(({ metadata }) => metadata.name.endsWith('-allow') || metadata.name === 'agentgateway')!
    .spec.egress.map(({ to, ports }: any) => `${JSON.stringify(to)} ${ports.map((p: any) => p.port)}`)
    .filter((line: string) => !/kube-dns|"mcp"/.test(line));
const refused = (of: GatewayOptions) => problems(() => gatewayChart(of)).join('\n');

describe('an egress proxy', () => {
  it('is all that a gateway reaches whose questions have no peer, with agentgateway too', () => {
    const jwks = JwksSource.fromUrl('https://idp.example/jwks', {});
    expect(reached(manifests({ gateway: { egressProxy: proxy, jwks } }))).toEqual([
      expect.stringMatching(/198\.51\.100\.9\/32.* 3128$/),
    ]);
    const objects = manifests(options());
    expect(reached(objects)).toEqual([expect.stringMatching(/198\.51\.100\.9\/32.* 3128$/)]);
    expect(configOf(objects).egressProxy).toEqual({ url: proxy.url, direct: [] });
  });
  it('is passed by for what has a peer, which is reached as before', () => {
    const tracing = { url: 'http://collector.observability.svc:4318/v1/traces', peer: COLLECTOR_PEER };
    const objects = manifests(options({ tracing }));
    expect(reached(objects).sort()).toEqual([
      expect.stringMatching(/198\.51\.100\.9\/32.* 3128$/),
      expect.stringMatching(/"app":"collector".* 4318$/),
    ]);
    expect(configOf(objects).egressProxy).toEqual({
      url: proxy.url,
      direct: ['collector.observability.svc'],
    });
  });
  it('has its credentials and its certificates as mounted files', () => {
    const egressProxy: EgressProxy = {
      url: 'https://proxy.example.com',
      peer: PROXY_PEER,
      ca: CaBundle.fromConfigMap('proxy-ca'),
      credentials: SecretSource.existing('proxy-account', 'account'),
    };
    const objects = manifests(options({ egressProxy }));
    expect(configOf(objects).egressProxy).toEqual({
      url: 'https://proxy.example.com',
      caFile: '/etc/gateway/ca/egress-proxy.crt',
      credentials: { file: '/etc/gateway/credentials/egress-proxy' },
      direct: [],
    });
    expect(JSON.stringify(pod(objects).volumes)).toMatch(
      /"key":"account","path":"credentials\/egress-proxy"}\],"name":"proxy-account"/,
    );
    expect(reached(objects)).toEqual([expect.stringMatching(/198\.51\.100\.9\/32.* 443$/)]);
  });
  it('must be there where a question has no peer: each is named', () => {
    const said = refused(options({ egressProxy: undefined }));
    for (const prop of ['jwks', 'auth.introspection', 'route "mcp" tokenExchange', 'tracing'])
      expect(said).toContain(`${prop}.peer: must be set, as the gateway has no egressProxy`);
  });
  it('must be used by something', () => {
    expect(refused({ gateway: { egressProxy: proxy } })).toContain(
      'egressProxy: must be used: nothing that the gateway asks goes through it, got "http://proxy.example.com:3128"',
    );
  });
  it('cannot be asked for a host that is asked directly, too', () => {
    const tracing = { url: 'https://idp.example/v1/traces', peer: COLLECTOR_PEER };
    expect(refused(options({ tracing }))).toContain(
      'jwks.peer: must be set, as the same host is asked directly for something else',
    );
  });
  it('takes no credentials in its URL, and no path', () => {
    for (const url of ['http://user:password@proxy.example.com:3128', 'http://proxy.example.com/path']) {
      const build = () => gatewayChart(options({ egressProxy: { url, peer: PROXY_PEER } }));
      expect(build).toThrow('egressProxy.url: must be an http(s) origin');
      expect(build).not.toThrow('password@');
    }
  });
  it('has certificates of its own only with https', () => {
    const ca = CaBundle.fromConfigMap('proxy-ca');
    expect(refused(options({ egressProxy: { ...proxy, ca } }))).toContain(
      'egressProxy.ca: must go with an https url',
    );
  });
});
