import { ApiObject, Duration, JsonPatch, Testing } from 'cdk8s';
import { AuthMode, AuthProfile, DataPlane, Image, McpRoute, Peer, ReplayStore, SecretSource } from '../../lib';
import { all, backendPeer, container, dataOf, gatewayChart, manifests, newChart, newGateway, only, pod, problems, synth } from '../support/synth';

const redis = ReplayStore.redis({ host: 'redis.aiops.svc', peer: Peer.pods({ app: 'redis' }) });

describe('the pod', () => {
  const objects = manifests({ secrets: ['db'] });

  it('runs the proxy and agentgateway, the proxy alone with DataPlane.direct', () => {
    expect(pod(objects).containers.map((c: { name: string }) => c.name)).toEqual(['dpop-proxy', 'agentgateway']);
    expect(pod(manifests({ gateway: { dataPlane: DataPlane.direct() } })).containers.map((c: { name: string }) => c.name)).toEqual(['dpop-proxy']);
  });
  it('is what the restricted Pod Security Standard asks, and more', () => {
    expect(pod(objects)).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' }, appArmorProfile: { type: 'RuntimeDefault' } },
    });
    for (const c of pod(objects).containers) {
      expect(c.securityContext).toEqual({ allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true, runAsNonRoot: true, capabilities: { drop: ['ALL'] } });
      expect(c.resources.limits.memory).toBe(c.resources.requests.memory);
      expect(c.resources.limits['ephemeral-storage']).toBeDefined();
      expect(c.image).toMatch(/@sha256:[0-9a-f]{64}$/);
      expect(c.env).toBeUndefined();
      expect(c.envFrom).toBeUndefined();
    }
  });
  it('shares nothing with its node', () => {
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace']) expect(pod(objects)[field]).toBeUndefined();
    expect(pod(objects).volumes.filter((v: object) => 'hostPath' in v)).toEqual([]);
  });
  it('writes to bounded memory only, and mounts no subPath', () => {
    for (const v of pod(objects).volumes) if (v.emptyDir !== undefined) expect(v.emptyDir).toEqual({ medium: 'Memory', sizeLimit: '16Mi' });
    for (const c of pod(objects).containers) {
      for (const m of c.volumeMounts) {
        expect(m.subPath).toBeUndefined();
        expect(m.readOnly === true || m.mountPath === '/tmp').toBe(true);
      }
    }
  });
  it('holds a ServiceAccount token only with a secrets route, without an audience, in the proxy alone', () => {
    const token = (v: { projected?: { sources: object[] } }) => v.projected?.sources.some((s) => 'serviceAccountToken' in s);
    const [volume] = pod(objects).volumes.filter(token);
    expect(volume.projected.sources[0].serviceAccountToken).toEqual({ path: 'token', expirationSeconds: 3600 });
    expect(container(objects, 'agentgateway').volumeMounts.map((m: { name: string }) => m.name)).not.toContain(volume.name);
    expect(pod(manifests()).volumes.filter(token)).toEqual([]);
  });
  it('is asked three different questions, on the admin port', () => {
    const { startupProbe, readinessProbe, livenessProbe } = container(objects);
    expect([startupProbe, readinessProbe, livenessProbe].map((p) => `${p.httpGet.port}${p.httpGet.path}`)).toEqual(['admin/readyz', 'admin/readyz', 'admin/livez']);
    expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBeGreaterThanOrEqual(30);
  });
  it('has the time to drain that it needs', () => {
    const spec = pod(manifests({ gateway: { drain: Duration.seconds(100), preStop: Duration.seconds(20) } }));
    expect(spec.terminationGracePeriodSeconds).toBe(130);
    expect(spec.containers[0].lifecycle).toEqual({ preStop: { sleep: { seconds: 20 } } });
  });
  it('has a user namespace and strict groups where Kubernetes has them', () => {
    const spec = pod(manifests({ gateway: { minKubernetesVersion: '1.33' } }));
    expect([spec.hostUsers, spec.securityContext.supplementalGroupsPolicy]).toEqual([false, 'Strict']);
    expect(pod(objects).hostUsers).toBeUndefined();
  });
  it('is never beside its successor with a memory store, and never missing with a shared one', () => {
    expect(only(objects, 'Deployment').spec.strategy).toEqual({ type: 'Recreate' });
    expect(only(manifests({ gateway: { replayStore: redis } }), 'Deployment').spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
  });
});

