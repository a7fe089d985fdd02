/**
 * What a cluster must have for the manifests of an app, and what the app leaves to others: said once, at synth,
 * on standard error.
 */
import { ApiObject } from 'cdk8s';
import { IConstruct } from 'constructs';
import { AppRegistry } from '../spec/app-registry';
import { doubtsOf } from '../spec/doubts';
import { Requirement, REQUIREMENTS } from '../support/parser';
import { halvesElsewhere } from './other-half';

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
      : 'cdk8s-agentgateway: if a NetworkPolicy isolates these pods, it must allow, which this app does ' +
        `not\n${list(elsewhere)}`,
    doubts.length === 0 ? '' : `cdk8s-agentgateway: is this meant?\n${list(doubts)}`,
  ].join('');
}
