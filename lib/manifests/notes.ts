/**
 * What a cluster must have for the manifests of an app, and what the app leaves to others: said once, at synth,
 * on standard error.
 */
import { ApiObject } from 'cdk8s';
import { IConstruct } from 'constructs';
import { AppRegistry } from '../spec/app-registry';
import { doubtsOf } from '../spec/doubts';
import { halvesElsewhere } from './other-half';

/** Who brings an API that no cluster has by itself. */
export interface Requirement {
  readonly apiVersion: string;
  /** Absent: every kind of it. */
  readonly kind?: string;
  readonly needs: string;
  /** Constructs and props that emit it. */
  readonly emittedBy: string;
}

export const REQUIREMENTS: readonly Requirement[] = [
  {
    apiVersion: 'external-secrets.io/v1',
    needs: 'External Secrets Operator 0.16 or later',
    emittedBy: '`SecretSource.externalSecret`, the stores of `SecretStoreRef`',
  },
  {
    apiVersion: 'cert-manager.io/v1',
    needs: 'cert-manager 1.0 or later',
    emittedBy: '`GatewayCertificate`',
  },
  {
    apiVersion: 'monitoring.coreos.com/v1',
    needs: 'Prometheus Operator (PodMonitor, PrometheusRule)',
    emittedBy: '`GatewayMonitoring`',
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    needs: 'Gateway API 1.1 or later, and a controller that implements it',
    emittedBy: '`GatewayExposure`',
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'BackendTLSPolicy',
    needs: 'Gateway API 1.4 or later, for BackendTLSPolicy',
    emittedBy: '`GatewayExposure` with `gatewayCa`',
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    needs: 'an Ingress controller of the class that is named',
    emittedBy: '`GatewayIngress`',
  },
  {
    apiVersion: 'autoscaling/v2',
    needs: 'metrics-server, and for `openStreams` an adapter that serves custom.metrics.k8s.io',
    emittedBy: '`autoscaling`',
  },
  {
    apiVersion: 'cilium.io/v2',
    needs: 'Cilium, with its DNS proxy',
    emittedBy: '`NetworkPolicyFlavor.CILIUM`',
  },
];

/** The API, and where only one kind of it is meant that. */
export const apiOf = ({ apiVersion, kind }: Requirement) =>
  kind === undefined ? apiVersion : `${apiVersion} ${kind}`;

const SAID = new WeakSet<IConstruct>();

/**
 * `CDK8S_AGENTGATEWAY_NOTES=off` keeps it silent. Never part of an error: a validation that calls this returns
 * nothing.
 */
export function sayNotes({ node: { root } }: IConstruct, kubernetesMinor: number): void {
  if (SAID.has(root) || process.env.CDK8S_AGENTGATEWAY_NOTES === 'off') return;
  SAID.add(root);
  process.stderr.write(notesText(root, kubernetesMinor));
}

export function notesText(root: IConstruct, kubernetesMinor: number): string {
  const used = new Set(
    root.node
      .findAll()
      .filter((c): c is ApiObject => ApiObject.isApiObject(c))
      .flatMap(({ apiVersion, kind }) => [apiVersion, `${apiVersion} ${kind}`]),
  );
  const needs = REQUIREMENTS.filter((r) => used.has(apiOf(r))).map((r) => r.needs);
  const elsewhere = halvesElsewhere(root);
  const doubts = AppRegistry.of(root)
    .allGateways()
    .flatMap(({ spec }) => doubtsOf(spec()));
  const list = (lines: readonly string[]) => lines.map((line) => `  ${line}\n`).join('');
  return [
    'cdk8s-agentgateway: the cluster must have\n',
    list([`Kubernetes 1.${kubernetesMinor} or later, and a CNI that enforces NetworkPolicy`, ...needs]),
    elsewhere.length === 0
      ? ''
      : `cdk8s-agentgateway: if a NetworkPolicy isolates these pods, it must allow, which this app does not\n${list(elsewhere)}`,
    doubts.length === 0 ? '' : `cdk8s-agentgateway: is this meant?\n${list(doubts)}`,
  ].join('');
}
