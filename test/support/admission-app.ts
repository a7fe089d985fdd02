/**
 * An app of its own for test/e2e/cluster/admission.test.ts, which is ESM: three namespaces that differ in their
 * admission, and a gateway for the strict one.
 */
import { App, Chart } from 'cdk8s';
import {
  Admission,
  AdmissionRule,
  AgentGateway,
  ApiServerAccess,
  HardenedNamespace,
  JwksSource,
  SecretsRoute,
} from '../../lib';

const [jwks] = process.argv.slice(2) as [string];
const app = new App();
const chart = new Chart(app, 'strict', { namespace: 'strict' });
// The standard of 1.36 takes what that of 1.30 refuses: root in a user namespace.
new HardenedNamespace(chart, 'Namespace', { name: 'strict', minKubernetesVersion: '1.36' });
const gateway = new AgentGateway(chart, 'Gateway', {
  issuer: 'https://as.example',
  audience: 'gateway',
  jwks: JwksSource.fromFile(jwks),
  minKubernetesVersion: '1.36',
  apiServer: ApiServerAccess.of({ serviceIp: '10.96.0.1', endpoints: ['172.18.0.2'] }),
});
new SecretsRoute(chart, 'Secrets', {
  insecurePlainHttp: true,
  gateway,
  secretNames: ['database-credentials'],
});
const others = new Chart(app, 'others');
new HardenedNamespace(others, 'Warned', { name: 'warned', admission: Admission.warn() });
new HardenedNamespace(others, 'Excepted', {
  name: 'excepted',
  admission: Admission.deny({ without: [AdmissionRule.IMAGE_DIGEST] }),
});
new HardenedNamespace(others, 'Plain', { name: 'plain', admission: Admission.none() });
app.synth();
