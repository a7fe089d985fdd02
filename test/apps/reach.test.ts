/** Who reaches whom in each example app, checked at both ends of the connection. */
import { App, Chart, Testing } from 'cdk8s';
import { demo } from '../../apps/demo';
import { quickstart } from '../../apps/quickstart';
import { reference } from '../../apps/reference';
import { End, reaches } from '../support/policies';
import { Manifest, only, synth } from '../support/synth';

const pod = (namespace: string, labels: Record<string, string>): End => ({ namespace, labels });
const DNS = pod('kube-system', { 'k8s-app': 'kube-dns' });
const INTERNET: End = { address: '203.0.113.9' };
const INTERNET_6: End = { address: '2001:db8::9' };

type Row = readonly [who: string, whom: string, port: number, reached: boolean];

interface Case {
  readonly build: (app: App) => Chart;
  readonly ends: Record<string, End>;
  readonly rows: readonly Row[];
}

const gatewayOf = (objects: Manifest[]): End => {
  const { metadata, spec } = only(objects, 'Deployment');
  return pod(metadata.namespace, spec.template.metadata.labels);
};

const CASES: Record<string, Case> = {
  quickstart: {
    build: quickstart,
    ends: {
      client: pod('mcp', { app: 'ai-agent' }),
      'client elsewhere': pod('default', { app: 'ai-agent' }),
      stranger: pod('mcp', { app: 'other' }),
      backend: pod('default', { app: 'my-mcp-server' }),
    },
    rows: [
      ['client', 'gateway', 8080, true],
      ['client', 'dns', 53, true],
      ['client', 'gateway', 9090, false],
      ['client', 'gateway', 8081, false],
      ['client', 'backend', 5000, false],
      ['client', 'stranger', 8080, false],
      ['client', 'internet', 443, false],
      ['client elsewhere', 'gateway', 8080, false],
      ['stranger', 'gateway', 8080, false],
      ['stranger', 'dns', 53, false],
      ['stranger', 'client', 8080, false],
      ['gateway', 'backend', 5000, true],
      ['gateway', 'backend', 22, false],
      ['gateway', 'dns', 53, true],
      ['gateway', 'client', 8080, false],
      ['gateway', 'internet', 443, false],
      ['gateway', 'internet over IPv6', 443, false],
    ],
  },
  reference: {
    build: reference,
    ends: {
      client: pod('aiops', { app: 'ai-agent' }),
      redis: pod('aiops', { app: 'redis' }),
      prometheus: pod('monitoring', { 'app.kubernetes.io/name': 'prometheus' }),
      stranger: pod('aiops', { app: 'other' }),
      backend: pod('default', { app: 'my-mcp-server' }),
      'api server': { address: '172.18.0.2' },
    },
    rows: [
      ['client', 'gateway', 8080, true],
      ['client', 'dns', 53, true],
      ['client', 'redis', 6379, false],
      ['client', 'api server', 6443, false],
      ['gateway', 'redis', 6379, true],
      ['gateway', 'redis', 22, false],
      ['gateway', 'backend', 5000, true],
      ['gateway', 'api server', 6443, true],
      ['gateway', 'internet', 443, false],
      ['redis', 'gateway', 8080, false],
      ['redis', 'dns', 53, false],
      ['stranger', 'redis', 6379, false],
      ['stranger', 'gateway', 8080, false],
      ['prometheus', 'gateway', 9090, true],
      ['prometheus', 'gateway', 8080, false],
    ],
  },
  demo: {
    build: demo,
    ends: {
      client: pod('agw-demo', { app: 'ai-agent' }),
      stranger: pod('agw-demo', { app: 'other' }),
      backend: pod('agw-demo', { app: 'mcp-server' }),
      'api server': { address: '172.18.0.2' },
    },
    rows: [
      ['client', 'gateway', 8080, true],
      ['client', 'backend', 5000, false],
      ['stranger', 'gateway', 8080, false],
      ['gateway', 'backend', 5000, true],
      ['gateway', 'api server', 6443, true],
      ['gateway', 'stranger', 8080, false],
    ],
  },
};

describe.each(Object.entries(CASES))('in %s', (_, { build, ends, rows }) => {
  const objects = synth(build(Testing.app()));
  const known: Record<string, End> = {
    ...ends,
    gateway: gatewayOf(objects),
    dns: DNS,
    internet: INTERNET,
    'internet over IPv6': INTERNET_6,
  };
  it.each(rows)('%s reaches %s on port %i: %p', (who, whom, port, reached) => {
    const protocol = port === 53 ? 'UDP' : 'TCP';
    expect(reaches(objects, { from: known[who], to: known[whom], port, protocol })).toBe(reached);
  });
});
