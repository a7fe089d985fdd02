/**
 * The restricted profile of Pod Security, as Kubernetes 1.36 has it: a rule for each of its checks, by the name that
 * the check has there. test/e2e/cluster/hardening.test.ts holds the same pods against a real API server.
 *
 * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
import { Field } from './field';
import { Pod } from './manifest-object';
import { Broken, podRule, Rule } from './rule';

const security = (of: Field, ...names: readonly string[]) => of.at('securityContext', ...names);

/** The pod's own security context and those of its containers. */
const everywhere = ({ spec, containers }: Pod, ...names: readonly string[]) =>
  [spec, ...containers].map((each) => security(each, ...names));

const eachContainer = ({ containers }: Pod, ...names: readonly string[]) =>
  containers.map((each) => security(each, ...names));

/** Of what is said: fields whose value is not taken. */
const refused = (fields: readonly Field[], want: string, takes: (value: unknown) => boolean): Broken[] =>
  fields.filter(({ isSet, value }) => isSet && !takes(value)).map((field) => said(field, want));

const said = (field: Field, want: string): Broken => ({ field, want, got: field.value ?? undefined });

const isWindows = ({ spec }: Pod) => spec.at('os', 'name').value === 'windows';
/** Root of a user namespace is nobody outside of it: from Kubernetes 1.35. */
const hasUserNamespace = ({ spec }: Pod) => spec.at('hostUsers').value === false;

const restricted = (
  check: string,
  recommendation: string,
  fix: string,
  broken: (pod: Pod) => readonly Broken[],
) => podRule({ name: `pod-security/${check}`, recommendation, fix }, broken);

const PRIVILEGES: readonly Rule[] = [
  restricted(
    'privileged',
    'Run no privileged container: it is root on its node.',
    'Leave privileged out, or say false.',
    (pod) =>
      refused(eachContainer(pod, 'privileged'), 'must be false or left out', (value) => value !== true),
  ),
  restricted(
    'allowPrivilegeEscalation',
    'Let no process gain more privileges than its parent has, as by a set-user-ID file.',
    'Say securityContext.allowPrivilegeEscalation: false in each container.',
    (pod) => {
      if (isWindows(pod)) return [];
      const fields = eachContainer(pod, 'allowPrivilegeEscalation');
      return fields.filter(({ value }) => value !== false).map((field) => said(field, 'must be false'));
    },
  ),
  restricted(
    'capabilities',
    'Drop all capabilities, and add none but NET_BIND_SERVICE.',
    'Say securityContext.capabilities: { drop: ["ALL"] } in each container.',
    (pod) => (isWindows(pod) ? [] : eachContainer(pod, 'capabilities').flatMap(capabilities)),
  ),
  restricted(
    'runAsNonRoot',
    'Have the kubelet refuse to run a container as root.',
    'Say runAsNonRoot: true in the security context of the pod or of each container.',
    (pod) => (hasUserNamespace(pod) ? [] : nonRoot(pod)),
  ),
  restricted(
    'runAsUser',
    'Run as another user than root.',
    'Give runAsUser another number than 0, or leave it to the image.',
    (pod) =>
      hasUserNamespace(pod)
        ? []
        : refused(everywhere(pod, 'runAsUser'), 'must not be 0, which is root', (value) => value !== 0),
  ),
];

function capabilities(of: Field): Broken[] {
  const [drop, add] = [of.at('drop'), of.at('add')];
  const added = add.texts.filter((name) => name !== 'NET_BIND_SERVICE');
  return [
    ...(drop.texts.includes('ALL') ? [] : [said(drop, 'must have "ALL"')]),
    ...(added.length === 0
      ? []
      : [{ field: add, want: 'must have nothing but "NET_BIND_SERVICE"', got: added }]),
  ];
}

/** Of a field that a container may leave to its pod: what is said must be taken, and somebody must say it. */
function inherited(pod: Pod, names: readonly string[], want: string, takes: (value: unknown) => boolean) {
  const ofPod = security(pod.spec, ...names);
  const ofContainers = pod.containers.map((each) => security(each, ...names));
  const isSaid = ofPod.isSet && takes(ofPod.value);
  return [
    ...refused([ofPod, ...ofContainers], want, takes),
    ...ofContainers.filter(({ isSet }) => !isSet && !isSaid).map((field) => said(field, want)),
  ];
}

const nonRoot = (pod: Pod) =>
  inherited(pod, ['runAsNonRoot'], 'must be true, here or of the pod', (value) => value === true);

const isDefaultOrLocal = (value: unknown) => value === 'RuntimeDefault' || value === 'Localhost';

