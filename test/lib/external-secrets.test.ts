import { McpRoute, SecretCreationPolicy, SecretSource, SecretStoreRef } from '../../lib';
import { describeCrds, validator } from '../support/crds';
import {
  all,
  backendPeer,
  container,
  manifests,
  newChart,
  newGateway,
  only,
  pod,
  problems,
  synth,
} from '../support/synth';

const vault = SecretStoreRef.vault({
  server: 'https://vault.internal:8200',
  path: 'secret',
  role: 'agentgateway',
});
const credential = SecretSource.externalSecret({
  store: vault,
  remoteKey: 'aiops/agentgateway',
  property: 'backend_token',
  creationPolicy: SecretCreationPolicy.ORPHAN,
});
const objects = manifests({ mcp: { credential } });

describe('a credential from Vault', () => {
  it('reaches the container that sends it as a file, never as an environment variable', () => {
    const [volume] = pod(objects).volumes.filter((v: any) =>
      v.projected?.sources.some((s: any) => s.secret !== undefined),
    );
    expect(container(objects, 'agentgateway').volumeMounts.map((m: any) => m.name)).toContain(volume.name);
    expect(container(objects).volumeMounts.map((m: any) => m.name)).not.toContain(volume.name);
    expect(JSON.stringify(objects)).not.toMatch(/secretKeyRef|envFrom/);
  });
  it('is written by an ExternalSecret to the Secret that is mounted', () => {
    const { metadata, spec } = only(objects, 'ExternalSecret');
    expect(spec).toMatchObject({
      refreshInterval: '600s',
      secretStoreRef: { name: 'vault-backend', kind: 'SecretStore' },
      target: { name: metadata.name, creationPolicy: 'Orphan' },
    });
    const mounted = pod(objects)
      .volumes.flatMap((v: any) => v.projected?.sources ?? [])
      .flatMap((s: any) => (s.secret === undefined ? [] : [s.secret]));
    expect(mounted).toEqual([
      { name: metadata.name, items: [{ key: spec.data[0].secretKey, path: 'routes/mcp/credential' }] },
    ]);
  });
  it('comes from a store that logs in as the gateway', () => {
    expect(only(objects, 'SecretStore').spec.provider.vault.auth.kubernetes.serviceAccountRef).toEqual({
      name: 'agentgateway-sa',
      audiences: ['vault'],
    });
    expect(() => SecretStoreRef.vault({ server: 'http://vault', path: 'secret', role: 'x' })).toThrow(
      'vault.server: must be an https URL, got "http://vault"',
    );
  });
  it('has its store once in every namespace where it is fetched; gateways that log in as the same share one', () => {
    const built = (store: SecretStoreRef, namespaces: string[]) => {
      const chart = newChart();
      namespaces.forEach((namespace, n) => {
        const gateway = newGateway(chart, { namespace, name: `gateway-${n}` }, `Gateway${n}`);
        new McpRoute(chart, `Mcp${n}`, {
          gateway,
          name: 'mcp',
          backend: 'mcp:5000',
          backendPeer,
          credential: SecretSource.externalSecret({ store, remoteKey: 'k', secretName: 'shared' }),
        });
      });
      return all(synth(chart), 'SecretStore').map(
        ({ metadata: { namespace, name } }) => `${namespace}/${name}`,
      );
    };
    const shared = SecretStoreRef.vault({
      server: 'https://vault',
      path: 'secret',
      role: 'x',
      serviceAccountName: 'vault-login',
    });
    expect(built(shared, ['one', 'two'])).toEqual(['one/vault-backend', 'two/vault-backend']);
    expect(built(shared, ['one', 'one'])).toEqual(['one/vault-backend']);
    expect(() => built(vault, ['one', 'one'])).toThrow(
      'vault.name: must differ from that of another SecretStore with other settings, got "vault-backend"; ' +
        'give each a name of its own, or both the same serviceAccountName',
    );
  });
  it('of one name with another value is refused', () => {
    const chart = newChart();
    const gateway = newGateway(chart);
    for (const remoteKey of ['a', 'b']) {
      new McpRoute(chart, remoteKey, {
        gateway,
        pathPrefix: `/${remoteKey}`,
        backend: 'mcp:5000',
        backendPeer,
        credential: SecretSource.externalSecret({ store: vault, remoteKey, secretName: 'x' }),
      });
    }
    expect(problems(() => chart).join()).toContain(
      'ExternalSecret aiops/x: must be emitted once, got "test/Gateway"',
    );
  });
  it('from a cluster-wide store is for this namespace only', () => {
    const store = SecretStoreRef.vault({
      server: 'https://vault',
      path: 'secret',
      role: 'x',
      clusterScoped: true,
    });
    const { metadata, spec } = only(
      manifests({ mcp: { credential: SecretSource.externalSecret({ store, remoteKey: 'k' }) } }),
      'ClusterSecretStore',
    );
    expect(metadata.namespace).toBeUndefined();
    expect(spec.conditions).toEqual([{ namespaces: ['aiops'] }]);
  });
  it('from a cluster-wide store names one of its own namespace, unless it is given a name', () => {
    const of = (name?: string) => {
      const store = SecretStoreRef.vault({
        server: 'https://vault',
        path: 'secret',
        role: 'x',
        clusterScoped: true,
        name,
      });
      const emitted = manifests({
        mcp: { credential: SecretSource.externalSecret({ store, remoteKey: 'k' }) },
      });
      return [
        only(emitted, 'ClusterSecretStore').metadata.name,
        only(emitted, 'ExternalSecret').spec.secretStoreRef.name,
      ];
    };
    expect(of()).toEqual(['vault-backend-aiops', 'vault-backend-aiops']);
    expect(of('vault')).toEqual(['vault', 'vault']);
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
