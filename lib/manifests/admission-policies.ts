/**
 * Admission rules as ValidatingAdmissionPolicies: one a shape of object, the same rules for each shape that
 * carries a pod.
 */
import { Lazy } from 'cdk8s';
import { BY_DIGEST } from '../support/image-reference';
import { Admission, AdmissionRule } from '../values/admission';

/** In CEL, where `c` is a container of any sort and `variables.pod` the pod's spec. */
interface PodRule {
  /** Whether a container breaks it. */
  readonly container: string;
  /** What is said of such a container; its name where absent. */
  readonly got?: string;
  /** List of what else breaks it. */
  readonly others?: string;
  readonly want: string;
}

/** The pod's own word holds where the container has none. */
const effective = (field: string, without: string) =>
  `c.?securityContext.?${field}.orValue(variables.pod.?securityContext.?${field}.orValue(${without}))`;

const notByDigest = (image: string) => `!${image}.matches(${JSON.stringify(BY_DIGEST)})`;

const POD_RULES: Readonly<
  Record<Exclude<AdmissionRule, AdmissionRule.CLUSTER_IP | AdmissionRule.ONE_REPLICA>, PodRule>
> = {
  [AdmissionRule.IMAGE_DIGEST]: {
    container: notByDigest('c.?image.orValue("")'),
    got: 'c.name + " " + c.?image.orValue("(none)")',
    others:
      'variables.pod.?volumes.orValue([]).filter(v, has(v.image) && ' +
      `${notByDigest('v.image.?reference.orValue("")')}).map(v, v.name + " " + ` +
      'v.image.?reference.orValue("(none)"))',
    want: 'image must be pinned by digest (repository:tag@sha256:<64 hex>)',
  },
  [AdmissionRule.NON_ROOT]: {
    container: `!${effective('runAsNonRoot', 'false')} || ${effective('runAsUser', '1')} == 0`,
    want: 'runAsNonRoot must be true and runAsUser not 0',
  },
  [AdmissionRule.READ_ONLY_ROOT]: {
    container: '!c.?securityContext.?readOnlyRootFilesystem.orValue(false)',
    want: 'securityContext.readOnlyRootFilesystem must be true; mount an emptyDir where the container writes',
  },
  [AdmissionRule.NO_SECRET_ENV]: {
    container:
      'c.?env.orValue([]).exists(e, e.?valueFrom.?secretKeyRef.hasValue()) || ' +
      'c.?envFrom.orValue([]).exists(e, e.?secretRef.hasValue())',
    want: 'a Secret must be mounted as a file, not given as a variable',
  },
  [AdmissionRule.NO_SUB_PATH]: {
    container:
      'c.?volumeMounts.orValue([]).exists(m, m.name in variables.renewed && (m.?subPath.orValue("") != "" ' +
      '|| m.?subPathExpr.orValue("") != ""))',
    want:
      'a volume of a ConfigMap, Secret, projection or downward API must be mounted without subPath, with ' +
      'which its files are never renewed',
  },
  [AdmissionRule.OWN_PROCESSES]: {
    container:
      'c.?targetContainerName.orValue("") != "" || (c.name in variables.debuggers && ' +
      'c.?volumeMounts.orValue([]).exists(m, m.name in variables.renewed))',
    others: '(variables.pod.?shareProcessNamespace.orValue(false) ? ["the pod"] : [])',
    want:
      'shareProcessNamespace must be left out, and a debug container have no target and no volume of a ' +
      'ConfigMap, Secret or token: it would read the files of the others',
  },
};

const SHAPES = {
  pods: { pod: 'object.spec', match: { '': ['pods', 'pods/ephemeralcontainers'] } },
  workloads: {
    pod: 'object.spec.template.spec',
    match: {
      '': ['replicationcontrollers'],
      apps: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
      batch: ['jobs'],
    },
  },
  cronjobs: { pod: 'object.spec.jobTemplate.spec.template.spec', match: { batch: ['cronjobs'] } },
} as const;

/**
 * A whole `matchConstraints` or `matchResources` is one value to the API server, with what it fills in: an apply
 * that leaves a default out is another value than the stored one, and conflicts with whoever applied that.
 */
export const matchedBy = (namespaceSelector: object) => ({
  matchPolicy: 'Equivalent',
  namespaceSelector,
  objectSelector: {},
});

/** Resources by their API group; all are of version v1. */
type Match = Readonly<Record<string, readonly string[]>>;

/**
 * Where the rules look. What is there and breaks one may still be labelled, scaled, finished and deleted: only
 * a change of this checks it.
 */
