/** The Grafana dashboard of a gateway, which proxy/dashboard.mjs writes, with the gateway's name and job. */
import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { GatewaySpec } from '../spec/gateway-spec';
import { hashOf } from '../support/json';
import { assets } from '../support/parser';
import { jobOf } from './alerts';
import { emit, k8s } from './k8s';

const FILE = 'dashboard.json';
/** What the sidecar of Grafana's Helm chart looks for unless it is told otherwise. */
const FOUND_BY: Readonly<Record<string, string>> = { grafana_dashboard: '1' };
/** Flux would replace `${datasource}`, which is Grafana's. */
const ANNOTATIONS = { 'kustomize.toolkit.fluxcd.io/substitute': 'disabled' };

/** As much of Grafana's JSON model as is filled in. */
interface Model {
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

/** Grafana finds a dashboard by its uid (40 letters at most), whatever its title. */
function dashboardText(spec: GatewaySpec): string {
  const model = JSON.parse(assets(FILE)[FILE]) as Model;
  const job = jobOf(spec);
  const list = model.templating.list.map((variable) =>
    variable.name === 'job' ? { ...variable, query: job } : variable,
  );
  const named = { uid: `agw-${hashOf({ job })}`, title: `Agent gateway ${job}` };
  return JSON.stringify({ ...model, ...named, templating: { list } }, null, 2);
}

export function emitDashboard(scope: Construct, spec: GatewaySpec, labels = FOUND_BY): ApiObject {
  const { name, namespace } = spec;
  return emit(
    scope,
    'dashboard',
    k8s.KubeConfigMap,
    { name: `${name}-dashboard`, namespace, labels: { ...spec.labels, ...labels }, annotations: ANNOTATIONS },
    // The sidecar writes the files of every namespace into one folder.
    () => ({ data: { [`agentgateway-${namespace}-${name}.json`]: dashboardText(spec) } }),
    ['data'],
  );
}
