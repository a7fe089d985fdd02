import { SecretCreationPolicy, SecretSource, SecretStoreRef } from '../../lib';
import { describeCrds, validator } from '../support/crds';
import { all, container, manifests, only, pod } from '../support/synth';

const vault = SecretStoreRef.vault({ server: 'https://vault.internal:8200', path: 'secret', role: 'agentgateway' });
const credential = SecretSource.externalSecret({ store: vault, remoteKey: 'aiops/agentgateway', property: 'backend_token', creationPolicy: SecretCreationPolicy.ORPHAN });
const objects = manifests({ mcp: { credential } });

describe('a credential from Vault', () => {
  it('reaches the container that sends it as a file, never as an environment variable', () => {
    const [volume] = pod(objects).volumes.filter((v: any) => v.projected?.sources.some((s: any) => s.secret !== undefined));
    expect(container(objects, 'agentgateway').volumeMounts.map((m: any) => m.name)).toContain(volume.name);
    expect(container(objects).volumeMounts.map((m: any) => m.name)).not.toContain(volume.name);
    expect(JSON.stringify(objects)).not.toMatch(/secretKeyRef|envFrom/);
  });
  it('is written by an ExternalSecret to the Secret that is mounted', () => {
    const { metadata, spec } = only(objects, 'ExternalSecret');
    expect(spec).toMatchObject({ refreshInterval: '600s', secretStoreRef: { name: 'vault-backend', kind: 'SecretStore' }, target: { name: metadata.name, creationPolicy: 'Orphan' } });
    const mounted = pod(objects).volumes.flatMap((v: any) => v.projected?.sources ?? []).flatMap((s: any) => (s.secret === undefined ? [] : [s.secret]));
    expect(mounted).toEqual([{ name: metadata.name, items: [{ key: spec.data[0].secretKey, path: 'credentials/mcp' }] }]);
  });
  it('comes from a store that logs in as the gateway', () => {
    expect(only(objects, 'SecretStore').spec.provider.vault.auth.kubernetes.serviceAccountRef).toEqual({ name: 'agentgateway-sa', audiences: ['vault'] });
    expect(() => SecretStoreRef.vault({ server: 'http://vault', path: 'secret', role: 'x' })).toThrow('vault.server: must be an https URL, got "http://vault"');
  });
  it('from a cluster-wide store is for this namespace only', () => {
    const store = SecretStoreRef.vault({ server: 'https://vault', path: 'secret', role: 'x', clusterScoped: true });
    const { metadata, spec } = only(manifests({ mcp: { credential: SecretSource.externalSecret({ store, remoteKey: 'k' }) } }), 'ClusterSecretStore');
    expect(metadata.namespace).toBeUndefined();
    expect(spec.conditions).toEqual([{ namespaces: ['aiops'] }]);
  });
});

describeCrds('the CRDs of External Secrets 2.9', () => {
  it('take what is emitted, and not a mutant of it', () => {
    const external = only(objects, 'ExternalSecret');
    const valid = validator('eso-externalsecrets.yaml', external.apiVersion);
    expect([valid(external), valid.errors]).toEqual([true, null]);
    external.spec.target.creationPolicy = 'Sometimes';
    expect(valid(external)).toBe(false);
    const [store] = all(objects, 'SecretStore');
    const validStore = validator('eso-secretstores.yaml', store.apiVersion);
    expect([validStore(store), validStore.errors]).toEqual([true, null]);
    delete store.spec.provider.vault.server;
    expect(validStore(store)).toBe(false);
  });
});
