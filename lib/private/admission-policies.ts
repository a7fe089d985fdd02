/** Admission rules as ValidatingAdmissionPolicies: one a shape of object, the same rules for each shape that carries a pod. */
import { Admission, AdmissionRule } from '../admission';

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
const effective = (field: string, without: string) => `c.?securityContext.?${field}.orValue(variables.pod.?securityContext.?${field}.orValue(${without}))`;

const notByDigest = (image: string) => `!${image}.matches("^[^@ ]+@sha256:[0-9a-f]{64}$")`;

const POD_RULES: Readonly<Record<Exclude<AdmissionRule, AdmissionRule.CLUSTER_IP>, PodRule>> = {
  [AdmissionRule.IMAGE_DIGEST]: {
    container: notByDigest('c.?image.orValue("")'),
    got: 'c.name + " " + c.?image.orValue("(none)")',
    others: `variables.pod.?volumes.orValue([]).filter(v, has(v.image) && ${notByDigest('v.image.?reference.orValue("")')}).map(v, v.name + " " + v.image.?reference.orValue("(none)"))`,
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
    container: 'c.?env.orValue([]).exists(e, e.?valueFrom.?secretKeyRef.hasValue()) || c.?envFrom.orValue([]).exists(e, e.?secretRef.hasValue())',
    want: 'a Secret must be mounted as a file, not given as a variable',
  },
  [AdmissionRule.NO_SUB_PATH]: {
    container: 'c.?volumeMounts.orValue([]).exists(m, m.name in variables.renewed && (m.?subPath.orValue("") != "" || m.?subPathExpr.orValue("") != ""))',
    want: 'a volume of a ConfigMap, Secret, projection or downward API must be mounted without subPath, with which its files are never renewed',
  },
  [AdmissionRule.OWN_PROCESSES]: {
    container: 'c.?targetContainerName.orValue("") != ""',
    others: '(variables.pod.?shareProcessNamespace.orValue(false) ? ["the pod"] : [])',
    want: 'shareProcessNamespace must be left out, and a debug container have no target: it would read the files of the others',
  },
};

const SHAPES = {
  pods: { apiGroups: [''], apiVersions: ['v1'], resources: ['pods', 'pods/ephemeralcontainers'], pod: 'object.spec' },
  workloads: { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'], pod: 'object.spec.template.spec' },
  jobs: { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs'], pod: 'object.spec.template.spec' },
  cronjobs: { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['cronjobs'], pod: 'object.spec.jobTemplate.spec.template.spec' },
} as const;

interface Match { readonly apiGroups: readonly string[]; readonly apiVersions: readonly string[]; readonly resources: readonly string[] }

/** Where the rules look. What is there and breaks one may still be labelled, scaled, finished and deleted: only a change of this judges it. */
const judged = ({ apiGroups, apiVersions, resources }: Match, part: string) => ({
  failurePolicy: 'Fail',
  matchConstraints: { resourceRules: [{ apiGroups, apiVersions, resources, operations: ['CREATE', 'UPDATE'] }] },
  matchConditions: [{ name: 'new-or-changed', expression: `request.operation == "CREATE" || ${part} != ${part.replace('object', 'oldObject')}` }],
});

/** The variable lists what breaks the rule. */
function podValidation(rule: AdmissionRule, { container, got = 'c.name', others, want }: PodRule): { readonly variable: object; readonly validation: object } {
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

const SERVICE = { apiGroups: [''], apiVersions: ['v1'], resources: ['services'] };
const SERVICE_WANT = `${AdmissionRule.CLUSTER_IP}: a Service must be of type ClusterIP and have no externalIPs`;

/** The `spec` of each policy, by what is judged; none without rules. */
export function policySpecs({ _rules }: Admission): Readonly<Record<string, object>> {
  const podRules = _rules.flatMap((rule) => (rule === AdmissionRule.CLUSTER_IP ? [] : [podValidation(rule, POD_RULES[rule])]));
  const carriers = podRules.length === 0 ? [] : Object.entries(SHAPES).map(([name, { pod, ...match }]) => [name, {
    ...judged(match, pod),
    variables: [
      { name: 'pod', expression: pod },
      { name: 'containers', expression: ['containers', 'initContainers', 'ephemeralContainers'].map((field) => `dyn(variables.pod.?${field}.orValue([]))`).join(' + ') },
      { name: 'renewed', expression: 'variables.pod.?volumes.orValue([]).filter(v, has(v.configMap) || has(v.secret) || has(v.projected) || has(v.downwardAPI)).map(v, v.name)' },
      ...podRules.map(({ variable }) => variable),
    ],
    validations: podRules.map(({ validation }) => validation),
  }] as const);
  const services = !_rules.includes(AdmissionRule.CLUSTER_IP) ? [] : [['services', {
    ...judged(SERVICE, 'object.spec'),
    validations: [{
      expression: 'object.spec.?type.orValue("ClusterIP") == "ClusterIP" && size(object.spec.?externalIPs.orValue([])) == 0',
      message: SERVICE_WANT,
      messageExpression: `${JSON.stringify(`${SERVICE_WANT}, got: `)} + object.spec.?type.orValue("ClusterIP") + " " + object.spec.?externalIPs.orValue([]).join(", ")`,
    }],
  }] as const];
  return Object.fromEntries([...carriers, ...services]);
}
