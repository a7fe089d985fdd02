/** Backends of the stores that this library emits, each checked in its factory. No key of any of them has a place. */
import { FLAG, instanceOf, optional, Shape, struct, TEXT } from '../support/kinds';
import { checkObjectName, refuse } from '../support/text';
import { CaBundle } from './ca-bundle';
import {
  AwsSecretsManagerOptions,
  AzureKeyVaultOptions,
  GcpSecretManagerOptions,
  SecretStoreOptions,
  VaultStoreOptions,
} from './secret-store-options';

/** What its errors are called by, and what it is for the operator. */
export type StoreProvider =
  | { readonly where: 'vault' | 'openBao'; readonly kind: 'vault'; readonly options: VaultStoreOptions }
  | { readonly where: 'awsSecretsManager'; readonly kind: 'aws'; readonly options: AwsSecretsManagerOptions }
  | { readonly where: 'gcpSecretManager'; readonly kind: 'gcp'; readonly options: GcpSecretManagerOptions }
  | { readonly where: 'azureKeyVault'; readonly kind: 'azure'; readonly options: AzureKeyVaultOptions };

const COMMON: Shape<SecretStoreOptions> = {
  name: optional(TEXT),
  clusterScoped: optional(FLAG),
  serviceAccountName: optional(TEXT),
};
const VAULT_SHAPE: Shape<VaultStoreOptions> = {
  ...COMMON,
  server: TEXT,
  path: TEXT,
  role: TEXT,
  mountPath: optional(TEXT),
  audience: optional(TEXT),
  ca: optional(instanceOf(CaBundle)),
};
const VAULT_OPTIONS = struct('VaultStoreOptions', VAULT_SHAPE);
const AWS_SHAPE: Shape<AwsSecretsManagerOptions> = { ...COMMON, region: TEXT, roleArn: optional(TEXT) };
const GCP_SHAPE: Shape<GcpSecretManagerOptions> = {
  ...COMMON,
  projectId: TEXT,
  clusterName: optional(TEXT),
  clusterLocation: optional(TEXT),
};
const AZURE_SHAPE: Shape<AzureKeyVaultOptions> = { ...COMMON, vaultUrl: TEXT, tenantId: TEXT };
const AWS_OPTIONS = struct('AwsSecretsManagerOptions', AWS_SHAPE);
const GCP_OPTIONS = struct('GcpSecretManagerOptions', GCP_SHAPE);
const AZURE_OPTIONS = struct('AzureKeyVaultOptions', AZURE_SHAPE);

interface Form {
  readonly pattern: RegExp;
  readonly want: string;
}

const REGION: Form = { pattern: /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/, want: 'must be a region, as eu-central-1' };
const ROLE: Form = {
  pattern: /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
  want: 'must be the ARN of a role, as arn:aws:iam::123456789012:role/secrets',
};
const PROJECT: Form = {
  pattern: /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
  want: 'must be the id of a project: 6 to 30 lower-case letters, digits and "-"',
};
const CLUSTER: Form = {
  pattern: /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
  want: 'must be lower-case letters, digits and "-", a letter first',
};
const UUID: Form = {
  pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  want: 'must be a UUID',
};

function checkForm(where: string, value: string | undefined, { pattern, want }: Form): void {
  if (value === undefined || pattern.test(value)) return;
  refuse({ where, want, got: value });
}

function checkHttps(where: string, value: string): void {
  if (URL.canParse(value) && value.startsWith('https://')) return;
  refuse({ where, want: 'must be an https URL', got: value });
}

function checkCommon(where: string, { serviceAccountName }: SecretStoreOptions): void {
  if (serviceAccountName !== undefined) checkObjectName(`${where}.serviceAccountName`, serviceAccountName);
}

export function vaultProvider(where: 'vault' | 'openBao', options: VaultStoreOptions): StoreProvider {
  VAULT_OPTIONS.check(where, options);
  checkCommon(where, options);
  checkHttps(`${where}.server`, options.server);
  return { where, kind: 'vault', options };
}

export function awsProvider(options: AwsSecretsManagerOptions): StoreProvider {
  const where = 'awsSecretsManager';
  AWS_OPTIONS.check(where, options);
  checkCommon(where, options);
  checkForm(`${where}.region`, options.region, REGION);
  checkForm(`${where}.roleArn`, options.roleArn, ROLE);
  return { where, kind: 'aws', options };
}

export function gcpProvider(options: GcpSecretManagerOptions): StoreProvider {
  const where = 'gcpSecretManager';
  GCP_OPTIONS.check(where, options);
  checkCommon(where, options);
  checkForm(`${where}.projectId`, options.projectId, PROJECT);
  checkForm(`${where}.clusterName`, options.clusterName, CLUSTER);
  checkForm(`${where}.clusterLocation`, options.clusterLocation, CLUSTER);
  return { where, kind: 'gcp', options };
}

export function azureProvider(options: AzureKeyVaultOptions): StoreProvider {
  const where = 'azureKeyVault';
  AZURE_OPTIONS.check(where, options);
  checkCommon(where, options);
  checkHttps(`${where}.vaultUrl`, options.vaultUrl);
  checkForm(`${where}.tenantId`, options.tenantId, UUID);
  return { where, kind: 'azure', options };
}
