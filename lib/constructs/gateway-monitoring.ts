import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { alertRules } from '../manifests/alerts';
import { asGiven, emit, isOurs } from '../manifests/k8s';
import {
  checked,
  DURATION,
  instanceOf,
  listOf,
  oneOf,
  optional,
  recordOf,
  Shape,
  struct,
  TEXT,
} from '../support/kinds';
import { refuse, say } from '../support/text';
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
   * Labels of every alert, for its routing.
   *
   * @default - `severity` alone, which is `critical` or `warning`
   */
  readonly alertLabels?: Record<string, string>;

  /**
   * Where somebody who was woken reads on: the name of the alert is added to it.
   *
   * @default - no `runbook_url`
   */
  readonly runbookUrl?: string;

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
  without: optional(listOf(oneOf(GatewayAlert))),
};
const PROPS = struct('GatewayMonitoringProps', SHAPE);

/**
 * How the Prometheus Operator watches a gateway: a PodMonitor for its metrics, and a PrometheusRule with an
 * alert for each thing that somebody should be told of. Both are in the gateway's namespace and carry its name.
 *
 * @see https://prometheus-operator.dev/docs/api-reference/api/
 */
export class GatewayMonitoring extends Construct {
  constructor(scope: Construct, id: string, props: GatewayMonitoringProps) {
    super(scope, id);
    checkAlerting(checked(props, PROPS));
    const { gateway, runbookUrl, without = [] } = props;
    const seconds = scrapeSeconds(props.scrapeInterval);
    const meta = {
      name: gateway.serviceName,
      namespace: gateway.namespaceName,
      labels: { ...gateway._spec().labels, ...props.labels },
    };
    emit(this, 'Resource', asGiven(gvk('PodMonitor')), meta, () => ({
      spec: {
        selector: { matchLabels: gateway.selectorLabels },
        podMetricsEndpoints: [{ port: 'admin', path: '/metrics', scheme: 'http', interval: `${seconds}s` }],
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
    this.node.addValidation({ validate: () => duplicateViolations(this, isOurs).map(say) });
    this.node.addValidation({
      validate: () =>
        gateway._spec().metricsPeer !== undefined
          ? []
          : [
              say({
                where: 'gateway.metricsPeer',
                want: 'must be given: the NetworkPolicy lets nobody scrape',
                next: 'for example Peer.pods({ "app.kubernetes.io/name": "prometheus" }, { namespaceLabels: { "kubernetes.io/metadata.name": "monitoring" } })',
              }),
            ],
    });
  }
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

function checkAlerting({ runbookUrl, alertLabels }: GatewayMonitoringProps): void {
  if (runbookUrl !== undefined && !/^https?:\/\/[^\s"{}]+$/.test(runbookUrl)) {
    refuse({ where: 'runbookUrl', want: 'must be an http or https URL', got: runbookUrl });
  }
  if (alertLabels?.severity !== undefined) {
    refuse({
      where: 'alertLabels.severity',
      want: 'must be left out: each alert has its own',
      got: alertLabels.severity,
    });
  }
}

const gvk = (kind: string) => ({ apiVersion: 'monitoring.coreos.com/v1', kind });
