interface Watched {
  readonly namespace: string;
  readonly serviceAccount: string;
}

const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection'];
/** Metadata, whatever the verb: on a write `Request` would log the value, on a read `RequestResponse` would. */
const SECRET = [{ group: '', resources: ['secrets', 'configmaps', 'serviceaccounts/token'] }];
const GUARDS = [
  { group: 'rbac.authorization.k8s.io', resources: ['roles', 'rolebindings'] },
  { group: 'networking.k8s.io', resources: ['networkpolicies'] },
  { group: 'policy', resources: ['poddisruptionbudgets'] },
];
const CLUSTER_GUARDS = [
  { group: 'rbac.authorization.k8s.io', resources: ['clusterroles', 'clusterrolebindings'] },
  { group: 'admissionregistration.k8s.io' },
];

/** The first match decides, and what matches nothing is not recorded: hence the order and the last rule. */
export function auditRules(watched: Watched[]): object[] {
  const namespaces = unique(watched.map((w) => w.namespace));
  const users = unique(watched.map((w) => `system:serviceaccount:${w.namespace}:${w.serviceAccount}`));
  return [
    // Before the noise: nothing that a gateway does is noise.
    { level: 'Metadata', users },
    {
      level: 'None',
      nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version', '/openapi/*'],
      userGroups: ['system:authenticated'],
    },
    {
      level: 'None',
      userGroups: ['system:nodes', 'system:serviceaccounts:kube-system'],
      resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }],
    },
    {
      level: 'None',
      users: ['system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver'],
      resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }],
    },
    {
      level: 'None',
      users: ['system:kube-proxy', 'system:kube-controller-manager', 'system:kube-scheduler'],
      verbs: ['watch'],
      resources: [
        { group: '', resources: ['endpoints', 'services', 'nodes', 'pods'] },
        { group: 'discovery.k8s.io', resources: ['endpointslices'] },
      ],
    },
    { level: 'Metadata', namespaces, resources: SECRET },
    { level: 'RequestResponse', namespaces, verbs: WRITES, resources: GUARDS },
    { level: 'RequestResponse', verbs: WRITES, resources: CLUSTER_GUARDS },
    { level: 'Metadata', resources: [{ group: 'authentication.k8s.io' }, { group: 'authorization.k8s.io' }] },
    // The rest, and with it every 401: it has no user that a narrower rule could name.
    { level: 'Metadata' },
  ];
}

const unique = (values: string[]) => [...new Set(values)].sort();
