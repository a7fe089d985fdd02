/** Manifests that keep every rule of HardeningValidation, and what breaks each of them. */
const DIGEST = `sha256:${'0'.repeat(64)}`;
export const IMAGE = `registry.example/app:1@${DIGEST}`;

type Json = Record<string, any>;

export const container = (more: Json = {}): Json => ({
  name: 'app',
  image: IMAGE,
  ...more,
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    ...more.securityContext,
  },
});
export const podSpec = (more: Json = {}): Json => ({
  containers: [container()],
  ...more,
  securityContext: {
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
    ...more.securityContext,
  },
});
export const pod = (spec: Json = podSpec(), metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'app', namespace: 'apps', ...metadata },
  spec,
});

const secured = (securityContext: Json) => pod(podSpec({ containers: [container({ securityContext })] }));
const withPod = (securityContext: Json) => pod(podSpec({ securityContext }));
const withContainer = (more: Json) => pod(podSpec({ containers: [container(more)] }));
const withVolume = (source: Json) => pod(podSpec({ volumes: [{ name: 'v', ...source }] }));
const mutated = (change: (spec: Json) => void) => {
  const spec = podSpec();
  change(spec);
  return pod(spec);
};
const annotated = (value: string) =>
  pod(podSpec(), { annotations: { 'container.apparmor.security.beta.kubernetes.io/app': value } });
/** What an API server refuses at its creation: it is added to a pod that runs. */
const debugged = (more: Json = {}) =>
  pod(podSpec({ ephemeralContainers: [container({ name: 'debugger', ...more })] }));
const probe = (host: string) => ({ httpGet: { port: 80, host } });

type BrokenPod = readonly [where: string, pod: Json, also?: string];
/**
 * By rule of Pod Security: pods that break it and nothing else but `also`, and where. A real API server refuses each
 * of them in a namespace that enforces `restricted` (test/e2e/cluster/hardening.test.ts).
 */
export const BROKEN_PODS: Readonly<Record<string, readonly BrokenPod[]>> = {
  privileged: [
    // The API server takes no privileged container that says it gains no privileges.
    [
      'spec.containers[0].securityContext.privileged',
      secured({ privileged: true, allowPrivilegeEscalation: null }),
      'allowPrivilegeEscalation',
    ],
  ],
  allowPrivilegeEscalation: [
    [
      'spec.containers[0].securityContext.allowPrivilegeEscalation',
      secured({ allowPrivilegeEscalation: true }),
    ],
    [
      'spec.containers[0].securityContext.allowPrivilegeEscalation',
      secured({ allowPrivilegeEscalation: null }),
    ],
    [
      'spec.initContainers[0].securityContext.allowPrivilegeEscalation',
      pod(
        podSpec({
          initContainers: [container({ name: 'first', securityContext: { allowPrivilegeEscalation: null } })],
        }),
      ),
    ],
    [
      'spec.ephemeralContainers[0].securityContext.allowPrivilegeEscalation',
      debugged({ securityContext: { allowPrivilegeEscalation: null } }),
    ],
  ],
  capabilities: [
    [
      'spec.containers[0].securityContext.capabilities.drop',
      secured({ capabilities: { drop: ['NET_RAW'] } }),
    ],
    ['spec.containers[0].securityContext.capabilities.drop', secured({ capabilities: null })],
    [
      'spec.containers[0].securityContext.capabilities.add',
      secured({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } }),
    ],
  ],
  runAsNonRoot: [
    ['spec.containers[0].securityContext.runAsNonRoot', withPod({ runAsNonRoot: null })],
    ['spec.containers[0].securityContext.runAsNonRoot', secured({ runAsNonRoot: false })],
    [
      'spec.securityContext.runAsNonRoot',
      pod(
        podSpec({
          securityContext: { runAsNonRoot: false },
          containers: [container({ securityContext: { runAsNonRoot: true } })],
        }),
      ),
    ],
  ],
  runAsUser: [
    ['spec.securityContext.runAsUser', withPod({ runAsUser: 0 })],
    ['spec.containers[0].securityContext.runAsUser', secured({ runAsUser: 0 })],
  ],
  seccompProfile: [
    ['spec.containers[0].securityContext.seccompProfile.type', withPod({ seccompProfile: null })],
    [
      'spec.containers[0].securityContext.seccompProfile.type',
      secured({ seccompProfile: { type: 'Unconfined' } }),
    ],
    [
      'spec.securityContext.seccompProfile.type',
      pod(
        podSpec({
          securityContext: { seccompProfile: { type: 'Unconfined' } },
          containers: [container({ securityContext: { seccompProfile: { type: 'RuntimeDefault' } } })],
        }),
      ),
    ],
  ],
  appArmorProfile: [
    ['spec.securityContext.appArmorProfile.type', withPod({ appArmorProfile: { type: 'Unconfined' } })],
    [
      'spec.containers[0].securityContext.appArmorProfile.type',
      secured({ appArmorProfile: { type: 'Unconfined' } }),
    ],
    ['metadata.annotations["container.apparmor.security.beta.kubernetes.io/app"]', annotated('unconfined')],
  ],
  seLinuxOptions: [
    ['spec.securityContext.seLinuxOptions.type', withPod({ seLinuxOptions: { type: 'spc_t' } })],
    [
      'spec.containers[0].securityContext.seLinuxOptions.user',
      secured({ seLinuxOptions: { user: 'sysadm_u' } }),
    ],
    [
      'spec.containers[0].securityContext.seLinuxOptions.role',
      secured({ seLinuxOptions: { role: 'sysadm_r' } }),
    ],
  ],
  procMount: [
    // The API server wants a user namespace for it.
    [
      'spec.containers[0].securityContext.procMount',
      pod(
        podSpec({
          hostUsers: false,
          containers: [container({ securityContext: { procMount: 'Unmasked' } })],
        }),
      ),
    ],
  ],
  hostNamespaces: [
    ['spec.hostNetwork', pod(podSpec({ hostNetwork: true }))],
    ['spec.hostPID', pod(podSpec({ hostPID: true }))],
    ['spec.hostIPC', pod(podSpec({ hostIPC: true }))],
  ],
  hostPorts: [
    [
      'spec.containers[0].ports[1].hostPort',
      withContainer({ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] }),
    ],
  ],
  hostProbesAndHostLifecycle: [
    ['spec.containers[0].livenessProbe.httpGet.host', withContainer({ livenessProbe: probe('example.com') })],
    [
      'spec.containers[0].readinessProbe.tcpSocket.host',
      withContainer({ readinessProbe: { tcpSocket: { port: 80, host: 'example.com' } } }),
    ],
    ['spec.containers[0].startupProbe.httpGet.host', withContainer({ startupProbe: probe('example.com') })],
    [
      'spec.containers[0].lifecycle.postStart.httpGet.host',
      withContainer({ lifecycle: { postStart: probe('a') } }),
    ],
    [
      'spec.containers[0].lifecycle.preStop.httpGet.host',
      withContainer({ lifecycle: { preStop: probe('a') } }),
    ],
  ],
  windowsHostProcess: [
    [
      'spec.securityContext.windowsOptions.hostProcess',
      mutated((spec) => {
        spec.securityContext.windowsOptions = { hostProcess: true };
        delete spec.securityContext.seccompProfile;
        spec.os = { name: 'windows' };
        spec.containers = [{ name: 'app', image: IMAGE }];
        // The API server wants it so.
        spec.hostNetwork = true;
      }),
      'hostNamespaces',
    ],
  ],
  sysctls: [
    [
      'spec.securityContext.sysctls[1].name',
      withPod({
        sysctls: [
          { name: 'net.ipv4.tcp_rmem', value: '1' },
          { name: 'kernel.msgmax', value: '1' },
        ],
      }),
    ],
  ],
  restrictedVolumes: [
    ['spec.volumes[0].hostPath', withVolume({ hostPath: { path: '/' } })],
    ['spec.volumes[0].nfs', withVolume({ nfs: { server: 'a', path: '/' } })],
  ],
};

