import { Duration } from 'cdk8s';
import { DURATION, FLAG, instanceOf, oneOf, optional, Shape, struct, TEXT } from '../support/kinds';
import { checkKey, checkObjectName, refuse } from '../support/text';
import { CaBundle } from './ca-bundle';

/** Who owns the Secret that the External Secrets Operator writes. */
export enum SecretCreationPolicy {
  /** Deleted with its ExternalSecret. */
  OWNER = 'Owner',
  /** Outlives its ExternalSecret. */
  ORPHAN = 'Orphan',
}

/** Vault as the backend of a SecretStore. */
export interface VaultStoreOptions {
  /** `https://` address of Vault. */
  readonly server: string;

  /** Mount path of the KV version 2 engine, for example `secret`. */
  readonly path: string;

  /** Vault role that the Kubernetes login asks for. */
  readonly role: string;

  /**
   * Name of the store object.
   *
   * @default - 'vault-backend'; of a ClusterSecretStore, which all namespaces share, 'vault-backend-' and the
   *   gateway's namespace
   */
  readonly name?: string;

  /**
   * Mount path of Vault's Kubernetes auth method.
   *
   * @default 'kubernetes'
   */
  readonly mountPath?: string;

  /**
   * Make it a ClusterSecretStore; it then admits the gateway's namespace only.
   *
   * @default false
   */
  readonly clusterScoped?: boolean;

  /**
   * ServiceAccount that logs in.
   *
   * @default - the gateway's
   */
  readonly serviceAccountName?: string;

  /**
   * Audience of the token that logs in; the Vault role must name the same.
   *
   * @default 'vault'
   */
  readonly audience?: string;

  /**
   * Certificates that Vault is verified against.
   *
   * @default - the operator's own roots
   */
  readonly ca?: CaBundle;
}

const VAULT_SHAPE: Shape<VaultStoreOptions> = {
  server: TEXT,
  path: TEXT,
  role: TEXT,
  name: optional(TEXT),
  mountPath: optional(TEXT),
  clusterScoped: optional(FLAG),
  serviceAccountName: optional(TEXT),
  audience: optional(TEXT),
  ca: optional(instanceOf(CaBundle)),
};
const VAULT_OPTIONS = struct('VaultStoreOptions', VAULT_SHAPE);

/** The store that an ExternalSecret reads from. */
export class SecretStoreRef {
  /** Emits a store for HashiCorp Vault, of `external-secrets.io/v1`. Refuses a server without TLS. */
  public static vault(options: VaultStoreOptions): SecretStoreRef {
    VAULT_OPTIONS.check('vault', options);
    if (!URL.canParse(options.server) || !options.server.startsWith('https://')) {
      refuse({ where: 'vault.server', want: 'must be an https URL', got: options.server });
    }
    return new SecretStoreRef(
      checkObjectName('vault.name', options.name ?? 'vault-backend'),
      options.clusterScoped ?? false,
      options,
    );
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

  /** @internal */
  public readonly _vault?: VaultStoreOptions;

  /** @internal what it is called for a gateway of this namespace */
  public _nameIn(namespace: string): string {
    const shared = this._vault?.clusterScoped === true && this._vault.name === undefined;
    return shared ? `${this.name}-${namespace}` : this.name;
  }

  private constructor(name: string, clusterScoped: boolean, vault?: VaultStoreOptions) {
    this.name = name;
    this.kind = clusterScoped ? 'ClusterSecretStore' : 'SecretStore';
    this._vault = vault;
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
