/** An app of its own for test/e2e/monitoring/alerts.test.ts, which is ESM. */
import { App, Chart } from 'cdk8s';
import { monitoredGateway } from './monitored';
import { GatewayMonitoring } from '../../lib';

const app = new App();
const chart = new Chart(app, 'monitored', { namespace: 'aiops' });
new GatewayMonitoring(chart, 'Monitoring', {
  gateway: monitoredGateway(chart),
  labels: { release: 'prometheus' },
  alertLabels: { team: 'platform' },
  dashboard: true,
  runbookUrl: 'https://runbooks.example/',
});
app.synth();
