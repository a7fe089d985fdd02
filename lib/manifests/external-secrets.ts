/** Objects of the External Secrets Operator. `v1beta1` is no longer served since its release 0.17. */
import { Chart, Duration } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { SecretUse } from '../config/mounted-files';
import { canonicalJson } from '../support/json';
import { refuse } from '../support/text';
import { SecretCreationPolicy, SecretStoreRef } from '../values/secret-source';
import { StoreProvider } from '../values/store-provider';
import { clusterScoped, emitRaw } from './k8s';

const API_VERSION = 'external-secrets.io/v1';

interface Owner {
  readonly namespace: string;
  readonly labels: Record<string, string>;
  readonly serviceAccountName: string;
}

/** Emits what fetches this credential, if it is to be fetched, and the store it comes from, once a chart. */
export function emitExternalSecret(
  scope: Construct,
  { purpose, source, secretName }: SecretUse,
  owner: Owner,
): void {
  const options = source._external;
  if (options === undefined) return;
  const { namespace, labels } = owner;
  const spec = {
    refreshInterval: `${(options.refreshInterval ?? Duration.minutes(10)).toSeconds()}s`,
    secretStoreRef: { name: options.store._nameIn(namespace), kind: options.store.kind },
    target: {
      name: secretName,
      creationPolicy: options.creationPolicy ?? SecretCreationPolicy.OWNER,
      // A value that vanished from the store by mistake does not take the gateway down.
      deletionPolicy: 'Retain',
    },
    data: [
      {
        secretKey: source._key,
        remoteRef: {
          key: options.remoteKey,
          // As the operator's defaults are: a second `kubectl apply` then finds nothing to change.
          conversionStrategy: 'Default',
          decodingStrategy: 'None',
          metadataPolicy: 'None',
          ...(options.property === undefined ? {} : { property: options.property }),
        },
      },
    ],
  };
  if (emittedAs(scope, `ExternalSecret ${namespace}/${secretName}`, spec) !== 'same') {
    // Two of one purpose, or of one name, are refused when all is known.
    const id = [`external-secret-${purpose}`, `external-secret-${purpose}-${secretName}`].find(
      (free) => scope.node.tryFindChild(free) === undefined,
    );
    if (id !== undefined) {
      emitRaw(
        scope,
        id,
        { apiVersion: API_VERSION, kind: 'ExternalSecret' },
        { name: secretName, namespace, labels },
        { spec },
      );
    }
  }
  const { _provider: provider } = options.store;
  if (provider !== undefined) emitStore(scope, options.store, provider, owner);
}

/** What each app has: several uses share an object. The first of a name is remembered. */
function emittedAs(scope: Construct, name: string, spec: object): 'new' | 'same' | 'other' {
  const { root } = scope.node;
  const known = EMITTED.get(root) ?? new Map<string, string>();
  EMITTED.set(root, known);
  const present = known.get(name);
  if (present !== undefined) return present === canonicalJson(spec) ? 'same' : 'other';
  known.set(name, canonicalJson(spec));
  return 'new';
}

const EMITTED = new WeakMap<IConstruct, Map<string, string>>();

function emitStore(scope: Construct, store: SecretStoreRef, provider: StoreProvider, owner: Owner): void {
  const isShared = provider.options.clusterScoped === true;
  const place = isShared ? '' : `${owner.namespace}/`;
  const spec = storeSpec(provider, owner);
  const name = store._nameIn(owner.namespace);
  const as = emittedAs(scope, `${store.kind} ${place}${name}`, spec);
  if (as === 'same') return;
  if (as === 'other') {
    refuse({
      where: `${provider.where}.name`,
      want: `must differ from that of another ${store.kind} with other settings`,
      got: name,
      next: "give each a name of its own, or both the same serviceAccountName, which is else the gateway's",
    });
  }
  const object = emitRaw(
    Chart.of(scope),
    `${store.kind}-${place.replace('/', '-')}${name}`,
    { apiVersion: API_VERSION, kind: store.kind },
    { name, namespace: owner.namespace, labels: owner.labels },
    { spec },
  );
  if (isShared) clusterScoped(object);
}

function storeSpec(provider: StoreProvider, { namespace, serviceAccountName }: Owner): object {
  const { clusterScoped: isShared = false, serviceAccountName: asked } = provider.options;
  // The namespace of a reference is legal in a cluster-scoped store only.
  const inNamespace = isShared ? { namespace } : {};
  const account = { name: asked ?? serviceAccountName, ...inNamespace };
  return {
    ...(isShared ? { conditions: [{ namespaces: [namespace] }] } : {}),
    provider: providerSpec(provider, account, inNamespace),
  };
}

/** Who logs in; each backend gets a token of it that is made for the backend. */
interface Account {
  readonly name: string;
  readonly namespace?: string;
}

function providerSpec(provider: StoreProvider, account: Account, inNamespace: object): object {
  switch (provider.kind) {
    case 'vault':
      return { vault: vaultSpec(provider, account, inNamespace) };
    case 'aws': {
      const { region, roleArn } = provider.options;
      const role = roleArn === undefined ? {} : { role: roleArn };
      return {
        aws: { service: 'SecretsManager', region, ...role, auth: { jwt: { serviceAccountRef: account } } },
      };
    }
    case 'gcp': {
      const { projectId, clusterName, clusterLocation } = provider.options;
      return {
        gcpsm: {
          projectID: projectId,
          auth: {
            workloadIdentity: {
              ...(clusterName === undefined ? {} : { clusterName }),
              ...(clusterLocation === undefined ? {} : { clusterLocation }),
              serviceAccountRef: account,
            },
          },
        },
      };
    }
    case 'azure': {
      const { vaultUrl, tenantId } = provider.options;
      return { azurekv: { authType: 'WorkloadIdentity', vaultUrl, tenantId, serviceAccountRef: account } };
    }
  }
}

function vaultSpec(
  { where, options: vault }: StoreProvider & { readonly kind: 'vault' },
  account: Account,
  inNamespace: object,
): object {
  const { name, ...rest } = account;
  return {
    server: vault.server,
    path: vault.path,
    version: 'v2',
    ...(vault.ca === undefined
      ? {}
      : {
          caProvider: {
            type: vault.ca._kind === 'secret' ? 'Secret' : 'ConfigMap',
            name: vault.ca._name,
            key: vault.ca._key,
            ...inNamespace,
          },
        }),
    auth: {
      kubernetes: {
        mountPath: vault.mountPath ?? 'kubernetes',
        role: vault.role,
        serviceAccountRef: { name, audiences: [vault.audience ?? where.toLowerCase()], ...rest },
      },
    },
  };
}
