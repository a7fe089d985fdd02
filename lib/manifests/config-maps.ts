import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { agentgatewayYaml } from '../config/agentgateway-config';
import { configText } from '../config/proxy-config';
import { valkeyFiles } from '../config/valkey-config';
import { GatewaySpec, usesAgentgateway } from '../spec/gateway-spec';
import { inlineKeySets } from '../spec/issuers';
import { contentHash } from '../support/json';
import { oncePer } from '../support/memo';
import { assets } from '../support/parser';
import { emitNamed, k8s } from './k8s';

/** What each ConfigMap of a gateway is called after the gateway's name, and what is in it. */
export const CONTENT = {
  config: oncePer((spec: GatewaySpec) => ({ 'config.json': configText(spec), ...inlineKeySets(spec) })),
  dataPlane: oncePer((spec: GatewaySpec) => ({ 'config.yaml': agentgatewayYaml(spec) })),
  // The code, cut along the rooms of proxy/src: `CHUNKS` of proxy/bundle.mjs. A change shows in the map of its
  // room, and each map has room to grow under the 262 144 bytes that `kubectl apply` can annotate
  // (test/package/config-map-size.test.ts).
  code: () => assets('proxy.mjs', 'observe.mjs'),
  codeChecks: () => assets('checks.mjs', 'stages.mjs'),
  codeHttp: () => assets('http.mjs'),
  codeStores: () => assets('stores.mjs'),
  codeConfig: () => assets('config.mjs'),
  vendor: () => assets('vendor-prom-client.mjs', 'vendor-zod.mjs'),
  redis: () => assets('vendor-ioredis.mjs', 'vendor-rate-limiter.mjs'),
  tracing: () => assets('vendor-opentelemetry.mjs'),
  valkey: oncePer((spec: GatewaySpec) => valkeyFiles(spec)),
} satisfies Record<string, (spec: GatewaySpec) => Readonly<Record<string, string>>>;

export type ContentKind = keyof typeof CONTENT;
const SUFFIX: Record<ContentKind, string> = {
  config: 'config',
  dataPlane: 'agentgateway',
  code: 'code',
  codeChecks: 'code-checks',
  codeHttp: 'code-http',
  codeStores: 'code-stores',
  codeConfig: 'code-config',
  vendor: 'vendor',
  redis: 'redis-client',
  tracing: 'opentelemetry',
  valkey: 'valkey',
};

/** What every gateway runs. */
const CODE = [
  'code',
  'codeChecks',
  'codeHttp',
  'codeStores',
  'codeConfig',
  'vendor',
] as const satisfies readonly ContentKind[];

export function contentKinds(spec: GatewaySpec): ContentKind[] {
  return [
    'config',
    ...CODE,
    ...(usesAgentgateway(spec) ? ['dataPlane' as const] : []),
    ...(spec.replayStore._valkey === undefined ? [] : ['valkey' as const]),
    ...optionalKinds(spec),
  ];
}

/** The ConfigMaps whose files make up the code directory. */
export function codeKinds(spec: GatewaySpec): ContentKind[] {
  return [...CODE, ...optionalKinds(spec)];
}

/** Libraries that only some gateways use. */
const optionalKinds = (spec: GatewaySpec): ContentKind[] => [
  ...(spec.replayStore._redis === undefined ? [] : ['redis' as const]),
  ...(spec.tracing === undefined ? [] : ['tracing' as const]),
];

/**
 * Pods of the version before still mount the maps of that version. Argo CD removes them last, once the new pods
 * are there. Flux has no such order: it keeps them, for `agw prune`; nor may it replace `${…}`, which code is full of.
 */
const GITOPS = {
  'argocd.argoproj.io/sync-options': 'PruneLast=true',
  'kustomize.toolkit.fluxcd.io/prune': 'disabled',
  'kustomize.toolkit.fluxcd.io/substitute': 'disabled',
};

/**
 * The name changes with the content: a new config is a new object and so a rollout, and no edit can reach a
 * running pod.
 */
export const configMapName = (spec: GatewaySpec, kind: ContentKind) =>
  `${spec.name}-${SUFFIX[kind]}-${contentHash(CONTENT[kind](spec))}`;

export function emitConfigMap(scope: Construct, kind: ContentKind, spec: () => GatewaySpec): ApiObject {
  // It depends on routes that are added later.
  const name = () => configMapName(spec(), kind);
  const { namespace, labels } = spec();
  return emitNamed(
    scope,
    `${SUFFIX[kind]}-config-map`,
    k8s.KubeConfigMap.GVK,
    { name, namespace, labels, annotations: GITOPS },
    { data: Lazy.any({ produce: () => CONTENT[kind](spec()) }) as unknown, immutable: true },
  );
}
