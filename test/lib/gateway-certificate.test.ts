import { Duration } from 'cdk8s';
import { AgentGatewayProps, GatewayCertificate, GatewayCertificateProps, McpRoute } from '../../lib';
import { describeCrds, validator } from '../support/crds';
import { backendPeer, newChart, newGateway, only, pod, problems, synth } from '../support/synth';

const certified = (
  settings: Partial<AgentGatewayProps> = {},
  props: Partial<GatewayCertificateProps> = {},
) => {
  const chart = newChart();
  const gateway = newGateway(chart, { tlsSecretName: 'gateway-tls', ...settings });
  new McpRoute(chart, 'Mcp', { gateway, backend: 'mcp:5000', backendPeer });
  new GatewayCertificate(chart, 'Certificate', { gateway, issuer: 'internal', ...props });
  return chart;
};
const service = ['agentgateway.aiops.svc.cluster.local', 'agentgateway.aiops.svc', 'agentgateway.aiops'];

describe('GatewayCertificate', () => {
  it('has cert-manager write the Secret that the gateway mounts, for every name it has', () => {
    const objects = synth(
      certified(
        {
          publicOrigins: [
            'https://gateway.example.com',
            'https://agentgateway.aiops.svc:8080',
            'http://plain.example',
          ],
        },
        { clusterIssuer: true, duration: Duration.days(30) },
      ),
    );
    expect(only(objects, 'Certificate').spec).toEqual({
      secretName: 'gateway-tls',
      dnsNames: [...service, 'gateway.example.com'],
      issuerRef: { name: 'internal', kind: 'ClusterIssuer', group: 'cert-manager.io' },
      privateKey: { algorithm: 'ECDSA', size: 256, rotationPolicy: 'Always' },
      usages: ['digital signature', 'server auth'],
      duration: '2592000s',
    });
    expect(
      pod(objects)
        .volumes.flatMap((v: any) => v.projected?.sources ?? [])
        .map((s: any) => s.secret?.name),
    ).toContain('gateway-tls');
  });
  it('is for the Service alone where nobody else reaches it, from an Issuer of the namespace', () => {
    expect(only(synth(certified()), 'Certificate').spec).toMatchObject({
      dnsNames: service,
      issuerRef: { kind: 'Issuer' },
    });
  });
  it('is for the names that are asked for instead', () => {
    const dnsNames = ['gateway.example.com', '*.gateway.example.com'];
    expect(only(synth(certified({}, { dnsNames })), 'Certificate').spec.dnsNames).toEqual(dnsNames);
    for (const wrong of [
      [],
      ['a', 'a'],
      ['A.example'],
      ['https://a.example'],
      ['a.*.example'],
      ['a.example:443'],
    ])
      expect(() => certified({}, { dnsNames: wrong })).toThrow('must be one or more lower-case host names');
  });
  it('refuses a gateway that does not end TLS, and a certificate that is over at once', () => {
    expect(problems(() => certified({ tlsSecretName: undefined })).join('\n')).toContain(
      'gateway.tlsSecretName: must be given: it names the Secret that cert-manager writes; for example ' +
        'tlsSecretName: "agentgateway-tls"',
    );
    expect(() => certified({}, { duration: Duration.minutes(5) })).toThrow(
      'duration: must be whole seconds, and at least 1 hour, got "5 minutes"',
    );
    expect(() => certified({}, { issuer: 'My Issuer' })).toThrow(
      'issuer: must be the name of a Kubernetes object',
    );
  });
});

describeCrds('the CRDs of cert-manager 1.21', () => {
  it('take the Certificate, and not a mutant of it', () => {
    const certificate = only(synth(certified()), 'Certificate');
    const valid = validator('cm-certificates.yaml', certificate.apiVersion);
    expect([valid(certificate), valid.errors]).toEqual([true, null]);
    certificate.spec.privateKey.rotationPolicy = 'Sometimes';
    expect(valid(certificate)).toBe(false);
  });
});
