import { HardenedNamespace, McpRoute } from '../../lib';
import { backendPeer, newChart, newGateway, only, synth } from '../support/synth';

const objects = () => {
  const chart = newChart();
  new HardenedNamespace(chart, 'Namespace', {
    name: 'aiops',
    labels: { team: 'platform', 'pod-security.kubernetes.io/enforce': 'privileged' },
  });
  return synth(chart);
};

describe('HardenedNamespace', () => {
  it('enforces restricted at a pinned version, warns and audits at the latest, whatever labels are given', () => {
    expect(only(objects(), 'Namespace').metadata).toEqual({
      name: 'aiops',
      labels: {
        team: 'platform',
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/enforce-version': 'v1.30',
        'pod-security.kubernetes.io/warn': 'restricted',
        'pod-security.kubernetes.io/warn-version': 'latest',
        'pod-security.kubernetes.io/audit': 'restricted',
        'pod-security.kubernetes.io/audit-version': 'latest',
      },
    });
  });
  it('denies every pod all traffic until a policy allows it', () => {
    expect(only(objects(), 'NetworkPolicy')).toMatchObject({
      metadata: { namespace: 'aiops' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    });
  });
  it('gives the default ServiceAccount no token', () => {
    expect(only(objects(), 'ServiceAccount')).toMatchObject({
      metadata: { name: 'default' },
      automountServiceAccountToken: false,
    });
  });
  it('bounds what its pods may ask for, and has no ports on nodes', () => {
    expect(only(objects(), 'ResourceQuota').spec.hard).toMatchObject({
      pods: '50',
      'services.nodeports': '0',
      'services.loadbalancers': '0',
    });
    expect(only(objects(), 'LimitRange').spec.limits[0].default.memory).toBe('256Mi');
  });
  it('comes before what is in it, whichever was constructed first', () => {
    const chart = newChart();
    new McpRoute(chart, 'Mcp', { gateway: newGateway(chart), backend: 'mcp:5000', backendPeer });
    new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
    const kinds = synth(chart).map(({ kind }) => kind);
    expect(kinds.indexOf('Namespace')).toBe(0);
    expect(kinds.indexOf('Deployment')).toBeGreaterThan(kinds.indexOf('ResourceQuota'));
  });
  it('refuses an enforced version that moves', () => {
    expect(() => new HardenedNamespace(newChart(), 'N', { name: 'aiops', enforceVersion: 'latest' })).toThrow(
      'enforceVersion: must be pinned as "v1.<minor>", got "latest"; name the oldest minor that your clusters run, for example "v1.30"',
    );
  });
});
