/** That a client gets through it is shown in test/e2e/exposure.test.ts. */
import {
  AgentGatewayProps,
  AuthProfile,
  CaBundle,
  GatewayCertificate,
  GatewayExposure,
  GatewayExposureProps,
  McpRoute,
  Peer,
  SecretsRoute,
} from '../../lib';
import { describeCrds, validator } from '../support/crds';
import { apiServer, backendPeer, newChart, newGateway, only, problems, synth } from '../support/synth';

const peer = Peer.namespace('ingress');
const parents = [{ name: 'public', namespace: 'ingress' }];
const publicOrigins = ['https://gateway.example.com'];

const exposed = (
  settings: Partial<AgentGatewayProps> = {},
  props: Partial<GatewayExposureProps> = {},
  { secrets = false, mcp = 1, secretsPrefix = '/secrets' } = {},
) => {
  const chart = newChart();
  const gateway = newGateway(chart, { publicOrigins, apiServer, ...settings });
  for (let n = 0; n < mcp; n++) {
    new McpRoute(chart, `Mcp${n}`, {
      gateway,
      backend: 'mcp:5000',
      backendPeer,
      pathPrefix: n === 0 ? '/mcp' : `/mcp-${n}`,
    });
  }
  const secret = new SecretsRoute(chart, 'Secrets', {
    insecurePlainHttp: true,
    gateway,
    secretNames: ['db'],
    pathPrefix: secretsPrefix,
  });
  new GatewayExposure(chart, 'Exposure', {
    gateway,
    parents,
    peer,
    ...(secrets ? { routes: [secret] } : {}),
    ...props,
  });
  return chart;
};
const specOf = (...args: Parameters<typeof exposed>) => only(synth(exposed(...args)), 'HTTPRoute').spec;
const backendRefs = [{ group: '', kind: 'Service', name: 'agentgateway', port: 8080, weight: 1 }];
const metadata = (path: string) => ({
  matches: [{ path: { type: 'Exact', value: `/.well-known/oauth-protected-resource${path}` } }],
  backendRefs,
});

