/**
 * What one value cannot say alone: rules between the parts of a gateway, beyond those that the proxy's parser
 * knows.
 */
import { ownSecrets, secretUses } from '../config/mounted-files';
import { serviceHosts } from '../spec/exposure';
import { flowsOf, portOf } from '../spec/flow-graph';
import {
  GatewaySpec,
  leastMebibytes,
  McpRouteSpec,
  mcpRoutes,
  mostReplicas,
  secretsRoutes,
  SecretsRouteSpec,
} from '../spec/gateway-spec';
import { issuerViolations } from '../spec/issuers';
import { directHosts, questionsOf } from '../spec/questions';
import { PORT } from '../support/ports-and-paths';
import { Violation, say } from '../support/text';
import { NetworkPolicyFlavor } from '../values/network';
import { autoscalingViolations } from './autoscaling-violations';
import { dataPlaneViolations } from './data-plane-violations';
import { extraViolations } from './extra-violations';
import { sizeViolations } from './size-violations';
import { storeViolations } from './store-violations';
import { valkeyViolations } from './valkey-violations';
import { workloadViolations } from './workload-violations';

/** @param others gateways of the same namespace */
export function gatewayViolations(spec: GatewaySpec, others: readonly GatewaySpec[]): string[] {
  return [
    ...budgetViolations(spec),
    ...autoscalingViolations(spec),
    ...memoryViolations(spec),
    ...nodeViolations(spec),
    ...workloadViolations(spec),
    ...extraViolations(spec),
    ...storeViolations(spec),
    ...valkeyViolations(spec),
    ...redisViolations(spec),
    ...peerViolations(spec),
    ...egressViolations(spec),
    ...fqdnViolations(spec),
    ...secretsViolations(spec, others),
    ...purposeViolations(spec),
    ...issuerViolations(spec),
    ...loopViolations(spec),
    ...dataPlaneViolations(spec),
    ...sizeViolations(spec),
  ].map(say);
}

function budgetViolations(spec: GatewaySpec): Violation[] {
  if (!spec.podDisruptionBudget || mostReplicas(spec) > 1) return [];
  return [
    {
      where: 'podDisruptionBudget',
      want: 'must go with at least 2 replicas: with one it either blocks every node drain or protects nothing',
      got: mostReplicas(spec),
      next: 'choose ReplayStore.redis and more replicas, or leave podDisruptionBudget out',
    },
  ];
}

/** A name can be held to only by a CNI that sees the answers of DNS, and only where the gateway is the one who asks. */
function fqdnViolations(spec: GatewaySpec): Violation[] {
  const named = flowsOf(spec).flows.filter(({ end }) => end.kind === 'fqdn');
  return named.flatMap(({ end, way, purpose }): Violation[] => {
    const got = end.kind === 'fqdn' ? end.name : undefined;
    if (way === 'ingress' || purpose !== 'other') {
      const who = way === 'ingress' ? 'whoever connects to the gateway' : 'who answers DNS';
      return [
        {
          where: 'Peer.fqdn',
          want: `must not be ${who}: addresses come from DNS answers that the gateway asks for`,
          got,
          next: 'name pods with Peer.pods or addresses with Peer.cidr',
        },
      ];
    }
    if (spec.networkPolicyFlavor === NetworkPolicyFlavor.CILIUM) return [];
    return [
      {
        where: 'Peer.fqdn',
        want: 'must go with networkPolicyFlavor: a NetworkPolicy knows pods and addresses, no names',
        got,
        next: 'on Cilium choose NetworkPolicyFlavor.CILIUM; elsewhere name the addresses with Peer.cidr',
      },
    ];
  });
}

/** A Secret that is written for us is called after what it is for: a route must not be called like another one's. */
function purposeViolations(spec: GatewaySpec): Violation[] {
  const purposes = secretUses(spec)
    .filter(({ source }) => source._name === undefined)
    .map(({ purpose }) => purpose);
  return purposes
    .filter((purpose, i) => purposes.indexOf(purpose) !== i)
    .map((purpose) => ({
      where: 'route name',
      want: 'must not be what another credential of the gateway is called',
      got: purpose,
      next: 'rename the route',
    }));
}

/** A request would go round until the gateway has no connection left. */
function loopViolations(spec: GatewaySpec): Violation[] {
  return mcpRoutes(spec).flatMap((route) =>
    [route.backendUrl, ...(route.endpoints ?? [])]
      .filter((url) => leadsBack(url, route, spec))
      .map((got) => ({
        where: `route "${route.name}" backend`,
        want: 'must be an MCP server, not the gateway itself',
        got,
        next: 'name the Service of the MCP server',
      })),
  );
}

function leadsBack(backend: string, { pathPrefix }: McpRouteSpec, spec: GatewaySpec): boolean {
  if (!URL.canParse(backend)) return false;
  const { hostname, origin, pathname } = new URL(backend);
  const isService = [spec.name, ...serviceHosts(spec)].includes(hostname.replace(/\.$/, ''));
  if (isService && portOf(backend) === PORT.traffic) return true;
  // Behind an ingress other paths of the same origin lead elsewhere.
  const path = pathname === '/' ? pathPrefix : pathname;
  const served = spec.routes.map((route) => (spec.publicPathPrefix ?? '') + route.pathPrefix);
  return spec.publicOrigins.includes(origin) && served.some((at) => `${path}/`.startsWith(`${at}/`));
}

