/** Objects of the External Secrets Operator. `v1beta1` is no longer served since its release 0.17. */
import { Chart, Duration } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { SecretUse } from '../config/mounted-files';
import { canonicalJson } from '../support/json';
import { refuse } from '../support/text';
import { SecretCreationPolicy, SecretStoreRef, VaultStoreOptions } from '../values/secret-source';
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
  if (options.store._vault !== undefined) emitStore(scope, options.store, options.store._vault, owner);
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

function emitStore(scope: Construct, store: SecretStoreRef, vault: VaultStoreOptions, owner: Owner): void {
  const place = vault.clusterScoped === true ? '' : `${owner.namespace}/`;
  const spec = storeSpec(vault, owner);
  const name = store._nameIn(owner.namespace);
  const as = emittedAs(scope, `${store.kind} ${place}${name}`, spec);
  if (as === 'same') return;
  if (as === 'other') {
    refuse({
      where: 'vault.name',
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
  if (vault.clusterScoped === true) clusterScoped(object);
}

function storeSpec(vault: VaultStoreOptions, { namespace, serviceAccountName }: Owner): object {
  // The namespace of a reference is legal in a cluster-scoped store only.
  const inNamespace = vault.clusterScoped === true ? { namespace } : {};
  return {
    ...(vault.clusterScoped === true ? { conditions: [{ namespaces: [namespace] }] } : {}),
    provider: {
      vault: {
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
            serviceAccountRef: {
              name: vault.serviceAccountName ?? serviceAccountName,
              audiences: [vault.audience ?? 'vault'],
              ...inNamespace,
            },
          },
        },
      },
    },
  };
}
