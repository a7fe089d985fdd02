/**
 * The other half of each flow. A NetworkPolicy admits a connection at one end; where the other end is denied
 * everything by a HardenedNamespace of the same app, that end needs a policy of its own. Elsewhere none is
 * emitted: the first policy that selects a pod isolates it from everything else.
 */
import { IConstruct } from 'constructs';
import { AppRegistry, HardenedScope, RegisteredGateway } from '../spec/app-registry';
import { Flow, flowsOf } from '../spec/flow-graph';
import { GatewaySpec } from '../spec/gateway-spec';
import { hashOf } from '../support/json';
import { oncePer } from '../support/memo';
import { inNamespace, namespaceOf, PolicyPeer } from '../values/peer-end';
import { asGiven, emit, k8s } from './k8s';
import { policyRules } from './network-policies';

/** A peer of a gateway, in the namespace in which it is. */
interface Half {
  readonly namespace: string;
  readonly rule: PolicyPeer;
}

/**
 * Emits the policies of this gateway's peers that are missing by now. Called whenever a gateway, a namespace, a
 * client or a route came. Objects are applied in the order of the app, so that only a namespace that came after
 * the gateway must be waited for: a dependency on one that came before would move it behind the gateway.
 *
 * @param later a namespace that came after the gateway
 */
export function emitOtherHalves(
  { construct, spec: currentSpec }: RegisteredGateway,
  later?: HardenedScope,
): void {
  const registry = AppRegistry.of(construct);
  const spec = currentSpec();
  for (const half of halvesOf(spec)) {
    if (later !== undefined && half.namespace !== later.namespaceName) continue;
    const namespace = registry.hardenedNamespace(half.namespace);
    if (namespace === undefined) continue;
    const id = idOf(spec, half);
    if (construct.node.tryFindChild(id) !== undefined) continue;
    const { name, labels } = spec;
    const metadata = { name: `${name}-${id}`, namespace: half.namespace, labels };
    // Rendered at the end of synth: the ports are those of all flows that the gateway has with the peer by then.
    const emitted = emit(construct, id, asGiven(k8s.KubeNetworkPolicy.GVK), metadata, () => ({
      spec: halfSpec(currentSpec(), half),
    }));
    if (namespace === later) emitted.node.addDependency(namespace);
  }
}

/** Readable, and another one for another gateway of the same name. */
function idOf({ namespace }: GatewaySpec, half: Half): string {
  const [label = 'all'] = Object.values(half.rule.podSelector?.matchLabels ?? {});
  const slug = label
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 30);
  return `peer-${slug}-${hashOf({ ...half, gateway: namespace }).slice(0, 6)}`;
}

/** Peers whose pods are all in one known namespace. Our own store has its policy everywhere. */
const halvesOf = oncePer((spec: GatewaySpec): Half[] => {
  const flows = flowsOf(spec).flows.filter(({ purpose }) => purpose !== 'own-store');
  const halves = flows.flatMap(({ end }): Half[] => {
    const namespace = end.kind === 'rule' ? namespaceOf(end.rule, spec.namespace) : undefined;
    return end.kind === 'rule' && namespace !== undefined ? [{ namespace, rule: end.rule }] : [];
  });
  return [...new Map(halves.map((half) => [JSON.stringify(half), half])).values()];
});

function halfSpec(spec: GatewaySpec, { namespace, rule }: Half): object {
  const key = JSON.stringify(rule);
  const mine = flowsOf(spec).flows.filter(
    ({ end }) => end.kind === 'rule' && JSON.stringify(end.rule) === key,
  );
  const gateway: PolicyPeer = {
    ...(namespace === spec.namespace ? {} : { namespaceSelector: inNamespace(spec.namespace) }),
    podSelector: { matchLabels: spec.selectorLabels },
  };
  const mirrored = mine.map((flow): Flow => ({
    ...flow,
    way: flow.way === 'ingress' ? 'egress' : 'ingress',
    end: { kind: 'rule', rule: gateway },
  }));
  const flows = [...mirrored, ...(mirrored.some(dials) ? dnsFlows(spec, namespace) : [])];
  const sides = { ingress: policyRules(flows, 'ingress'), egress: policyRules(flows, 'egress') };
  return {
    podSelector: rule.podSelector ?? {},
    policyTypes: [
      ...(sides.ingress.length > 0 ? ['Ingress'] : []),
      ...(sides.egress.length > 0 ? ['Egress'] : []),
    ],
    ...(sides.ingress.length > 0 ? { ingress: sides.ingress } : {}),
    ...(sides.egress.length > 0 ? { egress: sides.egress } : {}),
  };
}

const dials = ({ way }: Flow) => way === 'egress';

/** Who dials the gateway asks for its name first, where the gateway itself does. */
function dnsFlows(spec: GatewaySpec, namespace: string): Flow[] {
  return flowsOf(spec)
    .flows.filter(({ purpose }) => purpose === 'dns')
    .map((flow): Flow => {
      if (flow.end.kind !== 'rule' || namespace === spec.namespace) return flow;
      const { rule } = flow.end;
      const named =
        namespaceOf(rule, spec.namespace) === spec.namespace && rule.namespaceSelector === undefined;
      if (rule.ipBlock !== undefined || !named) return flow;
      return {
        ...flow,
        end: { kind: 'rule', rule: { ...rule, namespaceSelector: inNamespace(spec.namespace) } },
      };
    });
}

/** What the user must see to, for peers whose namespace this app does not make: a line each, read at synth. */
export function halvesElsewhere(app: IConstruct): string[] {
  const registry = AppRegistry.of(app);
  return registry.allGateways().flatMap(({ spec }) => {
    const gateway = spec();
    const lines = flowsOf(gateway).flows.flatMap((flow) => {
      const { end, purpose } = flow;
      if (end.kind !== 'rule' || end.rule.ipBlock !== undefined || purpose !== 'other') return [];
      const namespace = namespaceOf(end.rule, gateway.namespace);
      const isOurs = namespace !== undefined && registry.hardenedNamespace(namespace) !== undefined;
      return isOurs ? [] : [halfText(gateway, end.rule, flow)];
    });
    return [...new Set(lines)];
  });
}

function halfText({ name, namespace }: GatewaySpec, rule: PolicyPeer, { way, port, protocol }: Flow): string {
  const whom = peerText(rule, namespace);
  const gateway = `${name} in ${namespace}, ${port}/${protocol}`;
  return way === 'ingress'
    ? `egress of ${whom} to ${gateway}, and to DNS`
    : `ingress of ${whom} from ${gateway}`;
}

function peerText({ podSelector, namespaceSelector }: PolicyPeer, own: string): string {
  const labels = (matchLabels: Record<string, string>) =>
    Object.entries(matchLabels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
  const namespace = namespaceOf({ namespaceSelector }, own) ?? labels(namespaceSelector!.matchLabels);
  return `${podSelector === undefined ? 'every pod' : labels(podSelector.matchLabels)} in ${namespace}`;
}
