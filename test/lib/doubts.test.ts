/** What used to be accepted in silence: refused where it is never right, spoken of at synth where it seldom is. */
import { DataPlane, HardenedNamespace, JwksSource, McpRoute, McpRule, Peer } from '../../lib';
import { notesText } from '../../lib/manifests/notes';
import { backendPeer, gatewayChart, GatewayOptions, newChart, newGateway, problems } from '../support/synth';

const found = (options: GatewayOptions) => problems(() => gatewayChart(options));
const direct = { dataPlane: DataPlane.direct() };

describe('synth refuses', () => {
  it.each([
    'agentgateway:8080',
    'http://agentgateway.aiops:8080/other',
    'agentgateway.aiops.svc:8080',
    'http://agentgateway.aiops.svc.cluster.local.:8080',
  ])('%s as a backend, which is the gateway itself', (backend) => {
    expect(found({ mcp: { backend } })).toEqual([
      expect.stringMatching(
        new RegExp(
          [
            /\[test\/Gateway\] route "mcp" backend: must be an MCP server, not the gateway itself, got /,
            /"http.*; name the Service/,
          ]
            .map((part) => part.source)
            .join(''),
        ),
      ),
    ]);
  });
  it('an endpoint, and a public origin, that is the gateway itself', () => {
    const backendEndpoints = ['http://mcp-0:8080', 'http://agentgateway:8080'];
    expect(found({ gateway: direct, mcp: { backend: 'mcp:8080', backendEndpoints } })).toEqual([
      expect.stringContaining('not the gateway itself, got "http://agentgateway:8080"'),
    ]);
    const gateway = { publicOrigins: ['https://ai.example'], publicPathPrefix: '/ai' };
    expect(found({ gateway, mcp: { backend: 'https://ai.example/ai/mcp/x' } }).join()).toContain(
      'not the gateway itself',
    );
    expect(found({ gateway, mcp: { backend: 'https://ai.example/ai/mcps' } })).toEqual([]);
    expect(found({ gateway, mcp: { backend: 'https://ai.example/elsewhere' } })).toEqual([]);
  });
  it('nothing of a neighbour with another name, port or namespace', () => {
    for (const backend of ['agentgateway:8081', 'agentgateway.other:8080', 'agentgateway2:8080']) {
      expect([backend, found({ mcp: { backend } })]).toEqual([backend, []]);
    }
  });

  it.each([
    [
      'allowedOrigins',
      { mcp: { allowedOrigins: ['https://*.example.com'] } },
      'Mcp',
      'an origin: of http(s), chrome-extension, moz-extension, app, tauri or vscode-webview, and nothing after it',
    ],
    [
      'publicOrigins',
      { gateway: { publicOrigins: ['https://*.example.com'] } },
      'Gateway',
      'an http(s) origin: scheme, host and port, nothing else',
    ],
  ])('a wildcard in %s, which would match nothing', (prop, options, at, want) => {
    expect(found(options)).toEqual([
      `[test/${at}] ${prop}[0]: must be ${want}, got "https://*.example.com"; name each origin: a wildcard ` +
        'matches nothing',
    ]);
  });

  it('names on a method that carries none, since the rule would let nothing pass', () => {
    const of = (...allow: McpRule[]) => found({ gateway: direct, mcp: { allow } });
    expect(of({ method: 'tools/call', names: ['a'] }, { method: 'tools/list', names: ['a'] })).toEqual([
      expect.stringMatching(
        /^\[test\/Mcp\] allow\[1\]\.names: must be left out: .*, got "tools\/list"; a name is in tools\/call, /,
      ),
    ]);
    expect(of({ method: 'tools/*', names: ['a'] }, { method: 'tools/list' })).toEqual([]);
    expect(of({ method: 'notifications/*', names: ['a'] }).join()).toContain(
      'allow[0].names: must be left out',
    );
  });
});

describe('a factory refuses', () => {
  it.each(['kube-system', 'kube-public'])('the namespace %s, which is for Kubernetes itself', (name) => {
    const said = /: must not begin with "kube-": .*, got "kube-.*"; give the gateway a namespace of its own/;
    expect(() => new HardenedNamespace(newChart(), 'Namespace', { name })).toThrow(said);
    expect(() => newGateway(newChart(), { namespace: name })).toThrow(said);
    expect(() => Peer.namespace(name)).not.toThrow();
  });
  it.each(['v1.30', '1.30.4', 'v1.30.4'])(
    '%s as a version, and says which was meant',
    (minKubernetesVersion) => {
      expect(() => newGateway(newChart(), { minKubernetesVersion })).toThrow(
        'minKubernetesVersion: must be "1.30" or later: older servers do not know the preStop sleep, got ' +
          `"${minKubernetesVersion}"; did you mean "1.30"?`,
      );
    },
  );
  it('a version that is too old, without naming it as the one that was meant', () => {
    expect(() => newGateway(newChart(), { minKubernetesVersion: '1.29' })).toThrow(
      /got "1\.29"; name the oldest minor/,
    );
    expect(() => newGateway(newChart(), { minKubernetesVersion: 'v1.29' })).toThrow(
      /got "v1\.29"; name the oldest/,
    );
  });
});

describe('synth asks', () => {
  const said = (options: GatewayOptions, client?: Peer) => {
    const chart = gatewayChart(options);
    const gateway = chart.node.findChild('Gateway') as ReturnType<typeof newGateway>;
    if (client !== undefined) gateway.allowFrom(client);
    const [, asked] = notesText(chart.node.root, 30).split('cdk8s-agentgateway: is this meant?\n');
    return (
      asked
        ?.trim()
        .split('\n')
        .map((line) => line.trim()) ?? []
    );
  };
  const client = Peer.pods({ app: 'agent' });

  it('about a gateway to which nobody can connect', () => {
    expect(said({})).toEqual([
      'agentgateway in aiops: nobody can connect, since no client is named; call allowFrom, or make a GatewayExposure',
    ]);
    expect(said({}, client)).toEqual([]);
  });
  it('about a method that is none of MCP, and names the near ones', () => {
    const allow = [
      { method: 'tool/call' },
      { method: 'tools/*' },
      { method: 'resources/templates/list' },
      { method: 'vendor/x' },
    ];
    expect(said({ gateway: direct, mcp: { allow } }, client)).toEqual([
      'agentgateway in aiops: route "mcp" allows "tool/call", which is no method of MCP; did you mean one ' +
        'of tools/call?',
      'agentgateway in aiops: route "mcp" allows "vendor/x", which is no method of MCP',
    ]);
  });
  it('about an issuer that ends in a slash, once', () => {
    const chart = newChart();
    const gateway = newGateway(chart, {
      issuer: 'https://idp.example/',
      jwks: JwksSource.fromConfigMap('keys'),
    });
    gateway.allowFrom(client);
    for (const name of ['a', 'b']) {
      new McpRoute(chart, name, { gateway, backend: 'mcp:5000', backendPeer, pathPrefix: `/${name}` });
    }
    const text = notesText(chart.node.root, 30);
    expect(text.match(/is compared exactly/g)).toHaveLength(1);
    expect(text).toContain(
      'issuer "https://idp.example/" is compared exactly, with the "/" at its end; see that "issuer" in ' +
        'https://idp.example/.well-known/openid-configuration has it too',
    );
  });
});