describe('the gateway', () => {
  it('has two replicas and a budget with a shared store, one replica and none with a memory store', () => {
    const shared = manifests({ gateway: { replayStore: redis } });
    expect(only(shared, 'Deployment').spec.replicas).toBe(2);
    expect(only(shared, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
    expect(all(manifests(), 'PodDisruptionBudget')).toEqual([]);
  });
  it('is a ClusterIP Service with the traffic port alone', () => {
    const { spec } = only(manifests(), 'Service');
    expect(spec.type).toBe('ClusterIP');
    expect(spec.ports).toEqual([{ name: 'http', port: 8080, targetPort: 'http', protocol: 'TCP', appProtocol: 'http' }]);
    expect(only(manifests({ gateway: { tlsSecretName: 'tls' } }), 'Service').spec.ports[0].appProtocol).toBe('https');
  });
  it('may get the named Secrets and nothing else', () => {
    const objects = manifests({ secrets: ['b', 'a', 'a'] });
    expect(only(objects, 'Role').rules).toEqual([{ apiGroups: [''], resources: ['secrets'], resourceNames: ['a', 'b'], verbs: ['get'] }]);
    expect(only(objects, 'RoleBinding').subjects).toEqual([{ kind: 'ServiceAccount', name: 'agentgateway-sa', namespace: 'aiops' }]);
    expect(only(objects, 'RoleBinding').roleRef.name).toBe(only(objects, 'Role').metadata.name);
    expect([...all(manifests(), 'Role'), ...all(manifests(), 'RoleBinding')]).toEqual([]);
  });
  it('derives every name from one', () => {
    const objects = manifests({ gateway: { name: 'edge', replayStore: redis }, secrets: ['db'] });
    expect(objects.map((o) => o.metadata.name).filter((name) => !name.startsWith('edge'))).toEqual([]);
    expect(pod(objects).serviceAccountName).toBe(only(objects, 'ServiceAccount').metadata.name);
    const mounted = pod(objects).volumes.flatMap((v: any) => v.projected?.sources ?? []).map((s: any) => s.configMap?.name).filter((n: string) => n?.startsWith('edge'));
    expect(new Set(mounted)).toEqual(new Set(all(objects, 'ConfigMap').map((o) => o.metadata.name)));
  });
  it('keeps every patch of a user', () => {
    const chart = gatewayChart({ gateway: { replayStore: redis } });
    const budget = chart.node.findAll().find((c) => c instanceof ApiObject && c.kind === 'PodDisruptionBudget') as ApiObject;
    budget.addJsonPatch(JsonPatch.replace('/spec/maxUnavailable', 2), JsonPatch.add('/spec/somethingNewer', true));
    expect(only(synth(chart), 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 2, somethingNewer: true });
  });
  it('serves routes that are added after it, in an order that does not depend on the calls', () => {
    const config = (ids: string[]) => {
      const chart = newChart();
      const gateway = newGateway(chart);
      for (const id of ids) new McpRoute(chart, id, { gateway, backend: 'mcp:5000', backendPeer, pathPrefix: `/${id.toLowerCase()}` });
      return dataOf(synth(chart), 'config.json');
    };
    expect(config(['A', 'Longer', 'B'])).toBe(config(['B', 'Longer', 'A']));
  });
  it('shows an unpinned image in the manifest, with the reason', () => {
    const image = Image.unpinned('node:24-bookworm-slim', 'a laptop cluster without a registry');
    expect(only(manifests({ gateway: { image } }), 'Deployment').metadata.annotations).toEqual({ 'cdk8s-agentgateway/unpinned-image': 'node:24-bookworm-slim: a laptop cluster without a registry' });
  });
});

describe('synth refuses', () => {
  const gatewayProblems = (options: Parameters<typeof gatewayChart>[0]) => {
    try {
      Testing.synth(gatewayChart(options));
      return [];
    } catch (cause) {
      return (cause as Error).message.split('\n').slice(1).map((line) => line.trim()).filter((line) => line !== '');
    }
  };
  it.each([
    ['a memory store with two replicas', { gateway: { replicas: 2 } }, /\[test\/Gateway\] replay\.store: must be shared by all 2 replicas.*got "memory"; use the redis store, or one replica/],
    ['a budget for one replica', { gateway: { podDisruptionBudget: true } }, /podDisruptionBudget: must go with at least 2 replicas.*got 1; choose ReplayStore\.redis/],
    ['a secrets route without a way to the API server', { gateway: { apiServer: undefined }, secrets: ['db'] }, /apiServer: is required with a SecretsRoute.*kubectl get endpointslices/],
    ['a path that is not canonical', { mcp: { pathPrefix: 'mcp' } }, /\[test\/Mcp\] pathPrefix: must start with "\/", got "mcp"; did you mean "\/mcp"\?/],
    ['a permissive secrets route', { gateway: { auth: AuthProfile.dpop({ mode: AuthMode.PERMISSIVE }) }, secrets: ['db'] }, /\[test\/Secrets\] auth\.mode: must be "strict" on a secrets route/],
    ["the gateway's own credential in a secrets route", { mcp: { credential: SecretSource.existing('backend', 'token') }, secrets: ['backend'] }, /must not name a credential of the gateway itself.*got "backend"/],
    ['a public origin with a path', { gateway: { publicOrigins: ['https://gw.example/x'] } }, /publicOrigins\[0\]: must be an http\(s\) origin.*did you mean "https:\/\/gw\.example"\?/],
  ])('%s', (_, options, message) => {
    const found = gatewayProblems(options);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });
  it('two routes that shadow each other, naming both', () => {
    const found = problems((app) => {
      const chart = new (jest.requireActual<typeof import('cdk8s')>('cdk8s').Chart)(app, 'test', { namespace: 'aiops' });
      const gateway = newGateway(chart);
      for (const id of ['One', 'Two']) new McpRoute(chart, id, { gateway, backend: 'mcp:5000', backendPeer });
    });
    expect(found).toEqual([expect.stringMatching(/\[test\/Two\] pathPrefix: must differ from that of routes\[0\] \("one"\), which shadows it, got "\/mcp"; give each route its own prefix/)]);
  });
  it('everything that is wrong with an app, in one report with the paths', () => {
    const found = gatewayProblems({ gateway: { replicas: 3, podDisruptionBudget: false, publicOrigins: [] }, mcp: { pathPrefix: '/a//b', allowedOrigins: ['x'] }, secrets: ['db'] });
    expect(found.map((line) => line.replace(/^(\[\S+\] \S+:).*/, '$1')).sort()).toEqual(['[test/Gateway] publicOrigins:', '[test/Gateway] replay.store:', '[test/Mcp] allowedOrigins[0]:', '[test/Mcp] pathPrefix:']);
  });
});
