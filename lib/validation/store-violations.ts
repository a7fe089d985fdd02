/** Who logs in to a store of a cloud must have an identity there. */
import { secretUses } from '../config/mounted-files';
import { GatewaySpec } from '../spec/gateway-spec';
import { Violation } from '../support/text';
import { StoreProvider } from '../values/store-provider';

/** The annotation by which the operator knows the identity of a ServiceAccount. GCP takes the ServiceAccount itself. */
const IDENTITY: Partial<Record<StoreProvider['kind'], readonly [annotation: string, example: string]>> = {
  aws: ['eks.amazonaws.com/role-arn', 'arn:aws:iam::123456789012:role/gateway'],
  azure: ['azure.workload.identity/client-id', '00000000-0000-0000-0000-000000000000'],
};

export function storeViolations(spec: GatewaySpec): Violation[] {
  const { annotations = {} } = spec.serviceAccountMetadata;
  const providers = new Set(secretUses(spec).map(({ source }) => source._external?.store._provider));
  return [...providers].flatMap((provider): Violation[] => {
    if (provider === undefined) return [];
    const identity = IDENTITY[provider.kind];
    // Somebody else's ServiceAccount is somebody else's to annotate.
    if (identity === undefined || provider.options.serviceAccountName !== undefined) return [];
    const [annotation, example] = identity;
    if (annotations[annotation] !== undefined) return [];
    return [
      {
        where: 'serviceAccountMetadata.annotations',
        want:
          `must have "${annotation}" with SecretStoreRef.${provider.where}: the store logs in as the ` +
          "gateway's ServiceAccount",
        next:
          `for example "${annotation}": "${example}"; or name another ServiceAccount, ` +
          `${provider.where}.serviceAccountName`,
      },
    ];
  });
}
