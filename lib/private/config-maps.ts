import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { agentgatewayYaml } from './agentgateway-config';
import { GatewaySpec, usesAgentgateway } from './gateway-spec';
import { inlineKeySets } from './issuers';
import { contentHash } from './json';
import { k8s } from './k8s';
import { configText } from './model';
import { asset } from './parser';

/** What each ConfigMap of a gateway is called after the gateway's name, and what is in it. */
export const CONTENT = {
  config: (spec: GatewaySpec) => ({ 'config.json': configText(spec), ...inlineKeySets(spec) }),
  dataPlane: (spec: GatewaySpec) => ({ 'config.yaml': agentgatewayYaml(spec), ...inlineKeySets(spec) }),
  // Each library is a chunk of its own, and each ConfigMap fits kubectl's annotation: see CONFIG_MAP_BUDGET.
  code: () => ({ 'proxy.mjs': asset('proxy.mjs') }),
  vendor: () => ({
    'vendor-prom-client.mjs': asset('vendor-prom-client.mjs'),
    'vendor-zod.mjs': asset('vendor-zod.mjs'),
  }),
  redis: () => ({
    'vendor-ioredis.mjs': asset('vendor-ioredis.mjs'),
    'vendor-rate-limiter.mjs': asset('vendor-rate-limiter.mjs'),
  }),
  tracing: () => ({ 'vendor-opentelemetry.mjs': asset('vendor-opentelemetry.mjs') }),
} satisfies Record<string, (spec: GatewaySpec) => Record<string, string>>;

export type ContentKind = keyof typeof CONTENT;
const SUFFIX: Record<ContentKind, string> = {
  config: 'config',
  dataPlane: 'agentgateway',
  code: 'code',
  vendor: 'vendor',
  redis: 'redis-client',
  tracing: 'opentelemetry',
};

export function contentKinds(spec: GatewaySpec): ContentKind[] {
  return [
    'config',
    'code',
    'vendor',
    ...(usesAgentgateway(spec) ? ['dataPlane' as const] : []),
    ...optionalKinds(spec),
  ];
}

/** The ConfigMaps whose files make up the code directory. */
export function codeKinds(spec: GatewaySpec): ContentKind[] {
  return ['code', 'vendor', ...optionalKinds(spec)];
}

/** Libraries that only some gateways use. */
const optionalKinds = (spec: GatewaySpec): ContentKind[] => [
  ...(spec.replayStore._redis === undefined ? [] : ['redis' as const]),
  ...(spec.tracing === undefined ? [] : ['tracing' as const]),
];

/** The name changes with the content: a new config is a new object and so a rollout, and no edit can reach a running pod. */
export const configMapName = (spec: GatewaySpec, kind: ContentKind) =>
  `${spec.name}-${SUFFIX[kind]}-${contentHash(CONTENT[kind](spec))}`;

export function emitConfigMap(scope: Construct, kind: ContentKind, spec: () => GatewaySpec): ApiObject {
  // The name depends on routes that are added later; metadata takes a Lazy although its type does not say so.
  const name = Lazy.any({ produce: () => configMapName(spec(), kind) }) as unknown as string;
  const { namespace, labels } = spec();
  return new ApiObject(scope, `${SUFFIX[kind]}-config-map`, {
    ...k8s.KubeConfigMap.GVK,
    metadata: { name, namespace, labels },
    data: Lazy.any({ produce: () => CONTENT[kind](spec()) }),
    immutable: true,
  });
}