describe('GatewayExposure', () => {
  it('exposes the MCP routes and their metadata, without a limit in time, and nothing else', () => {
    expect(specOf()).toEqual({
      parentRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', ...parents[0] }],
      hostnames: ['gateway.example.com'],
      rules: [
        {
          matches: [{ path: { type: 'PathPrefix', value: '/mcp' } }],
          backendRefs,
          timeouts: { request: '0s' },
        },
        metadata('/mcp'),
      ],
    });
  });
  it('cuts the public prefix off, but not of metadata, whose path has it behind', () => {
    const { rules } = specOf({ publicPathPrefix: '/ai' });
    expect(rules[0]).toMatchObject({
      matches: [{ path: { type: 'PathPrefix', value: '/ai/mcp' } }],
      filters: [
        {
          type: 'URLRewrite',
          urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/mcp' } },
        },
      ],
    });
    expect(rules[1]).toEqual(metadata('/ai/mcp'));
  });
  it('exposes a secrets route where it is named', () => {
    expect(specOf({}, {}, { secrets: true }).rules.map(({ matches }: any) => matches[0].path.value)).toEqual([
      '/secrets',
      '/.well-known/oauth-protected-resource/secrets',
    ]);
  });
  it('has no metadata of routes whose tokens no authorization server makes', () => {
    expect(specOf({ auth: AuthProfile.selfSigned() }).rules).toHaveLength(1);
  });
  it('takes the host names of https origins once each, and not those of the Service', () => {
    const origins = [
      'https://b.example',
      'https://b.example:8443',
      'https://a.example',
      'http://plain.example',
      'https://agentgateway.aiops.svc:8080',
      'https://agentgateway.aiops',
      'https://192.0.2.1',
    ];
    expect(specOf({ publicOrigins: origins }).hostnames).toEqual(['b.example', 'a.example']);
  });
  it('has TLS to the pods verified, by names that their certificate has; once, whatever leads to them', () => {
    const gatewayCa = CaBundle.fromConfigMap('gateway-ca');
    const chart = exposed({ tlsSecretName: 'tls' }, { gatewayCa });
    const { gateway } = chart.node.findChild('Mcp0') as McpRoute;
    const again = (ca: CaBundle) =>
      new GatewayExposure(chart, `Again-${ca._name}`, {
        gateway,
        parents,
        peer,
        gatewayCa: ca,
        name: 'again',
      });
    again(gatewayCa);
    new GatewayCertificate(chart, 'Certificate', { gateway, issuer: 'internal' });
    const objects = synth(chart);
    const { apiVersion, metadata: meta, spec } = only(objects, 'BackendTLSPolicy');
    expect([apiVersion, meta.name, meta.namespace]).toEqual([
      'gateway.networking.k8s.io/v1',
      'agentgateway',
      'aiops',
    ]);
    expect(spec).toEqual({
      targetRefs: [{ group: '', kind: 'Service', name: 'agentgateway', sectionName: 'http' }],
      validation: {
        caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'gateway-ca' }],
        hostname: 'agentgateway.aiops.svc',
      },
    });
    expect(only(objects, 'Service').spec.ports[0].name).toBe(spec.targetRefs[0].sectionName);
    expect(only(objects, 'Certificate').spec.dnsNames).toContain(spec.validation.hostname);
    expect(() => again(CaBundle.fromConfigMap('other-ca'))).toThrow(
      'gatewayCa: must be the one of another GatewayExposure of the gateway, gateway-ca: a Service has one, ' +
        'got "other-ca"',
    );
  });
  it('lets those who forward connect', () => {
    expect(only(synth(exposed()), 'NetworkPolicy').spec.ingress).toContainEqual({
      from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
      ports: [{ port: 8080, protocol: 'TCP' }],
    });
  });
  it.each<[string, Parameters<typeof exposed>, string]>([
    [
      'origins that nobody outside can use',
      [{ publicOrigins: undefined }],
      'gateway.publicOrigins: must name an https origin with a host name, which is what clients outside put ' +
        'into htu, got ["http://agentgateway.aiops.svc.cluster.local:8080"',
    ],
    [
      'TLS in the pod that nobody can verify',
      [{ tlsSecretName: 'tls' }],
      'gatewayCa: must be given where the gateway ends TLS itself: those in front verify it by its CA, got ' +
        '"tls"; for example CaBundle.fromConfigMap("gateway-ca"); or leave gateway.tlsSecretName out',
    ],
    [
      'a CA of a gateway that has no certificate',
      [{}, { gatewayCa: CaBundle.fromConfigMap('gateway-ca') }],
      'gatewayCa: must go with gateway.tlsSecretName: without it the gateway speaks HTTP, and has no ' +
        'certificate, got "gateway-ca"; give the gateway a tlsSecretName, for example with a ' +
        'GatewayCertificate, or leave gatewayCa out',
    ],
    [
      'a CA that some implementations do not read',
      [{ tlsSecretName: 'tls' }, { gatewayCa: CaBundle.fromSecret('gateway-ca') }],
      'gatewayCa: must be "ca.crt" of a ConfigMap, which every implementation of BackendTLSPolicy reads, ' +
        'got "secret gateway-ca, ca.crt"; CaBundle.fromConfigMap("gateway-ca"), which trust-manager can write',
    ],
    [
      'a key of it that is another one',
      [{ tlsSecretName: 'tls' }, { gatewayCa: CaBundle.fromConfigMap('gateway-ca', 'tls.crt') }],
      'gatewayCa: must be "ca.crt" of a ConfigMap, which every implementation of BackendTLSPolicy reads, ' +
        'got "configMap gateway-ca, tls.crt"',
    ],
    [
      'a route that lies under an exposed one',
      [{}, {}, { secretsPrefix: '/mcp/secrets' }],
      'routes: must name "secrets", whose prefix lies under that of "mcp0" and would be reached with it, ' +
        'got "/mcp/secrets"; name it, or give it a prefix of its own',
    ],
    [
      'no MCP route',
      [{}, {}, { mcp: 0 }],
      'routes: must be at least one route of the gateway, got 0; a SecretsRoute must be named',
    ],
    [
      'more routes than an HTTPRoute has rules',
      [{}, {}, { mcp: 16 }],
      'routes: must be 1 to 15 routes of the gateway, got 16; expose some of them by another ' +
        'GatewayExposure of another name',
    ],
  ])('refuses at synth: %s', (_, args, message) =>
    expect(problems(() => exposed(...args)).join('\n')).toContain(message),
  );
  it('refuses at once what is wrong by itself', () => {
    expect(() => exposed({}, { parents: [] })).toThrow('parents: must list at least one Gateway, got []');
    expect(() => exposed({}, { parents: [{ name: 'Public' }] })).toThrow(
      'parents[0].name: must be the name of a Kubernetes object',
    );
    const other = newChart();
    const route = new McpRoute(other, 'Other', {
      gateway: newGateway(other),
      backend: 'mcp:5000',
      backendPeer,
    });
    expect(() => exposed({}, { routes: [route] })).toThrow(
      'routes: must be routes of the gateway, got "test/Other"',
    );
  });
});

describeCrds('the CRDs of the Gateway API', () => {
  it('take the HTTPRoute, and not a mutant of it', () => {
    const route = only(
      synth(
        exposed(
          { publicPathPrefix: '/ai' },
          { parents: [{ name: 'public', namespace: 'ingress', sectionName: 'https' }] },
        ),
      ),
      'HTTPRoute',
    );
    const valid = validator('gw-httproutes.yaml', route.apiVersion);
    expect([valid(route), valid.errors]).toEqual([true, null]);
    route.spec.rules[0].timeouts.request = 'never';
    expect(valid(route)).toBe(false);
  });
});
