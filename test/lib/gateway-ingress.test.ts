import { Size } from 'cdk8s';
import {
  AgentGatewayProps,
  AuthProfile,
  GatewayIngress,
  GatewayIngressProps,
  IngressController,
  McpRoute,
  Peer,
  SecretsRoute,
} from '../../lib';
import { apiServer, backendPeer, newChart, newGateway, only, problems, synth } from '../support/synth';

const TLS = { tlsSecretName: 'gateway-public' };

const reached = (
  settings: Partial<AgentGatewayProps> = {},
  props: Partial<GatewayIngressProps> = TLS,
  { secrets = false, secretsPrefix = '/secrets', mcp = true } = {},
) => {
  const chart = newChart();
  const gateway = newGateway(chart, {
    publicOrigins: ['https://gateway.example.com'],
    apiServer,
    ...settings,
  });
  if (mcp) new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
  const secret = new SecretsRoute(chart, 'Secrets', {
    gateway,
    secretNames: ['db'],
    pathPrefix: secretsPrefix,
    insecurePlainHttp: true,
    auth: AuthProfile.dpop(),
  });
  new GatewayIngress(chart, 'Ingress', {
    gateway,
    ingressClassName: 'public',
    controller: IngressController.NGINX,
    peer: Peer.namespace('ingress'),
    ...(secrets ? { routes: [secret] } : {}),
    ...props,
  });
  return chart;
};
const ingressOf = (...args: Parameters<typeof reached>) => only(synth(reached(...args)), 'Ingress');
const backend = { service: { name: 'agentgateway', port: { name: 'http' } } };
const metadataOf = (path: string) => `/.well-known/oauth-protected-resource${path}`;

