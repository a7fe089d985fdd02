import {
  ApiServerAccess,
  DataPlane,
  JwksSource,
  McpRoute,
  NetworkPolicyFlavor,
  Peer,
  RedisTopology,
  ReplayStore,
} from '../../lib';
import {
  backendPeer,
  gatewayChart,
  Manifest,
  manifests,
  newChart,
  newGateway,
  only,
  problems,
  synth,
} from '../support/synth';

const policy = (objects: Manifest[]) => only(objects, 'NetworkPolicy').spec;
const egress = (objects: Manifest[]) =>
  policy(objects).egress.map(
    (rule: Manifest) =>
      `${JSON.stringify(Object.values(rule.to[0])[0])} ${rule.ports.map((p: Manifest) => p.port)}`,
  );

describe('the network policy', () => {
  it('never has a rule without its peer', () => {
    const chart = gatewayChart({
      secrets: ['db'],
      gateway: {
        replayStore: ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) }),
        metricsPeer: Peer.namespace('monitoring'),
      },
    });
    const { ingress, egress: out, policyTypes } = policy(synth(chart));
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    for (const rule of ingress) expect(rule.from.length).toBeGreaterThan(0);
    for (const rule of out) expect(rule.to.length).toBeGreaterThan(0);
    for (const rule of [...ingress, ...out]) expect(rule.ports.length).toBeGreaterThan(0);
  });
  it('lets nobody in until somebody is allowed', () => {
    const { policyTypes, ingress } = policy(manifests());
    expect([policyTypes, ingress]).toEqual([['Ingress', 'Egress'], undefined]);
  });
  it('lets clients to 8080, the scraper to the metrics of both, nobody to the traffic port of agentgateway', () => {
    const chart = newChart();
    const gateway = newGateway(chart, {
      metricsPeer: Peer.pods(
        { app: 'prometheus' },
        { namespaceLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
      ),
    });
    gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));
    new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
    expect(policy(synth(chart)).ingress).toEqual([
      {
        from: [{ podSelector: { matchLabels: { app: 'ai-agent' } } }],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
      {
        from: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
            podSelector: { matchLabels: { app: 'prometheus' } },
          },
        ],
        ports: [9090, 15_020].map((port) => ({ port, protocol: 'TCP' })),
      },
    ]);
  });
  it('lets out to DNS and the backend, and to each thing that the config talks to when it does', () => {
    const usual = egress(manifests());
    expect(usual).toEqual([
      expect.stringMatching(/kube-system.* 53,53$/),
      expect.stringMatching(/"app":"mcp".* 5000$/),
    ]);
    const more = egress(
      manifests({
        secrets: ['db'],
        gateway: {
          jwks: JwksSource.fromUrl('https://idp.example/jwks', { peer: Peer.cidr('203.0.113.7/32') }),
          replayStore: ReplayStore.redis({ host: 'redis', peer: Peer.pods({ app: 'redis' }) }),
        },
      }),
    );
    expect(more.slice(2)).toEqual([
      expect.stringMatching(/"app":"redis".* 6379$/),
      expect.stringMatching(/203\.0\.113\.7\/32.* 443$/),
      expect.stringMatching(/10\.96\.0\.1\/32.* 443$/),
      expect.stringMatching(/172\.18\.0\.2\/32.* 6443$/),
    ]);
  });
  it.each(['0.0.0.0/0', '::/0', '2000::/3', '::/1', '64:ff9b::/96'])('cannot be opened to %s', (range) => {
    expect(() => Peer.cidr(range)).toThrow(
      `cidr: must not be the whole internet, got "${range}"; name the range that the backend lives in, or ` +
        'its pods with Peer.pods',
    );
  });
  // A selector that loses its labels on the way to the manifest is `{}`, which selects everybody.
  it.each<[string, unknown, string]>([
    ['an undefined label', { app: undefined }, 'labels.app: must be a string, got "undefined"'],
    ['a null label', { app: null }, 'labels.app: must be a string, got "null"'],
    ['a number', { app: 7 }, 'labels.app: must be a string, got 7'],
    ['a boolean', { app: true }, 'labels.app: must be a string, got true'],
    ['an empty label', { app: '' }, 'labels.app: must not be empty'],
    ['one lost label of two', { app: 'a', tier: undefined }, 'labels.tier: must be a string'],
    ['a string', 'app', 'labels: must be an object of label keys and values, got "app"; for example'],
    ['a list', ['app'], 'labels: must be an object of label keys and values, got "an array"'],
    ['nothing', undefined, 'labels: must be an object of label keys and values, got "undefined"'],
    ['null', null, 'labels: must be an object of label keys and values, got "null"'],
    ['a Map, which has no members', new Map([['app', 'a']]), 'labels: must have at least one label'],
  ])('has no selector of %s', (_, labels, said) => {
    expect(() => Peer.pods(labels as Record<string, string>)).toThrow(said);
    if (labels !== undefined) {
      expect(() => Peer.pods({ app: 'a' }, { namespaceLabels: labels as Record<string, string> })).toThrow(
        said.replace('labels', 'namespaceLabels'),
      );
    }
  });
  it('keeps the labels that were checked, whatever becomes of the object', () => {
    const labels: Record<string, string> = { app: 'a' };
    const chart = newChart();
    const gateway = newGateway(chart);
    gateway.allowFrom(Peer.pods(labels));
    new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
    delete labels.app;
    expect(policy(synth(chart)).ingress[0].from).toEqual([{ podSelector: { matchLabels: { app: 'a' } } }]);
  });
  it.each<[string, () => unknown, string]>([
    ['a namespace', () => Peer.namespace(undefined!), 'namespace: must be a string, got "undefined"'],
    ['an empty namespace', () => Peer.namespace(''), 'namespace: must be a lower-case RFC 1123 label'],
    ['a range', () => Peer.cidr(undefined!), 'cidr: must be a string, got "undefined"'],
    ['a client', () => newGateway(newChart()).allowFrom(undefined!), 'allowFrom: must be a Peer'],
    ['a client that is no peer', () => newGateway(newChart()).allowFrom({} as Peer), 'allowFrom: must be'],
  ])('has no peer made of %s that is missing', (_, make, said) => {
    expect(make).toThrow(said);
  });
  const allowed = (...ranges: string[]) =>
    problems(() => {
      const chart = newChart();
      const gateway = newGateway(chart);
      for (const range of ranges) gateway.allowFrom(Peer.cidr(range));
      new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
      return chart;
    }).join();
  it.each([
    ['two halves', ['0.0.0.0/1', '128.0.0.0/1']],
    ['four quarters in any order', ['192.0.0.0/2', '64.0.0.0/2', '0.0.0.0/2', '128.0.0.0/2']],
    ['all but what nobody has', ['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/3']],
    [
      'all but private addresses',
      [
        ...['0.0.0.0/5', '8.0.0.0/7', '11.0.0.0/8', '12.0.0.0/6', '16.0.0.0/4', '32.0.0.0/3', '64.0.0.0/2'],
        ...['128.0.0.0/3', '160.0.0.0/5', '168.0.0.0/6', '172.0.0.0/12', '172.32.0.0/11', '172.64.0.0/10'],
        ...['172.128.0.0/9', '173.0.0.0/8', '174.0.0.0/7', '176.0.0.0/4', '192.0.0.0/9', '192.128.0.0/11'],
        ...['192.160.0.0/13', '192.169.0.0/16', '192.170.0.0/15', '192.172.0.0/14', '192.176.0.0/12'],
        ...['192.192.0.0/10', '193.0.0.0/8', '194.0.0.0/7', '196.0.0.0/6', '200.0.0.0/5', '208.0.0.0/4'],
      ],
    ],
    ['two halves of IPv6', ['2000::/4', '3000::/4']],
    ['the same beside all the rest of IPv6', ['4000::/2', '8000::/1', '2000::/4', '3000::/4']],
  ])('cannot be opened to everybody in pieces: %s', (_, ranges) => {
    expect(allowed(...ranges)).toContain(
      'NetworkPolicy, ingress on port 8080/TCP: must not be open to the whole internet, which these peers ' +
        'hold together, got ["',
    );
  });
  it.each([
    [['0.0.0.0/1']],
    [['0.0.0.0/1', '128.0.0.0/2']],
    [['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']],
    [['2000::/4', '128.0.0.0/1']],
    [['fd00::/8', '3000::/4']],
  ])('is opened to %j, which is not everybody', (ranges) => {
    expect(allowed(...ranges)).toBe('');
  });
  it('checks each direction and port by itself, and what goes out too', () => {
    const route = (backend: string, range: string) => (chart: ReturnType<typeof newChart>, gateway: any) =>
      new McpRoute(chart, `Mcp${range[0]}`, {
        gateway,
        backend,
        backendPeer: Peer.cidr(range),
        pathPrefix: `/mcp${range[0]}`,
      });
    const both = (second: string) =>
      problems(() => {
        const chart = newChart();
        const gateway = newGateway(chart);
        route('a.example:5000', '0.0.0.0/1')(chart, gateway);
        route(second, '128.0.0.0/1')(chart, gateway);
        return chart;
      }).join();
    expect(both('b.example:5000')).toContain('NetworkPolicy, egress on port 5000/TCP: must not be open');
    expect(both('b.example:5001')).toBe('');
  });
  it.each(['10.0.0.1', 'x/8', '10.0.0.0/33'])('refuses the range %s', (range) => {
    expect(() => Peer.cidr(range)).toThrow(/cidr: must be an IP address, "\/" and a prefix length, got/);
  });
  it.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    ['10.0.0.0/08', '10.0.0.0/8'],
    ['192.0.2.129/25', '192.0.2.128/25'],
    ['fd00::1/8', 'fd00::/8'],
    ['FD00::/8', 'fd00::/8'],
    ['2001:db8:0:0::/32', '2001:db8::/32'],
  ])('refuses %s, which the API server refuses, and says what was meant', (range, meant) => {
    expect(() => Peer.cidr(range)).toThrow(`got "${range}"; did you mean "${meant}"?`);
    expect(() => Peer.cidr(meant)).not.toThrow();
  });
  it.each(['fe80::1%eth0/64', '::ffff:10.0.0.0/104', '::ffff:a00:0/104'])(
    'refuses %s, which is no range of its family',
    (range) => {
      expect(() => Peer.cidr(range)).toThrow(/cidr: must be an IP address/);
    },
  );
  it.each(['10.0.0.0/8', '192.0.2.1/32', 'fd00::/8', '2001:db8::1/128', '2001:db8:1:2::/64', '::1/128'])(
    'takes %s',
    (range) => expect(() => Peer.cidr(range)).not.toThrow(),
  );
  it.each<[string, RedisTopology, number[]]>([
    ['members of a cluster', RedisTopology.cluster('redis-1:7001', 'redis-2:7002'), [7000, 7001, 7002]],
    [
      'sentinels, and the servers behind them',
      RedisTopology.sentinel({ master: 'jti', sentinels: ['s2:26380'] }),
      [7000, 26380, 6379],
    ],
  ])('reaches %s on every port that they are given', (_, topology, ports) => {
    const store = (peer: Peer) => ({
      gateway: { replayStore: ReplayStore.redis({ host: 'redis', port: 7000, peer, topology }) },
    });
    const rule = only(manifests(store(Peer.pods({ app: 'redis' }))), 'NetworkPolicy').spec.egress.find(
      (r: any) => JSON.stringify(r.to).includes('"redis"'),
    );
    expect(rule.ports.map(({ port }: any) => port)).toEqual(ports);
    expect(
      problems(() => gatewayChart(store(Peer.pods({ app: 'redis' }, { port: 26379 })))).join(),
    ).toContain(
      'replayStore.peer: must have no port with a cluster or sentinels: the addresses have theirs, got 26379',
    );
  });
  it('admits clients whatever port they come from, and no peer that names one', () => {
    expect(() => newGateway(newChart()).allowFrom(Peer.pods({ app: 'a' }, { port: 9999 }))).toThrow(
      'allowFrom: must be given a peer without a port: clients connect from any, got 9999',
    );
  });
  it('takes several peers for every flow, each with its own port', () => {
    const dns = Peer.anyOf(
      Peer.cidr('169.254.20.10/32'),
      Peer.cidr('fd00::10/128'),
      Peer.pods(
        { 'k8s-app': 'kube-dns' },
        { namespaceLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      ),
    );
    const both = Peer.anyOf(Peer.pods({ app: 'mcp' }), Peer.pods({ app: 'canary' }, { port: 6000 }));
    expect(egress(manifests({ gateway: { dnsPeer: dns }, mcp: { backendPeer: both } }))).toEqual([
      '{"cidr":"169.254.20.10/32"} 53,53',
      '{"cidr":"fd00::10/128"} 53,53',
      expect.stringMatching(/kube-system.* 53,53$/),
      expect.stringMatching(/"app":"mcp".* 5000$/),
      expect.stringMatching(/"app":"canary".* 6000$/),
    ]);
    expect(() => Peer.anyOf()).toThrow('anyOf: must be given at least one peer');
    expect(() => Peer.anyOf(undefined as never)).toThrow('anyOf[0]: must be a Peer');
    expect(() => newGateway(newChart()).allowFrom(both)).toThrow('must be given a peer without a port');
  });
  it('takes the ranges in which API servers change their addresses, and none that is wider', () => {
    const access = (...endpoints: string[]) => ApiServerAccess.of({ serviceIp: 'fd00:10::1', endpoints });
    const given = access('10.0.1.0/24', 'fd00:1::/64', '10.0.2.7');
    expect(egress(manifests({ secrets: ['db'], gateway: { apiServer: given } })).slice(2)).toEqual([
      '{"cidr":"fd00:10::1/128"} 443',
      '{"cidr":"10.0.1.0/24"} 6443',
      '{"cidr":"fd00:1::/64"} 6443',
      '{"cidr":"10.0.2.7/32"} 6443',
    ]);
    expect(() => access('10.0.0.0/15')).toThrow(
      'apiServer.endpoints[0]: must be a range of /16 or narrower: whoever is in it is reached with the ' +
        'pod\'s token, got "10.0.0.0/15"; name the subnets of the API server',
    );
    expect(() => access('fd00::/47')).toThrow('must be a range of /48 or narrower');
    expect(() => access('10.0.1.7/24')).toThrow('did you mean "10.0.1.0/24"?');
  });
  describe('on Cilium', () => {
    const gateway = {
      networkPolicyFlavor: NetworkPolicyFlavor.CILIUM,
      jwks: JwksSource.fromUrl('https://idp.example/jwks', { peer: Peer.fqdn('idp.example') }),
    };
    const objects = manifests({
      secrets: ['db'],
      gateway: { ...gateway, dataPlane: DataPlane.direct() },
      mcp: { backend: 'https://api.vendor.example/mcp', backendPeer: Peer.fqdn('*.vendor.example') },
    });
    it('names hosts, lets Cilium see the answers of DNS, and finds the API server wherever it is', () => {
      expect(only(objects, 'CiliumNetworkPolicy').spec).toEqual({
        endpointSelector: {
          matchLabels: {
            'app.kubernetes.io/name': 'agentgateway',
            'app.kubernetes.io/instance': 'agentgateway',
          },
        },
        egress: [
          {
            toEndpoints: [
              {
                matchLabels: {
                  'k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name': 'kube-system',
                  'k8s:k8s-app': 'kube-dns',
                },
              },
            ],
            toPorts: [
              {
                ports: [
                  { port: '53', protocol: 'UDP' },
                  { port: '53', protocol: 'TCP' },
                ],
                rules: { dns: [{ matchPattern: '*' }] },
              },
            ],
          },
          {
            toFQDNs: [{ matchPattern: '*.vendor.example' }],
            toPorts: [{ ports: [{ port: '443', protocol: 'TCP' }] }],
          },
          {
            toFQDNs: [{ matchName: 'idp.example' }],
            toPorts: [{ ports: [{ port: '443', protocol: 'TCP' }] }],
          },
          {
            toEntities: ['kube-apiserver'],
            toPorts: [
              {
                ports: [
                  { port: '443', protocol: 'TCP' },
                  { port: '6443', protocol: 'TCP' },
                ],
              },
            ],
          },
        ],
      });
    });
    it('says each flow in one of the two policies only', () => {
      const { spec } = only(objects, 'NetworkPolicy');
      expect([spec.policyTypes, spec.ingress, spec.egress]).toEqual([
        ['Ingress', 'Egress'],
        undefined,
        undefined,
      ]);
      expect(manifests().map(({ kind }) => kind)).not.toContain('CiliumNetworkPolicy');
    });
    it('is the only place for names, and clients and DNS have none there either', () => {
      const elsewhere = { ...gateway, networkPolicyFlavor: undefined, dataPlane: DataPlane.direct() };
      expect(problems(() => gatewayChart({ gateway: elsewhere }))).toEqual([
        '[test/Gateway] Peer.fqdn: must go with networkPolicyFlavor: a NetworkPolicy knows pods and ' +
          'addresses, no names, got "idp.example"; on Cilium choose NetworkPolicyFlavor.CILIUM; elsewhere ' +
          'name the addresses with Peer.cidr',
      ]);
      const named = { metricsPeer: Peer.fqdn('prometheus.example'), dnsPeer: Peer.fqdn('dns.example') };
      const said = problems(() =>
        gatewayChart({ gateway: { ...gateway, ...named, dataPlane: DataPlane.direct() } }),
      );
      expect(said.join()).toContain('must not be whoever connects to the gateway');
      expect(said.join()).toContain('must not be who answers DNS');
    });
  });
  it.each(['example', 'API.example', '*.*.example', 'https://a.example', '*', '10.0.0.1', 'a..example'])(
    'refuses the name %s',
    (name) => {
      expect(() => Peer.fqdn(name)).toThrow(
        'fqdn: must be a lower-case host name with a dot, or "*." and one',
      );
    },
  );
});
