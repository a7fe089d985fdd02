/** Stores of the External Secrets Operator that log in as a workload, with no key of their own. */
import { AgentGatewayProps, CaBundle, SecretSource, SecretStoreRef } from '../../lib';
import { describeCrds, validator } from '../support/crds';
import { gatewayChart, Manifest, manifests, only, problems } from '../support/synth';

const AWS_ROLE = { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/gateway' };
const AZURE_CLIENT = { 'azure.workload.identity/client-id': '00000000-0000-0000-0000-000000000001' };
const TENANT = '00000000-0000-0000-0000-000000000002';

interface Case {
  readonly make: (options?: {
    clusterScoped?: boolean;
    serviceAccountName?: string;
    name?: string;
  }) => SecretStoreRef;
  readonly name: string;
  readonly annotations?: Record<string, string>;
  /** `spec.provider`, given who logs in. */
  readonly provider: (account: object) => object;
}

const bao = { server: 'https://bao.internal:8200', path: 'secret', role: 'gateway' };
const CASES: Record<string, Case> = {
  awsSecretsManager: {
    make: (options) =>
      SecretStoreRef.awsSecretsManager({
        region: 'eu-central-1',
        roleArn: 'arn:aws:iam::123456789012:role/path/secrets',
        ...options,
      }),
    name: 'aws-secrets-manager',
    annotations: AWS_ROLE,
    provider: (serviceAccountRef) => ({
      aws: {
        service: 'SecretsManager',
        region: 'eu-central-1',
        role: 'arn:aws:iam::123456789012:role/path/secrets',
        auth: { jwt: { serviceAccountRef } },
      },
    }),
  },
  gcpSecretManager: {
    make: (options) =>
      SecretStoreRef.gcpSecretManager({
        projectId: 'secrets-prod',
        clusterName: 'prod',
        clusterLocation: 'europe-west3',
        ...options,
      }),
    name: 'gcp-secret-manager',
    provider: (serviceAccountRef) => ({
      gcpsm: {
        projectID: 'secrets-prod',
        auth: {
          workloadIdentity: { clusterName: 'prod', clusterLocation: 'europe-west3', serviceAccountRef },
        },
      },
    }),
  },
  azureKeyVault: {
    make: (options) =>
      SecretStoreRef.azureKeyVault({
        vaultUrl: 'https://gateway.vault.azure.net',
        tenantId: TENANT,
        ...options,
      }),
    name: 'azure-key-vault',
    annotations: AZURE_CLIENT,
    provider: (serviceAccountRef) => ({
      azurekv: {
        authType: 'WorkloadIdentity',
        vaultUrl: 'https://gateway.vault.azure.net',
        tenantId: TENANT,
        serviceAccountRef,
      },
    }),
  },
  openBao: {
    make: (options) => SecretStoreRef.openBao({ ...bao, ...options }),
    name: 'openbao-backend',
    provider: (account) => ({
      vault: {
        ...bao,
        role: undefined,
        version: 'v2',
        auth: {
          kubernetes: {
            mountPath: 'kubernetes',
            role: 'gateway',
            serviceAccountRef: { ...account, audiences: ['openbao'] },
          },
        },
      },
    }),
  },
};

const settings = (store: SecretStoreRef, annotations?: Record<string, string>) => ({
  gateway: { serviceAccountMetadata: { annotations } } satisfies Partial<AgentGatewayProps>,
  mcp: { credential: SecretSource.externalSecret({ store, remoteKey: 'aiops/token', property: 'token' }) },
});
const storeOf = (store: SecretStoreRef, annotations?: Record<string, string>): Manifest =>
  only(manifests(settings(store, annotations)), store.kind);

describe.each(Object.entries(CASES))('SecretStoreRef.%s', (method, { make, name, annotations, provider }) => {
  it("logs in as the gateway's ServiceAccount, or as another, with no key", () => {
    const { metadata, spec } = storeOf(make(), annotations);
    expect([metadata.name, metadata.namespace]).toEqual([name, 'aiops']);
    expect(spec).toEqual({ provider: provider({ name: 'agentgateway-sa' }) });
    expect(storeOf(make({ serviceAccountName: 'secrets-login' })).spec).toEqual({
      provider: provider({ name: 'secrets-login' }),
    });
    expect(JSON.stringify(spec)).not.toMatch(/secretRef|SecretRef/);
  });
  it('is read by the ExternalSecret of the credential', () => {
    const external = only(manifests(settings(make(), annotations)), 'ExternalSecret');
    expect(external.spec.secretStoreRef).toEqual({ name, kind: 'SecretStore' });
  });
  it('is for this namespace alone where it is cluster-wide', () => {
    const { metadata, spec } = storeOf(make({ clusterScoped: true }), annotations);
    expect([metadata.name, metadata.namespace]).toEqual([`${name}-aiops`, undefined]);
    expect(spec).toEqual({
      conditions: [{ namespaces: ['aiops'] }],
      provider: provider({ name: 'agentgateway-sa', namespace: 'aiops' }),
    });
  });
  it('is refused with a name that no object has', () => {
    expect(() => make({ name: 'My_Store' })).toThrow(
      `${method}.name: must be the name of a Kubernetes object`,
    );
    expect(() => make({ serviceAccountName: 'My_Account' })).toThrow(
      `${method}.serviceAccountName: must be the name of a Kubernetes object`,
    );
  });
});

describe('a store that logs in as the gateway', () => {
  it.each([
    [
      'awsSecretsManager',
      'eks.amazonaws.com/role-arn',
      '"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/gateway"',
    ],
    [
      'azureKeyVault',
      'azure.workload.identity/client-id',
      '"azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000000"',
    ],
  ])('of %s wants its identity on the ServiceAccount', (method, annotation, example) => {
    const { make, annotations } = CASES[method];
    const refusals = (store: SecretStoreRef, given?: Record<string, string>) =>
      problems(() => gatewayChart(settings(store, given)));
    expect(refusals(make())).toEqual([
      `[test/Gateway] serviceAccountMetadata.annotations: must have "${annotation}" with ` +
        `SecretStoreRef.${method}: the store logs in as the gateway's ServiceAccount; for example ${example}; ` +
        `or name another ServiceAccount, ${method}.serviceAccountName`,
    ]);
    expect([
      refusals(make(), annotations),
      refusals(make({ serviceAccountName: 'secrets-login' })),
      refusals(CASES.gcpSecretManager.make()),
    ]).toEqual([[], [], []]);
  });
});

describe('a factory refuses', () => {
  const aws = (options: object) => SecretStoreRef.awsSecretsManager({ region: 'eu-central-1', ...options });
  const gcp = (options: object) => SecretStoreRef.gcpSecretManager({ projectId: 'secrets-prod', ...options });
  const azure = (options: object) =>
    SecretStoreRef.azureKeyVault({ vaultUrl: 'https://a.vault.azure.net', tenantId: TENANT, ...options });
  it.each<[string, () => unknown, string]>([
    [
      'a region',
      () => aws({ region: 'Frankfurt' }),
      'awsSecretsManager.region: must be a region, as eu-central-1, got "Frankfurt"',
    ],
    [
      'a role that is a user',
      () => aws({ roleArn: 'arn:aws:iam::123456789012:user/x' }),
      'awsSecretsManager.roleArn: must be the ARN of a role, as arn:aws:iam::123456789012:role/secrets, got ' +
        '"arn:aws:iam::123456789012:user/x"',
    ],
    [
      'a static key',
      () => aws({ accessKeyId: 'AKIA' }),
      'awsSecretsManager.accessKeyId: must be left out: AwsSecretsManagerOptions has no such prop',
    ],
    [
      'a project',
      () => gcp({ projectId: 'Secrets' }),
      'gcpSecretManager.projectId: must be the id of a project',
    ],
    [
      'a cluster',
      () => gcp({ clusterName: 'Prod' }),
      'gcpSecretManager.clusterName: must be lower-case letters',
    ],
    [
      'a place',
      () => gcp({ clusterLocation: '' }),
      'gcpSecretManager.clusterLocation: must be lower-case letters',
    ],
    [
      'a vault without TLS',
      () => azure({ vaultUrl: 'http://a.vault.azure.net' }),
      'azureKeyVault.vaultUrl: must be an https URL, got "http://a.vault.azure.net"',
    ],
    [
      'a tenant',
      () => azure({ tenantId: 'contoso' }),
      'azureKeyVault.tenantId: must be a UUID, got "contoso"',
    ],
    [
      'OpenBao without TLS',
      () => SecretStoreRef.openBao({ ...bao, server: 'http://bao' }),
      'openBao.server: must be an https URL, got "http://bao"',
    ],
  ])('%s that is none', (_, make, message) => expect(make).toThrow(message));
});

describeCrds('the CRDs of External Secrets 2.9', () => {
  it.each(Object.entries(CASES))(
    'take the stores of %s, and not a mutant of one',
    (_, { make, annotations }) => {
      const stores = [storeOf(make(), annotations), storeOf(make({ clusterScoped: true }), annotations)];
      for (const [at, file] of ['eso-secretstores.yaml', 'eso-clustersecretstores.yaml'].entries()) {
        const valid = validator(file, stores[at].apiVersion);
        expect([valid(stores[at]), valid.errors]).toEqual([true, null]);
        const [provider] = Object.values<Record<string, unknown>>(stores[at].spec.provider);
        for (const field of ['region', 'projectID', 'vaultUrl', 'server']) {
          if (field in provider) provider[field] = 7;
        }
        expect(valid(stores[at])).toBe(false);
      }
    },
  );
  it('take an OpenBao that is verified by a CA of its own', () => {
    const store = SecretStoreRef.openBao({ ...bao, ca: CaBundle.fromConfigMap('bao-ca'), audience: 'bao' });
    const object = storeOf(store);
    expect(object.spec.provider.vault).toMatchObject({
      caProvider: { type: 'ConfigMap', name: 'bao-ca' },
      auth: { kubernetes: { serviceAccountRef: { audiences: ['bao'] } } },
    });
    const valid = validator('eso-secretstores.yaml', object.apiVersion);
    expect([valid(object), valid.errors]).toEqual([true, null]);
  });
});
