/**
 * An app of its own for test/e2e/cluster/api-server.test.ts, which is ESM: writes the manifests of a gateway
 * that reads Secrets in a hardened namespace, and its audit policy.
 */
import { App, Chart } from 'cdk8s';
import {
  AgentGateway,
  ApiServerAccess,
  AuditPolicy,
  HardenedNamespace,
  JwksSource,
  SecretsRoute,
} from '../../lib';

const [jwks, auditPolicy, ...secretNames] = process.argv.slice(2) as [string, string, ...string[]];
const app = new App();
const chart = new Chart(app, 'secrets', { namespace: 'aiops' });
new HardenedNamespace(chart, 'Namespace', { name: 'aiops' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'gateway',
  jwks: JwksSource.fromFile(jwks),
  apiServer: ApiServerAccess.of({ serviceIp: '10.96.0.1', endpoints: ['172.18.0.2'] }),
});
new SecretsRoute(chart, 'Secrets', { insecurePlainHttp: true, gateway, secretNames });
new AuditPolicy(chart, 'Audit', { gateways: [gateway] }).save(auditPolicy);
app.synth();
