/**
 * What one value cannot say alone: rules between the parts of a gateway, beyond those that the proxy's parser
 * knows.
 */
import { AgentgatewayVersion } from '../data-plane';
import { OriginSource } from '../origin-source';
import { agentgatewayYaml } from './agentgateway-config';
import { ownSecrets, secretUses } from './files';
import { flowsOf } from './flow-graph';
import {
  GatewaySpec,
  leastMebibytes,
  mcpRoutes,
  secretsRoutes,
  SecretsRouteSpec,
  usesAgentgateway,
} from './gateway-spec';
import { inlineKeySets, issuerFaults, issuersOf } from './issuers';
import { configProblems } from './model';
import { fqdnFaults } from './network-policies';
import { Fault, say } from './text';

/** @param others gateways of the same namespace */
export function gatewayFaults(spec: GatewaySpec, others: readonly GatewaySpec[]): string[] {
  return [
    ...budgetFaults(spec),
    ...memoryFaults(spec),
    ...nodeFaults(spec),
    ...redisFaults(spec),
    ...peerFaults(spec),
    ...fqdnFaults(spec),
    ...secretsFaults(spec, others),
    ...purposeFaults(spec),
    ...issuerFaults(spec),
    ...dataPlaneFaults(spec),
  ].map(say);
}

function budgetFaults({ podDisruptionBudget, replicas }: GatewaySpec): Fault[] {
  if (!podDisruptionBudget || replicas > 1) return [];
  return [
    {
      where: 'podDisruptionBudget',
      want: 'must go with at least 2 replicas: with one it either blocks every node drain or protects nothing',
      got: replicas,
      next: 'choose ReplayStore.redis and more replicas, or leave podDisruptionBudget out',
    },
  ];
}