const sizes = { resources: { requests: { storage: '1Gi' } } };
/** Pods that keep the restricted profile; the API server takes each of them. */
export const SOUND_PODS: Readonly<Record<string, Json>> = {
  plain: pod(),
  'said by containers alone': mutated((spec) => {
    spec.securityContext = {};
    spec.containers = [
      container({
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'Localhost', localhostProfile: 'a' } },
      }),
    ];
  }),
  'what may be said': pod(
    podSpec({
      securityContext: {
        runAsUser: 1000,
        appArmorProfile: { type: 'RuntimeDefault' },
        seLinuxOptions: { type: 'container_engine_t', level: 's0' },
        sysctls: [{ name: 'net.ipv4.tcp_keepalive_time', value: '60' }],
      },
      containers: [
        container({
          securityContext: {
            capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
            procMount: 'Default',
            privileged: false,
          },
          ports: [{ containerPort: 80 }],
          livenessProbe: { httpGet: { port: 80 } },
        }),
      ],
      hostNetwork: false,
    }),
  ),
  'root in a user namespace': pod(
    podSpec({ hostUsers: false, securityContext: { runAsNonRoot: false, runAsUser: 0 } }),
  ),
  'the volumes of the profile': pod(
    podSpec({
      volumes: [
        { name: 'nothing' },
        { name: 'config', configMap: { name: 'a' } },
        { name: 'secret', secret: { secretName: 'a' } },
        { name: 'api', downwardAPI: { items: [] } },
        { name: 'tmp', emptyDir: {} },
        { name: 'token', projected: { sources: [] } },
        { name: 'claim', persistentVolumeClaim: { claimName: 'a' } },
        {
          name: 'own',
          ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], ...sizes } } },
        },
        { name: 'driver', csi: { driver: 'a.example' } },
        { name: 'models', image: { reference: IMAGE } },
      ],
    }),
  ),
  'the default AppArmor profile, as it was said before': annotated('runtime/default'),
  'a Windows pod without what is of Linux': mutated((spec) => {
    spec.os = { name: 'windows' };
    spec.securityContext = { runAsNonRoot: true };
    spec.containers = [{ name: 'app', image: IMAGE }];
  }),
  'a debug container': debugged(),
};

/** What denies by default where the pods above are. */
export const DENY_ALL: Json = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny-all', namespace: 'apps' },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
};