/** Less, and a pod is killed instead of refusing. */
function memoryViolations(spec: GatewaySpec): Violation[] {
  const [least, got] = [leastMebibytes(spec), spec.memory.toMebibytes()];
  return got >= least
    ? []
    : [
        {
          where: 'memory',
          want: `must be at least ${least} MiB for this many workers, connections and maxEntries`,
          got: `${got} MiB`,
          next: 'give more, allow fewer connections (limits.maxConnections), or remember fewer proofs',
        },
      ];
}

/** An API server that does not know a field drops it: what was asked for would be missing in silence. */
function nodeViolations({ nodeFeatures, kubernetesMinor }: GatewaySpec): Violation[] {
  if (kubernetesMinor >= 33) return [];
  return (['userNamespace', 'strictSupplementalGroups'] as const)
    .filter((prop) => nodeFeatures[prop])
    .map((where) => ({
      where,
      want: 'must go with minKubernetesVersion "1.33" or later: older API servers drop the field',
      got: `1.${kubernetesMinor}`,
      next: 'raise minKubernetesVersion, or leave it out',
    }));
}

/** Sentinels and servers, or members, listen on ports of their own. */
function redisViolations({ replayStore: { _redis } }: GatewaySpec): Violation[] {
  const several = _redis?.topology !== undefined && _redis.topology._kind !== 'single';
  const port = _redis?.peer._members.map((member) => member.port).find((p) => p !== undefined);
  return several && port !== undefined
    ? [
        {
          where: 'replayStore.peer',
          want: 'must have no port with a cluster or sentinels: the addresses have theirs',
          got: port,
        },
      ]
    : [];
}

/** Who is asked must be reached somehow: by a peer, or through the egress proxy. */
function egressViolations(spec: GatewaySpec): Violation[] {
  const open = questionsOf(spec).filter(({ peer }) => peer === undefined);
  if (spec.egressProxy === undefined) {
    return open.map(({ prop, url }) => ({
      where: `${prop}.peer`,
      want: 'must be set, as the gateway has no egressProxy',
      got: url,
      next: 'name who answers there with Peer, or set egressProxy',
    }));
  }
  if (open.length > 0) {
    const direct = directHosts(spec);
    return open
      .filter(({ url }) => URL.canParse(url) && direct.includes(new URL(url).hostname))
      .map(({ prop, url }) => ({
        where: `${prop}.peer`,
        want: 'must be set, as the same host is asked directly for something else',
        got: url,
        next: 'name who answers there with Peer in both places, or in none',
      }));
  }
  return [
    {
      where: 'egressProxy',
      want: 'must be used: nothing that the gateway asks goes through it',
      got: spec.egressProxy.url,
      next: 'leave out the peer of what the proxy reaches, or leave out egressProxy',
    },
  ];
}

/** Each peer refuses to be the whole internet; several can be it together. */
const peerViolations = (spec: GatewaySpec): Violation[] =>
  flowsOf(spec)
    .everybody()
    .map(({ where, ranges }) => ({
      where: `NetworkPolicy, ${where}`,
      want: 'must not be open to the whole internet, which these peers hold together',
      got: ranges,
      next: 'name the ranges that are needed, or pods with Peer.pods',
    }));

/** Everybody on the path would read the Secrets: the node, the CNI, whoever mirrors traffic. */
const plain = ({ name }: SecretsRouteSpec): Violation => ({
  where: `route "${name}"`,
  want: 'must not answer Secrets over plain HTTP',
  next:
    'give the gateway a tlsSecretName, for example with a GatewayCertificate; where something else encrypts ' +
    'all the way to the pod, say insecurePlainHttp: true',
});

function secretsViolations(spec: GatewaySpec, others: readonly GatewaySpec[]): Violation[] {
  const routes = secretsRoutes(spec);
  const own = [spec, ...others].flatMap(ownSecrets);
  const unreachable: Violation = {
    where: 'apiServer',
    want: 'is required with a SecretsRoute: the NetworkPolicy admits the API server by address',
    next:
      'pass ApiServerAccess.of({ serviceIp, endpoints }); ' +
      '"kubectl get endpointslices -l kubernetes.io/service-name=kubernetes" prints both',
  };
  return [
    ...(routes.length > 0 && spec.apiServer === undefined ? [unreachable] : []),
    ...routes
      .filter(({ insecurePlainHttp }) => spec.tlsSecretName === undefined && !insecurePlainHttp)
      .map(plain),
    ...routes.flatMap(({ name, secretNames }) =>
      secretNames
        .filter((secret) => own.includes(secret))
        .map((secret): Violation => ({
          where: `route "${name}" secretNames`,
          want:
            'must not name a credential of the gateway itself, or of another in the namespace: a caller could ' +
            "then speak to the backend in the gateway's name",
          got: secret,
          next: 'remove it',
        })),
    ),
  ];
}