const PROFILES: readonly Rule[] = [
  restricted(
    'seccompProfile',
    'Filter system calls by a seccomp profile.',
    'Say seccompProfile: { type: "RuntimeDefault" } in the security context of the pod.',
    (pod) =>
      isWindows(pod)
        ? []
        : inherited(
            pod,
            ['seccompProfile', 'type'],
            'must be "RuntimeDefault" or "Localhost", here or of the pod',
            isDefaultOrLocal,
          ),
  ),
  restricted(
    'appArmorProfile',
    'Leave the AppArmor profile of the container runtime in place.',
    'Leave appArmorProfile out, or say type: "RuntimeDefault"; take off the annotation.',
    (pod) => [
      ...refused(
        everywhere(pod, 'appArmorProfile', 'type'),
        'must be "RuntimeDefault", "Localhost" or left out',
        isDefaultOrLocal,
      ),
      ...refused(
        appArmorAnnotations(pod),
        'must be "runtime/default", begin with "localhost/" or be left out',
        (value) => /^$|^runtime\/default$|^localhost\//.test(String(value)),
      ),
    ],
  ),
  restricted(
    'seLinuxOptions',
    'Leave user and role of SELinux alone, and take a type that is made for containers.',
    'Leave seLinuxOptions out.',
    (pod) => [
      ...refused(
        everywhere(pod, 'seLinuxOptions', 'type'),
        `must be one of ${SELINUX_TYPES.join(', ')} or left out`,
        (value) => value === '' || SELINUX_TYPES.includes(value as string),
      ),
      ...['user', 'role'].flatMap((name) =>
        refused(everywhere(pod, 'seLinuxOptions', name), 'must be left out', (value) => value === ''),
      ),
    ],
  ),
  restricted(
    'procMount',
    'Leave what the runtime masks of /proc masked.',
    'Leave procMount out, or say "Default".',
    (pod) =>
      refused(
        eachContainer(pod, 'procMount'),
        'must be "Default" or left out',
        (value) => value === 'Default',
      ),
  ),
];

const SELINUX_TYPES = ['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

const appArmorAnnotations = ({ metadata }: Pod) =>
  Object.entries(metadata.at('annotations').members)
    .filter(([name]) => name.startsWith('container.apparmor.security.beta.kubernetes.io/'))
    .map(([, field]) => field);

const HOST: readonly Rule[] = [
  restricted(
    'hostNamespaces',
    "Share no namespace with the node: it is the node's network, processes and memory.",
    'Leave hostNetwork, hostPID and hostIPC out.',
    ({ spec }) =>
      refused(
        ['hostNetwork', 'hostPID', 'hostIPC'].map((name) => spec.at(name)),
        'must be false or left out',
        (value) => value !== true,
      ),
  ),
  restricted(
    'hostPorts',
    "Listen on no port of the node: no NetworkPolicy may stand before it, and two pods can't share it.",
    'Leave hostPort out; a Service reaches the pod.',
    ({ containers }) =>
      refused(
        containers.flatMap((each) => each.at('ports').items.map((port) => port.at('hostPort'))),
        'must be left out',
        (value) => value === 0,
      ),
  ),
  restricted(
    'hostProbesAndHostLifecycle',
    'Have the kubelet probe the pod itself, and not a host of its choice.',
    'Leave host out of probes and lifecycle handlers.',
    ({ containers }) =>
      refused(
        containers.flatMap(handlers).flatMap((of) => [of.at('httpGet', 'host'), of.at('tcpSocket', 'host')]),
        'must be left out',
        (value) => value === '',
      ),
  ),
  restricted(
    'windowsHostProcess',
    'Run no HostProcess container: it is a process of its Windows node.',
    'Leave windowsOptions.hostProcess out.',
    (pod) =>
      refused(
        everywhere(pod, 'windowsOptions', 'hostProcess'),
        'must be false or left out',
        (value) => value !== true,
      ),
  ),
  restricted(
    'sysctls',
    'Set no kernel parameter but those that concern the pod alone.',
    'Leave the sysctl out.',
    ({ spec }) =>
      refused(
        security(spec, 'sysctls').items.map((each) => each.at('name')),
        `must be one of ${SYSCTLS.join(', ')}`,
        (value) => SYSCTLS.includes(value as string),
      ),
  ),
  restricted(
    'restrictedVolumes',
    'Mount what belongs to the cluster, and no file of the node.',
    'Take a configMap, secret, projected, downwardAPI, emptyDir, ephemeral, persistentVolumeClaim, csi or ' +
      'image volume.',
    ({ spec }) =>
      spec.at('volumes').items.flatMap((volume) =>
        Object.keys(volume.members)
          .filter((type) => type !== 'name' && !VOLUMES.includes(type))
          .map((type) => ({
            field: volume.at(type),
            want: `must be left out: a volume must be one of ${VOLUMES.join(', ')}`,
          })),
      ),
  ),
];

const handlers = (container: Field): readonly Field[] => [
  ...['livenessProbe', 'readinessProbe', 'startupProbe'].map((name) => container.at(name)),
  ...['postStart', 'preStop'].map((name) => container.at('lifecycle', name)),
];

const SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
];

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

export const POD_SECURITY_RULES: readonly Rule[] = [...PRIVILEGES, ...PROFILES, ...HOST];