/** A Secret that is written for us is called after what it is for: a route must not be called like another one's. */
function purposeFaults(spec: GatewaySpec): Fault[] {
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

/** Less, and a pod is killed instead of refusing. */
function memoryFaults(spec: GatewaySpec): Fault[] {
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
function nodeFaults({ nodeFeatures, kubernetesMinor }: GatewaySpec): Fault[] {
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
function redisFaults({ replayStore: { _redis } }: GatewaySpec): Fault[] {
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

/** Each peer refuses to be the whole internet; several can be it together. */
const peerFaults = (spec: GatewaySpec): Fault[] =>
  flowsOf(spec)
    .everybody()
    .map(({ where, ranges }) => ({
      where: `NetworkPolicy, ${where}`,
      want: 'must not be open to the whole internet, which these peers hold together',
      got: ranges,
      next: 'name the ranges that are needed, or pods with Peer.pods',
    }));

/** Everybody on the path would read the Secrets: the node, the CNI, whoever mirrors traffic. */
const plain = ({ name }: SecretsRouteSpec): Fault => ({
  where: `route "${name}"`,
  want: 'must not answer Secrets over plain HTTP',
  next: 'give the gateway a tlsSecretName, for example with a GatewayCertificate; where something else encrypts all the way to the pod, say insecurePlainHttp: true',
});

function secretsFaults(spec: GatewaySpec, others: readonly GatewaySpec[]): Fault[] {
  const routes = secretsRoutes(spec);
  const own = [spec, ...others].flatMap(ownSecrets);
  const unreachable: Fault = {
    where: 'apiServer',
    want: 'is required with a SecretsRoute: the NetworkPolicy admits the API server by address',
    next: 'pass ApiServerAccess.of({ serviceIp, endpoints }); "kubectl get endpointslices -l kubernetes.io/service-name=kubernetes" prints both',
  };
  return [
    ...(routes.length > 0 && spec.apiServer === undefined ? [unreachable] : []),
    ...routes
      .filter(({ insecurePlainHttp }) => spec.tlsSecretName === undefined && !insecurePlainHttp)
      .map(plain),
    ...routes.flatMap(({ name, secretNames }) =>
      secretNames
        .filter((secret) => own.includes(secret))
        .map((secret): Fault => ({
          where: `route "${name}" secretNames`,
          want: "must not name a credential of the gateway itself, or of another in the namespace: a caller could then speak to the backend in the gateway's name",
          got: secret,
          next: 'remove it',
        })),
    ),
  ];
}

const PROP = {
  endpoints: 'backendEndpoints',
  serverName: 'backendServerName',
  certificateSecret: 'backendCertificateSecret',
  tokenExchange: 'tokenExchange',
} as const;

interface Key {
  readonly kid: string;
  readonly kty: string;
  readonly crv?: string;
}

function dataPlaneFaults(spec: GatewaySpec): Fault[] {
  if (!usesAgentgateway(spec)) return [];
  const next = 'choose DataPlane.direct()';
  const old = spec.dataPlane._version === AgentgatewayVersion.V0_12;
  const loads = (key: Key) =>
    key.kty === 'RSA' || ['P-256', 'P-384'].includes(key.crv!) || (!old && key.crv === 'Ed25519');
  const faults = [
    ...issuersOf(spec).flatMap(
      ({
        jwks: {
          _choice: { url, options },
        },
      }): Fault[] => [
        ...(url !== undefined && old
          ? [
              {
                where: 'jwks',
                want: 'must be a file with agentgateway v0.12, which fetches a URL once and never again',
                got: url,
                next: `${next}, v1.4, or JwksSource.fromFile`,
              },
            ]
          : []),
        ...(url !== undefined && options?.ca !== undefined
          ? [
              {
                where: 'jwks.ca',
                want: 'must not be set with agentgateway, which verifies a key set URL against public roots only',
                got: url,
                next: `${next}, or JwksSource.fromFile`,
              },
            ]
          : []),
      ],
    ),
    ...Object.values(inlineKeySets(spec))
      .flatMap((text) => (JSON.parse(text) as { keys: Key[] }).keys)
      .filter((key) => !loads(key))
      .map(({ kid }): Fault => ({
        where: 'jwks',
        want: `must hold only keys that agentgateway loads: RSA, P-256, P-384${old ? '' : ', Ed25519'}`,
        got: kid,
        next: `remove the key, or ${next}`,
      })),
    ...issuersOf(spec).flatMap(({ issuer, introspection }): Fault[] =>
      introspection === undefined
        ? []
        : [
            {
              where: 'auth.introspection',
              want: 'must not be used with agentgateway, which reads JWTs only',
              got: issuer,
              next,
            },
          ],
    ),
    ...(spec.originFrom === OriginSource.FORWARDED
      ? [
          {
            where: 'originFrom',
            want: 'must be CONFIG with agentgateway, whose accepted audiences are written at synth',
            got: spec.originFrom,
            next: `name the publicOrigins, or ${next}`,
          },
        ]
      : []),
    ...mcpRoutes(spec).flatMap((route): Fault[] => [
      ...(['endpoints', 'serverName', 'certificateSecret', 'tokenExchange'] as const)
        .filter((key) => route[key] !== undefined)
        .map((key): Fault => ({
          where: `route "${route.name}" ${PROP[key]}`,
          want: 'must be left out with agentgateway, which calls the backend itself',
          got: key === 'tokenExchange' ? route.tokenExchange?.url : route[key],
          next,
        })),
      ...(new URL(route.backendUrl).hostname.startsWith('[')
        ? [
            {
              where: `route "${route.name}" backend`,
              want: 'must not be an IPv6 literal with agentgateway',
              got: route.backendUrl,
              next: `name a host, or ${next}`,
            },
          ]
        : []),
      ...(old && (route.credentialHeader !== undefined || route.credentialPrefix !== undefined)
        ? [
            {
              where: `route "${route.name}" credentialHeader`,
              want: 'must be left out with agentgateway v0.12, which knows "Authorization: Bearer" only',
              next: `${next}, or v1.4`,
            },
          ]
        : []),
    ]),
  ];
  // Only a config that the parser accepts can be rendered.
  if (configProblems(spec).length > 0) return faults;
  const line = agentgatewayYaml(spec)
    .split('\n')
    .find((text) => text.includes('$'));
  return line === undefined
    ? faults
    : [
        ...faults,
        {
          where: 'dataPlane',
          want: 'must have no "$" in any value: agentgateway expands it with its environment',
          got: line.trim(),
          next: `rename the value, or ${next}`,
        },
      ];
}
