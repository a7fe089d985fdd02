import { Duration } from 'cdk8s';
import { DURATION, instanceOf, oneOf, optional, Shape, struct, TEXT } from '../support/kinds';
import { checkKey, checkObjectName, refuse } from '../support/text';
import {
  AwsSecretsManagerOptions,
  AzureKeyVaultOptions,
  GcpSecretManagerOptions,
  VaultStoreOptions,
} from './secret-store-options';
import { awsProvider, azureProvider, gcpProvider, StoreProvider, vaultProvider } from './store-provider';

/** Who owns the Secret that the External Secrets Operator writes. */
export enum SecretCreationPolicy {
  /** Deleted with its ExternalSecret. */
  OWNER = 'Owner',
  /** Outlives its ExternalSecret. */
  ORPHAN = 'Orphan',
}

/** The store that an ExternalSecret reads from. */
export class SecretStoreRef {
  /** Emits a store for HashiCorp Vault, of `external-secrets.io/v1`. Refuses a server without TLS. */
  public static vault(options: VaultStoreOptions): SecretStoreRef {
    return SecretStoreRef.of(vaultProvider('vault', options), 'vault-backend');
  }

  /**
   * Emits a store for OpenBao, by the operator's provider for Vault, whose API OpenBao has. Refuses a server without
   * TLS.
   */
  public static openBao(options: VaultStoreOptions): SecretStoreRef {
    return SecretStoreRef.of(vaultProvider('openBao', options), 'openbao-backend');
  }

  /**
   * Emits a store for AWS Secrets Manager, which logs in by IRSA: the ServiceAccount must be annotated with
   * `eks.amazonaws.com/role-arn`. No access key is taken.
   */
  public static awsSecretsManager(options: AwsSecretsManagerOptions): SecretStoreRef {
    return SecretStoreRef.of(awsProvider(options), 'aws-secrets-manager');
  }

  /**
   * Emits a store for GCP Secret Manager, which logs in by Workload Identity Federation for GKE. No service account key
   * is taken.
   */
  public static gcpSecretManager(options: GcpSecretManagerOptions): SecretStoreRef {
    return SecretStoreRef.of(gcpProvider(options), 'gcp-secret-manager');
  }

  /**
   * Emits a store for Azure Key Vault, which logs in by Workload Identity: the ServiceAccount must be annotated with
   * `azure.workload.identity/client-id`. No client secret is taken.
   */
  public static azureKeyVault(options: AzureKeyVaultOptions): SecretStoreRef {
    return SecretStoreRef.of(azureProvider(options), 'azure-key-vault');
  }

  /** A SecretStore of the gateway's namespace that somebody else keeps. */
  public static secretStore(name: string): SecretStoreRef {
    return new SecretStoreRef(checkObjectName('store.name', name), false);
  }

  /** A ClusterSecretStore that somebody else keeps. */
  public static clusterSecretStore(name: string): SecretStoreRef {
    return new SecretStoreRef(checkObjectName('store.name', name), true);
  }

  /** Name of the store object; of a ClusterSecretStore with no name of its own the beginning. */
  public readonly name: string;

  /** `SecretStore` or `ClusterSecretStore`. */
  public readonly kind: string;

  /** @internal absent: somebody else keeps the store */
  public readonly _provider?: StoreProvider;

  /** @internal what it is called for a gateway of this namespace */
  public _nameIn(namespace: string): string {
    const { clusterScoped = false, name } = this._provider?.options ?? {};
    return clusterScoped && name === undefined ? `${this.name}-${namespace}` : this.name;
  }

  private static of(provider: StoreProvider, usualName: string): SecretStoreRef {
    const { name = usualName, clusterScoped = false } = provider.options;
    return new SecretStoreRef(checkObjectName(`${provider.where}.name`, name), clusterScoped, provider);
  }

  private constructor(name: string, clusterScoped: boolean, provider?: StoreProvider) {
    this.name = name;
    this.kind = clusterScoped ? 'ClusterSecretStore' : 'SecretStore';
    this._provider = provider;
  }
}

/** A credential that an ExternalSecret fetches. */
export interface ExternalSecretOptions {
  /** The store it comes from. */
  readonly store: SecretStoreRef;

  /** Path of the entry in the store, for example `aiops/agentgateway`. */
  readonly remoteKey: string;

  /**
   * Field of the entry.
   *
   * @default - the whole entry
   */
  readonly property?: string;

  /**
   * How often the store is read again.
   *
   * @default Duration.minutes(10)
   */
  readonly refreshInterval?: Duration;

  /**
   * Name of the Secret that is written.
   *
   * @default - made of the gateway's name and of what the credential is for
   */
  readonly secretName?: string;

  /**
   * Who owns the Secret.
   *
   * @default SecretCreationPolicy.OWNER
   */
  readonly creationPolicy?: SecretCreationPolicy;
}

const EXTERNAL_SHAPE: Shape<ExternalSecretOptions> = {
  store: instanceOf(SecretStoreRef),
  remoteKey: TEXT,
  property: optional(TEXT),
  refreshInterval: optional(DURATION),
  secretName: optional(TEXT),
  creationPolicy: optional(oneOf(SecretCreationPolicy)),
};
const EXTERNAL_OPTIONS = struct('ExternalSecretOptions', EXTERNAL_SHAPE);

/**
 * Where a credential of the gateway comes from. It reaches the pod as a file that is read again when it
 * changes; there is no prop through which its value could stand in a manifest, and it is never an environment
 * variable.
 */
export class SecretSource {
  /** A Secret of the gateway's namespace that somebody else keeps. */
  public static existing(name: string, key: string): SecretSource {
    return new SecretSource(checkKey('secret.key', key), checkObjectName('secret.name', name));
  }

  /** A Secret that the External Secrets Operator (0.16 or later) writes from the store. */
  public static externalSecret(options: ExternalSecretOptions): SecretSource {
    EXTERNAL_OPTIONS.check('externalSecret', options);
    if (options.remoteKey.trim() === '') {
      refuse({ where: 'externalSecret.remoteKey', want: 'must not be empty', got: options.remoteKey });
    }
    if (options.secretName !== undefined) checkObjectName('externalSecret.secretName', options.secretName);
    return new SecretSource('value', options.secretName, options);
  }

  /** @internal */
  public readonly _key: string;

  /** @internal */
  public readonly _name?: string;

  /** @internal */
  public readonly _external?: ExternalSecretOptions;

  private constructor(key: string, name?: string, external?: ExternalSecretOptions) {
    this._key = key;
    this._name = name;
    this._external = external;
  }
}