const matching = (match: Match, part: string) => ({
  failurePolicy: 'Fail',
  matchConstraints: {
    ...matchedBy({}),
    resourceRules: Object.entries(match).map(([group, resources]) => ({
      apiGroups: [group],
      apiVersions: ['v1'],
      resources,
      operations: ['CREATE', 'UPDATE'],
      scope: '*', // a default, too
    })),
  },
  matchConditions: [
    {
      name: 'new-or-changed',
      expression: `request.operation == "CREATE" || ${part} != ${part.replace('object', 'oldObject')}`,
    },
  ],
});

/** The variable lists what breaks the rule. */
function podValidation(
  rule: AdmissionRule,
  { container, got = 'c.name', others, want }: PodRule,
): { readonly variable: object; readonly validation: object } {
  const name = rule.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const broken = `variables.containers.filter(c, ${container}).map(c, ${got})`;
  return {
    variable: { name, expression: others === undefined ? broken : `${broken} + ${others}` },
    validation: {
      expression: `size(variables.${name}) == 0`,
      message: `${rule}: ${want}`,
      messageExpression: `${JSON.stringify(`${rule}: ${want}, got: `)} + variables.${name}.join(", ")`,
    },
  };
}

const SERVICE_WANT = `${AdmissionRule.CLUSTER_IP}: a Service must be of type ClusterIP and have no externalIPs`;

const REPLICA_WANT =
  `${AdmissionRule.ONE_REPLICA}: a gateway with a memory replay store must have one replica, as another would ` +
  'take every proof once more; ReplayStore.redis is for more';

/**
 * The `spec` of the policy that holds Deployments to one replica, also where they are scaled: a Scale has the
 * Deployment's name and not its labels.
 * @param names asked at synth
 */
export function oneReplicaSpec(names: () => readonly string[]): object {
  const rule = matching({ apps: ['deployments', 'deployments/scale'] }, 'object.spec.?replicas');
  const isOne = () => `object.metadata.name in ${JSON.stringify([...names()].sort())}`;
  return {
    ...rule,
    matchConditions: [
      { name: 'remembers-alone', expression: Lazy.any({ produce: isOne }) as unknown },
      // A Deployment that has moved to Redis says so itself, whatever this policy still names.
      {
        name: 'still-does',
        expression:
          'request.?subResource.orValue("") == "scale" || ' +
          'dyn(object.spec).?template.?spec.?affinity.?podAntiAffinity.hasValue()',
      },
      ...rule.matchConditions,
    ],
    validations: [
      {
        expression: 'object.spec.?replicas.orValue(1) <= 1',
        message: REPLICA_WANT,
        messageExpression: `${JSON.stringify(`${REPLICA_WANT}, got: `)} + string(object.spec.?replicas.orValue(1))`,
      },
    ],
  };
}

const SERVICE_VALIDATION = {
  expression:
    'object.spec.?type.orValue("ClusterIP") == "ClusterIP" && size(object.spec.?externalIPs.orValue([])) == 0',
  message: SERVICE_WANT,
  messageExpression:
    `${JSON.stringify(`${SERVICE_WANT}, got: `)} + object.spec.?type.orValue("ClusterIP") + " " ` +
    '+ object.spec.?externalIPs.orValue([]).join(", ")',
};

/** The `spec` of each policy, by what is checked; none without rules. */
export function policySpecs({ _rules }: Admission): Readonly<Record<string, object>> {
  const podRules = _rules.flatMap((rule) =>
    rule === AdmissionRule.CLUSTER_IP || rule === AdmissionRule.ONE_REPLICA
      ? []
      : [podValidation(rule, POD_RULES[rule])],
  );
  const carriers =
    podRules.length === 0
      ? []
      : Object.entries(SHAPES).map(
          ([name, { pod, match }]) =>
            [
              name,
              {
                ...matching(match, pod),
                variables: [
                  { name: 'pod', expression: pod },
                  {
                    name: 'containers',
                    expression: ['containers', 'initContainers', 'ephemeralContainers']
                      .map((field) => `dyn(variables.pod.?${field}.orValue([]))`)
                      .join(' + '),
                  },
                  {
                    name: 'debuggers',
                    expression: 'variables.pod.?ephemeralContainers.orValue([]).map(c, c.name)',
                  },
                  {
                    name: 'renewed',
                    expression:
                      'variables.pod.?volumes.orValue([]).filter(v, has(v.configMap) || has(v.secret) || ' +
                      'has(v.projected) || has(v.downwardAPI)).map(v, v.name)',
                  },
                  ...podRules.map(({ variable }) => variable),
                ],
                validations: podRules.map(({ validation }) => validation),
              },
            ] as const,
        );
  const services = !_rules.includes(AdmissionRule.CLUSTER_IP)
    ? []
    : [
        [
          'services',
          {
            ...matching({ '': ['services'] }, 'object.spec'),
            validations: [SERVICE_VALIDATION],
          },
        ] as const,
      ];
  return Object.fromEntries<object>([...carriers, ...services]);
}
