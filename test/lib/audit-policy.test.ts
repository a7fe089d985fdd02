import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'cdk8s';
import { parse } from 'yaml';
import { AuditPolicy, McpRoute } from '../../lib';
import { backendPeer, newChart, newGateway, synth } from '../support/synth';

function policy() {
  const chart = newChart();
  const gateway = newGateway(chart, { name: 'edge' });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
  return { chart, audit: new AuditPolicy(chart, 'Audit', { gateways: [gateway] }) };
}

describe('AuditPolicy', () => {
  it('is no API object', () => {
    const { chart } = policy();
    expect(synth(chart).filter((o) => o.kind === 'Policy')).toEqual([]);
  });
  it('records what the ServiceAccount of the gateway does, under the name that the pods run as', () => {
    const [first] = parse(policy().audit.toYaml()).rules;
    expect(first).toEqual({ level: 'Metadata', users: ['system:serviceaccount:aiops:edge-sa'] });
  });
  it('never records a body of Secrets, ConfigMaps or tokens', () => {
    const { rules } = parse(policy().audit.toYaml());
    const at = rules.findIndex(
      (r: any) => r.namespaces?.includes('aiops') && r.resources[0].resources.includes('secrets'),
    );
    expect(rules[at]).toMatchObject({
      level: 'Metadata',
      resources: [{ group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] }],
    });
    expect(rules[at].verbs).toBeUndefined();
    // First match wins: nothing before it may match a Secret with a body.
    for (const rule of rules.slice(0, at)) expect(['None', 'Metadata']).toContain(rule.level);
    for (const rule of rules.filter((r: any) => /Request/.test(r.level))) {
      expect(JSON.stringify(rule)).not.toMatch(/"secrets"|configmaps/);
    }
  });
  it('ends with a rule for everything, and omits no stage that carries a 401', () => {
    const { rules, omitStages } = parse(policy().audit.toYaml());
    expect(rules.at(-1)).toEqual({ level: 'Metadata' });
    expect(omitStages).toEqual(['RequestReceived']);
  });
  it('is saved as a file, but not where manifests are applied from', () => {
    const dir = mkdtempSync(join(tmpdir(), 'audit-'));
    try {
      const { chart, audit } = policy();
      audit.save(join(dir, 'deep', 'policy.yaml'));
      expect(readFileSync(join(dir, 'deep', 'policy.yaml'), 'utf8')).toBe(audit.toYaml());
      const wrong = join(App.of(chart).outdir, 'policy.yaml');
      expect(() => audit.save(wrong)).toThrow(
        /path: must not be a YAML file under .*whose files are applied to the cluster/,
      );
      expect(existsSync(wrong)).toBe(false);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