describe('GatewayIngress', () => {
  it('brings clients over TLS to the MCP routes and their metadata, and to nothing else', () => {
    const { apiVersion, metadata, spec } = ingressOf();
    expect([apiVersion, metadata.name, metadata.namespace]).toEqual([
      'networking.k8s.io/v1',
      'agentgateway',
      'aiops',
    ]);
    expect(spec).toEqual({
      ingressClassName: 'public',
      tls: [{ hosts: ['gateway.example.com'], secretName: 'gateway-public' }],
      rules: [
        {
          host: 'gateway.example.com',
          http: {
            paths: [
              { path: '/mcp', pathType: 'Prefix', backend },
              { path: metadataOf('/mcp'), pathType: 'Exact', backend },
            ],
          },
        },
      ],
    });
  });
  it('reaches the port of the Service that has this name', () => {
    const objects = synth(reached());
    expect(only(objects, 'Service').spec.ports).toContainEqual(
      expect.objectContaining({ name: backend.service.port.name, port: 8080 }),
    );
    expect(only(objects, 'Service').metadata.name).toBe(backend.service.name);
  });
  it('brings them to a secrets route where it is named', () => {
    const { paths } = ingressOf({}, TLS, { secrets: true }).spec.rules[0].http;
    expect(paths.map(({ path }: any) => path)).toEqual(['/secrets', metadataOf('/secrets')]);
  });
  it('has a rule for each host', () => {
    const publicOrigins = ['https://a.example', 'https://b.example:8443', 'http://plain.example'];
    const { rules, tls } = ingressOf({ publicOrigins }).spec;
    expect(rules.map(({ host }: any) => host)).toEqual(['a.example', 'b.example']);
    expect(tls[0].hosts).toEqual(['a.example', 'b.example']);
  });
  it('may take the certificate of the controller, or be without TLS for http origins where that is said', () => {
    expect(ingressOf({}, { defaultCertificate: true }).spec.tls).toEqual([
      { hosts: ['gateway.example.com'] },
    ]);
    const plain = ingressOf(
      { publicOrigins: ['http://gateway.example.com', 'https://other.example.com'] },
      { insecurePlainHttp: true },
    );
    expect(plain.spec.tls).toBeUndefined();
    expect(plain.spec.rules.map(({ host }: any) => host)).toEqual(['gateway.example.com']);
    expect(plain.metadata.annotations['nginx.ingress.kubernetes.io/ssl-redirect']).toBe('false');
  });
  it('lets nginx wait for events, pass them on at once, and take the bodies that the gateway takes', () => {
    const nginx = (size: string) => ({
      'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
      'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
      'nginx.ingress.kubernetes.io/proxy-send-timeout': '3600',
      'nginx.ingress.kubernetes.io/proxy-body-size': size,
      'nginx.ingress.kubernetes.io/ssl-redirect': 'true',
    });
    expect(ingressOf().metadata.annotations).toEqual(nginx('4194304'));
    const annotations = { 'cert-manager.io/cluster-issuer': 'public' };
    expect(
      ingressOf({ limits: { maxBody: Size.mebibytes(16) } }, { ...TLS, annotations }).metadata.annotations,
    ).toEqual({ ...annotations, ...nginx('16777216') });
  });
  it('keeps Traefik to the entry point with TLS, or to the one without', () => {
    const annotations = (props: Partial<GatewayIngressProps>, publicOrigins?: string[]) =>
      ingressOf(publicOrigins && { publicOrigins }, { controller: IngressController.TRAEFIK, ...props })
        .metadata.annotations;
    expect(annotations(TLS)).toEqual({
      'traefik.ingress.kubernetes.io/router.entrypoints': 'websecure',
      'traefik.ingress.kubernetes.io/router.tls': 'true',
    });
    expect(annotations({ insecurePlainHttp: true }, ['http://gateway.example.com'])).toEqual({
      'traefik.ingress.kubernetes.io/router.entrypoints': 'web',
    });
  });
  it('says nothing to another controller but what it is told', () => {
    const annotations = { 'example.com/timeout': '1h' };
    const controller = IngressController.OTHER;
    expect(ingressOf({}, { ...TLS, controller, annotations }).metadata.annotations).toEqual(annotations);
  });
  it('lets those who forward connect', () => {
    expect(only(synth(reached()), 'NetworkPolicy').spec.ingress).toContainEqual({
      from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
      ports: [{ port: 8080, protocol: 'TCP' }],
    });
  });
  it.each<[string, Parameters<typeof reached>, string]>([
    [
      'no TLS',
      [{}, {}],
      'tlsSecretName: must be given: without TLS whoever is on the way reads the tokens and the answers; ' +
        "name the Secret of type kubernetes.io/tls, or say defaultCertificate: true for the controller's own; " +
        'where something else encrypts all the way, say insecurePlainHttp: true',
    ],
    [
      'TLS and none of it',
      [{}, { ...TLS, insecurePlainHttp: true }],
      'tlsSecretName: must not go with another of defaultCertificate and insecurePlainHttp: one of the ' +
        'three says how clients are met, got {"tlsSecretName":"gateway-public","defaultCertificate":false,' +
        '"insecurePlainHttp":true}; say one of them',
    ],
    [
      'origins that nobody outside can use',
      [{ publicOrigins: undefined }],
      'gateway.publicOrigins: must name an https origin with a host name, which is what clients outside put ' +
        'into htu, got [',
    ],
    [
      'https origins alone without TLS',
      [{}, { insecurePlainHttp: true }],
      'gateway.publicOrigins: must name an http origin with a host name, which is what clients outside put ' +
        'into htu, got ["https://gateway.example.com"]; for example ["http://gateway.example.com"]',
    ],
    [
      'TLS in the pod',
      [{ tlsSecretName: 'tls' }],
      'gateway.tlsSecretName: must be left out: an Ingress speaks HTTP to the pods, got "tls"; end TLS at ' +
        'the Ingress alone, or use a GatewayExposure with gatewayCa',
    ],
    [
      'a prefix that something must cut off',
      [{ publicPathPrefix: '/ai' }],
      'gateway.publicPathPrefix: must be left out: an Ingress has no way of its own to cut a path off, got ' +
        '"/ai"; use a GatewayExposure, or give the routes the paths that clients see',
    ],
    [
      'a route whose callers prove themselves by their TLS connection',
      [{ auth: AuthProfile.mtls() }],
      'routes: must have no route with AuthProfile.mtls: an Ingress ends the TLS connection of the client, ' +
        'and passes on a certificate that the client only claims, got "mcp"; choose AuthProfile.dpop, or a ' +
        'front that writes the certificate itself: docs/guides/fronts.md',
    ],
    [
      'no MCP route',
      [{}, TLS, { mcp: false }],
      'routes: must be at least one route of the gateway, got 0; a SecretsRoute must be named',
    ],
    [
      'a route that lies under one that is reached',
      [{}, TLS, { secretsPrefix: '/mcp/secrets' }],
      'routes: must name "secrets", whose prefix lies under that of "mcp" and would be reached with it',
    ],
    [
      'an annotation of the library',
      [{}, { ...TLS, annotations: { 'nginx.ingress.kubernetes.io/proxy-buffering': 'on' } }],
      'annotations.nginx.ingress.kubernetes.io/proxy-buffering: must be left out: event streams and TLS ' +
        'need what the library says there for nginx, got "on"; leave it out, or choose ' +
        'IngressController.OTHER and say all of them',
    ],
    ...['use-regex', 'rewrite-target', 'configuration-snippet', 'server-snippet'].map(
      (name): [string, Parameters<typeof reached>, string] => [
        `the annotation ${name}, by which other paths are reached`,
        [{}, { ...TLS, annotations: { [`nginx.ingress.kubernetes.io/${name}`]: 'true' } }],
        `annotations.nginx.ingress.kubernetes.io/${name}: must be left out: it makes other paths reach the ` +
          'gateway, or is text of the nginx config, got "true"; patch the Ingress for it',
      ],
    ),
    [
      'an annotation with a key that is none',
      [{}, { ...TLS, annotations: { 'a b': 'c' } }],
      'annotations.a b: must have the key of an annotation, got "a b"',
    ],
  ])('refuses at synth, with its path: %s', (_, args, message) =>
    expect(problems(() => reached(...args)).join('\n')).toContain(`[test/Ingress] ${message}`),
  );
  it('refuses at once what is wrong by itself', () => {
    expect(() => reached({}, { ...TLS, ingressClassName: 'Public' })).toThrow(
      'ingressClassName: must be the name of a Kubernetes object (lower-case RFC 1123 subdomain), got "Public"',
    );
    expect(() => reached({}, { tlsSecretName: '' })).toThrow('tlsSecretName: must be the name of');
    const other = newChart();
    const gateway = newGateway(other);
    const route = new McpRoute(other, 'Other', { gateway, backend: 'mcp:5000', backendPeer });
    expect(() => reached({}, { ...TLS, routes: [route] })).toThrow(
      'routes: must be routes of the gateway, got "test/Other"',
    );
  });
});
