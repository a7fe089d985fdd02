/** Renders the flows of a gateway: as NetworkPolicy what every CNI understands, the rest as CiliumNetworkPolicy. */
import { Flow, flowsOf, Rule, rulesOf, valkeyFlowsOf } from '../spec/flow-graph';
import { GatewaySpec } from '../spec/gateway-spec';
import { NetworkPolicyFlavor } from '../values/network';
import { LabelSelector, PolicyPeer } from '../values/peer-end';
import { valkeySelector } from '../values/valkey';

/** `spec` of the gateway's NetworkPolicy. A rule always has its peer, because one without admits everybody. */
export function networkPolicySpec(spec: GatewaySpec): object {
  return policyOf(
    spec.selectorLabels,
    flowsOf(spec).flows.filter((flow) => !isCiliums(spec, flow)),
  );
}

/** `spec` of the NetworkPolicy of the gateway's own Valkey. */
export const valkeyPolicySpec = (spec: GatewaySpec): object =>
  policyOf(valkeySelector(spec.name), valkeyFlowsOf(spec).flows);

function policyOf(matchLabels: Record<string, string>, flows: readonly Flow[]): object {
  const [ingress, egress] = [policyRules(flows, 'ingress'), policyRules(flows, 'egress')];
  return {
    podSelector: { matchLabels },
    policyTypes: ['Ingress', 'Egress'],
    // No rule is no connection of that type. The API server drops an empty list; a second apply would send it again.
    ...(ingress.length > 0 ? { ingress } : {}),
    ...(egress.length > 0 ? { egress } : {}),
  };
}

export function policyRules(flows: readonly Flow[], way: Flow['way']): object[] {
  const side = way === 'ingress' ? 'from' : 'to';
  return rulesOf(flows, way).flatMap(({ end, ports }) =>
    end.kind === 'rule' ? [{ [side]: [end.rule], ports }] : [],
  );
}

/**
 * Names, since a NetworkPolicy cannot say them; DNS, since Cilium learns a name's addresses only from answers
 * that pass its own proxy; the API server.
 */
const isCiliums = (spec: GatewaySpec, { end, purpose }: Flow) =>
  spec.networkPolicyFlavor === NetworkPolicyFlavor.CILIUM &&
  (end.kind === 'fqdn' || purpose === 'dns' || purpose === 'api-server');

/** `spec` of the gateway's CiliumNetworkPolicy, which only opens what the NetworkPolicy leaves out. */
export function ciliumPolicySpec(spec: GatewaySpec): object {
  const flows = flowsOf(spec).flows.filter((flow) => isCiliums(spec, flow));
  const dns = rulesOf(
    flows.filter(({ purpose }) => purpose === 'dns'),
    'egress',
  );
  const named = rulesOf(
    flows.filter(({ purpose }) => purpose === 'other'),
    'egress',
  );
  const apiServer = flows.filter(({ purpose }) => purpose === 'api-server');
  return {
    endpointSelector: { matchLabels: spec.selectorLabels },
    egress: [
      ...dns.map((rule) => ({
        ...ciliumPeer(rule),
        toPorts: [{ ports: ciliumPorts(rule), rules: { dns: [{ matchPattern: '*' }] } }],
      })),
      ...named.map((rule) => ({ ...ciliumPeer(rule), toPorts: [{ ports: ciliumPorts(rule) }] })),
      ...apiServerRule(apiServer),
    ],
  };
}

function apiServerRule(flows: readonly Flow[]): object[] {
  if (flows.length === 0) return [];
  const ports = [...new Set(flows.map(({ port }) => port))].map((port) => ({
    port,
    protocol: 'TCP' as const,
  }));
  return [{ toEntities: ['kube-apiserver'], toPorts: [{ ports: ciliumPorts({ ports }) }] }];
}

const ciliumPorts = ({ ports }: Pick<Rule, 'ports'>) =>
  ports.map(({ port, protocol }) => ({ port: String(port), protocol }));

function ciliumPeer({ end }: Rule): object {
  if (end.kind === 'rule') return ciliumRule(end.rule);
  return { toFQDNs: [end.name.startsWith('*') ? { matchPattern: end.name } : { matchName: end.name }] };
}

/** Where a selector has no namespace Cilium takes that of the policy, as Kubernetes does. */
function ciliumRule({ podSelector, namespaceSelector, ipBlock }: PolicyPeer): object {
  if (ipBlock !== undefined) return { toCIDR: [ipBlock.cidr] };
  const prefixed = (prefix: string, selector: LabelSelector | undefined) =>
    Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => [`${prefix}${key}`, value] as const);
  const matchLabels = Object.fromEntries([
    ...prefixed('k8s:io.cilium.k8s.namespace.labels.', namespaceSelector),
    ...prefixed('k8s:', podSelector),
  ]);
  return { toEndpoints: [{ matchLabels }] };
}
