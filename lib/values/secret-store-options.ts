import { CaBundle } from './ca-bundle';

/** What every store says that this library emits: who logs in, and how the object is called. */
export interface SecretStoreOptions {
  /**
   * Name of the store object.
   *
   * @default - after its kind, as 'aws-secrets-manager'; of a ClusterSecretStore, which all namespaces share, with the
   *   gateway's namespace behind
   */
  readonly name?: string;

  /**
   * Make it a ClusterSecretStore; it then admits the gateway's namespace only.
   *
   * @default false
   */
  readonly clusterScoped?: boolean;

  /**
   * ServiceAccount that logs in, in the gateway's namespace.
   *
   * @default - the gateway's, with `serviceAccountMetadata` for its identity
   */
  readonly serviceAccountName?: string;
}

/** Vault, or OpenBao, as the backend of a SecretStore. */
export interface VaultStoreOptions extends SecretStoreOptions {
  /** `https://` address of Vault. */
  readonly server: string;

  /** Mount path of the KV version 2 engine, for example `secret`. */
  readonly path: string;

  /** Vault role that the Kubernetes login asks for. */
  readonly role: string;

  /**
   * Mount path of Vault's Kubernetes auth method.
   *
   * @default 'kubernetes'
   */
  readonly mountPath?: string;

  /**
   * Audience of the token that logs in; the role must name the same.
   *
   * @default - 'vault', or 'openbao'
   */
  readonly audience?: string;

  /**
   * Certificates that Vault is verified against.
   *
   * @default - the operator's own roots
   */
  readonly ca?: CaBundle;
}

/** AWS Secrets Manager as the backend of a SecretStore. */
export interface AwsSecretsManagerOptions extends SecretStoreOptions {
  /** Region of the secrets, for example `eu-central-1`. */
  readonly region: string;

  /**
   * ARN of a role that the ServiceAccount's own role assumes.
   *
   * @default - none: the ServiceAccount's role reads the secrets
   */
  readonly roleArn?: string;
}

/** GCP Secret Manager as the backend of a SecretStore. */
export interface GcpSecretManagerOptions extends SecretStoreOptions {
  /** Project of the secrets. */
  readonly projectId: string;

  /**
   * Name of the GKE cluster.
   *
   * @default - asked of the metadata server, by the operator
   */
  readonly clusterName?: string;

  /**
   * Region or zone of the GKE cluster.
   *
   * @default - asked of the metadata server, by the operator
   */
  readonly clusterLocation?: string;
}

/** Azure Key Vault as the backend of a SecretStore. */
export interface AzureKeyVaultOptions extends SecretStoreOptions {
  /** `https://` address of the vault, for example `https://gateway.vault.azure.net`. */
  readonly vaultUrl: string;

  /** Tenant of the identity, a UUID. */
  readonly tenantId: string;
}
