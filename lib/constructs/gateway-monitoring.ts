import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { agentgatewayJob, alertRules } from '../manifests/alerts';
import { emitDashboard } from '../manifests/dashboard';
import { asGiven, emit, isOurs } from '../manifests/k8s';
import { GatewaySpec, usesAgentgateway } from '../spec/gateway-spec';
import {
  checked,
  DURATION,
  FLAG,
  instanceOf,
  listOf,
  oneOf,
  optional,
  recordOf,
  Shape,
  struct,
  TEXT,
} from '../support/kinds';
import { checkedAt, refuse, say } from '../support/text';
import { duplicateViolations } from '../validation/duplicates';
import { GatewayAlert } from '../values/gateway-alert';
import { AgentGateway } from './agent-gateway';

/** Properties of a `GatewayMonitoring`. */
export interface GatewayMonitoringProps {
  /** The gateway, which must have a `metricsPeer`: its NetworkPolicy lets nobody else scrape. */
  readonly gateway: AgentGateway;

  /**
   * Labels of both objects, by which your Prometheus selects them; with kube-prometheus-stack often
   * `{ release: 'prometheus' }`.
   *
   * @default - none but the gateway's
   */
  readonly labels?: Record<string, string>;

  /**
   * Time between two scrapes, in whole seconds; 5 seconds to 1 minute, since the shortest window of the alerts
   * is 2 minutes.
   *
   * @default Duration.seconds(30)
   */
  readonly scrapeInterval?: Duration;

  /**
   * Labels of every alert, for its routing, beside those that each has: `namespace` and `gateway`, which say whose it
   * is, and `severity`, which is `critical` or `warning`.
   *
   * @default - no others
   */
  readonly alertLabels?: Record<string, string>;

  /**
   * Where somebody who was woken reads on, as `runbook_url` of every alert: an http or https URL to which the name of
   * the alert is added, in lower case where the URL ends in "#", as the anchors of a rendered page are. A copy of
   * docs/runbook.md has a section for each alert.
   *
   * @default - docs/runbook.md of this project, at its section
   */
  readonly runbookUrl?: string;

  /**
   * Whether a Grafana dashboard is emitted, too, as a ConfigMap that the sidecar of Grafana's Helm chart loads: whether
   * the gateway is up, who is refused, whether it is the backend, whether it is full, and what changes soon.
   *
   * @default false
   */
  readonly dashboard?: boolean;

  /**
   * Labels of the dashboard's ConfigMap, by which the sidecar selects it, instead of the chart's default.
   *
   * @default - { grafana_dashboard: '1' }
   */
  readonly dashboardLabels?: Record<string, string>;

  /**
   * Alerts that nobody wants.
   *
   * @default - none: every alert that the gateway's settings can raise
   */
  readonly without?: GatewayAlert[];
}

const SHAPE: Shape<GatewayMonitoringProps> = {
  gateway: instanceOf(AgentGateway),
  labels: optional(recordOf(TEXT)),
  scrapeInterval: optional(DURATION),
  alertLabels: optional(recordOf(TEXT)),
  runbookUrl: optional(TEXT),
  dashboard: optional(FLAG),
  dashboardLabels: optional(recordOf(TEXT)),
  without: optional(listOf(oneOf(GatewayAlert))),
};
const PROPS = struct('GatewayMonitoringProps', SHAPE);

/** Of this project's documentation: a section for each alert. */
const RUNBOOK = 'https://github.com/cdk8s-agentgateway/cdk8s-agentgateway/blob/main/docs/runbook.md#';

/**
 * How the Prometheus Operator watches a gateway: a PodMonitor for its metrics, and a PrometheusRule with an
 * alert for each thing that somebody should be told of. Both are in the gateway's namespace and carry its name. A
 * dashboard, where it is asked for, is in a ConfigMap beside them.
 *
 * @see https://prometheus-operator.dev/docs/api-reference/api/
 */
export class GatewayMonitoring extends Construct {
  constructor(scope: Construct, id: string, props: GatewayMonitoringProps) {
    super(scope, id);
    const seconds = checkedAt(this.node.path, () => {
      checkAlerting(checked(props, PROPS));
      return scrapeSeconds(props.scrapeInterval);
    });
    const { gateway, runbookUrl = RUNBOOK, without = [], dashboard = false } = props;
    const meta = {
      name: gateway.serviceName,
      namespace: gateway.namespaceName,
      labels: { ...gateway._spec().labels, ...props.labels },
    };
    emit(this, 'Resource', asGiven(gvk('PodMonitor')), meta, () => ({
      spec: {
        selector: { matchLabels: gateway.selectorLabels },
        podMetricsEndpoints: endpoints(gateway._spec(), seconds),
      },
    }));
    emit(this, 'rules', asGiven(gvk('PrometheusRule')), meta, () => ({
      spec: {
        groups: [
          {
            name: `${meta.namespace}.${meta.name}`,
            rules: alertRules(gateway._spec(), { runbookUrl, without, labels: props.alertLabels ?? {} }),
          },
        ],
      },
    }));
    if (dashboard) emitDashboard(this, gateway._spec(), props.dashboardLabels);
    this.node.addValidation({ validate: () => duplicateViolations(this, isOurs).map(say) });
    this.node.addValidation({
      validate: () =>
        gateway._spec().metricsPeer !== undefined
          ? []
          : [
              say({
                where: 'gateway.metricsPeer',
                want: 'must be given: the NetworkPolicy lets nobody scrape',
                next:
                  'for example Peer.pods({ "app.kubernetes.io/name": "prometheus" }, { namespaceLabels: { ' +
                  '"kubernetes.io/metadata.name": "monitoring" } })',
              }),
            ],
    });
  }
}

/** The proxy's metrics, and those of agentgateway under a job of its own. */
function endpoints(spec: GatewaySpec, seconds: number): object[] {
  const on = (port: string) => ({ port, path: '/metrics', scheme: 'http', interval: `${seconds}s` });
  if (!usesAgentgateway(spec)) return [on('admin')];
  const relabelings = [{ action: 'replace', targetLabel: 'job', replacement: agentgatewayJob(spec) }];
  return [on('admin'), { ...on('stats'), relabelings }];
}

function scrapeSeconds(interval = Duration.seconds(30)): number {
  const seconds = interval.toSeconds({ integral: false });
  if (!Number.isInteger(seconds) || seconds < 5 || seconds > 60) {
    refuse({
      where: 'scrapeInterval',
      want: 'must be whole seconds from 5 to 60',
      got: interval.toHumanString(),
    });
  }
  return seconds;
}

function checkAlerting({
  runbookUrl,
  alertLabels,
  dashboard,
  dashboardLabels,
}: GatewayMonitoringProps): void {
  if (dashboardLabels !== undefined && dashboard !== true)
    refuse({
      where: 'dashboardLabels',
      want: 'must be left out without dashboard: true',
      got: dashboardLabels,
    });
  if (runbookUrl !== undefined && !/^https?:\/\/[^\s"{}]+$/.test(runbookUrl)) {
    refuse({ where: 'runbookUrl', want: 'must be an http or https URL', got: runbookUrl });
  }
  for (const name of ['severity', 'namespace', 'gateway']) {
    if (alertLabels?.[name] === undefined) continue;
    refuse({
      where: `alertLabels.${name}`,
      want: 'must be left out: each alert has its own',
      got: alertLabels[name],
    });
  }
}

const gvk = (kind: string) => ({ apiVersion: 'monitoring.coreos.com/v1', kind });
