/** What roles may do, and who may reach the pods of a namespace. */
import { Field } from './field';
import { ManifestObject, podOf } from './manifest-object';
import { Broken, finding, Finding, objectRule, Rule } from './rule';

const RBAC = 'rbac.authorization.k8s.io';
const isOf = ({ group, kind }: ManifestObject, ofGroup: string, ...kinds: readonly string[]) =>
  group === ofGroup && kinds.includes(kind);

const rulesOf = (object: ManifestObject): readonly Field[] =>
  isOf(object, RBAC, 'Role', 'ClusterRole') ? object.root.at('rules').items : [];

/** Members of a list that match. */
function among(field: Field, pattern: RegExp, want: string): Broken[] {
  const got = field.texts.filter((text) => pattern.test(text));
  return got.length === 0 ? [] : [{ field, want, got }];
}

const WILD = 'must name each one: "*" is also what the cluster will have tomorrow';

const RBAC_WILDCARD: Rule = objectRule(
  {
    name: 'rbac-wildcard',
    recommendation: 'Grant what is named: "*" grants what is not there yet, too.',
    fix: 'List apiGroups, resources, verbs and paths; bind a role of your own in place of cluster-admin.',
  },
  (object) => [
    ...rulesOf(object).flatMap((rule) => [
      ...['apiGroups', 'resources', 'verbs'].flatMap((name) => among(rule.at(name), /\*/, WILD)),
      // A path may end in "*" for what is below it.
      ...among(rule.at('nonResourceURLs'), /^\/?\*$/, WILD),
    ]),
    ...boundToAll(object),
  ],
);

function boundToAll(object: ManifestObject): Broken[] {
  if (!isOf(object, RBAC, 'RoleBinding', 'ClusterRoleBinding')) return [];
  const { kind, name } = object.root.at('roleRef').members;
  if (kind?.value !== 'ClusterRole' || name?.value !== 'cluster-admin') return [];
  return [{ field: name, want: 'must be another role: this one may do everything', got: name.value }];
}

const RBAC_ESCALATION: Rule = objectRule(
  {
    name: 'rbac-escalation',
    recommendation: 'Grant no verb by which its holder gains the rights of others.',
    fix: 'Leave escalate, bind and impersonate to administrators, outside of the app.',
  },
  (object) =>
    rulesOf(object).flatMap((rule) =>
      among(
        rule.at('verbs'),
        /^(escalate|bind|impersonate(:.*)?)$/,
        'must have none of escalate, bind and impersonate',
      ),
    ),
);

const DIRECTIONS = ['Ingress', 'Egress'] as const;
type Direction = (typeof DIRECTIONS)[number];

const DEFAULT_DENY: Rule = {
  name: 'default-deny',
  recommendation: 'Deny by default: without it, every pod of the cluster reaches the pods of a namespace.',
  fix: 'Add a NetworkPolicy with podSelector: {}, policyTypes: [Ingress, Egress] and no rules; others then allow.',
  check: (objects) =>
    objects.filter((object) => podOf(object) !== undefined).flatMap((object) => undenied(object, objects)),
};

/** Directions that no policy of the object's namespace denies. */
function undenied(object: ManifestObject, objects: readonly ManifestObject[]): Finding[] {
  const policies = objects.filter(
    (each) => isOf(each, 'networking.k8s.io', 'NetworkPolicy') && each.namespace === object.namespace,
  );
  const open = DIRECTIONS.filter((direction) => !policies.some((policy) => denies(policy, direction)));
  if (open.length === 0) return [];
  const namespace = object.namespace === '' ? '(that of kubectl)' : object.namespace;
  const want = `must have a NetworkPolicy that denies ${open.join(' and ')} of every pod by default`;
  return [finding(object, { where: `in namespace ${namespace}`, want })];
}

/** It selects every pod, for this direction, and has no rule for it. */
function denies({ root }: ManifestObject, direction: Direction): boolean {
  const rules = (of: Direction) => root.at('spec', of.toLowerCase()).items;
  const { matchLabels, matchExpressions } = root.at('spec', 'podSelector').members;
  const selectsAll = Object.keys(matchLabels?.members ?? {}).length === 0 && !matchExpressions?.items.length;
  const said = root.at('spec', 'policyTypes').texts;
  // What the API server fills in.
  const types = said.length > 0 ? said : ['Ingress', ...(rules('Egress').length > 0 ? ['Egress'] : [])];
  return selectsAll && types.includes(direction) && rules(direction).length === 0;
}

export const ACCESS_RULES: readonly Rule[] = [RBAC_WILDCARD, RBAC_ESCALATION, DEFAULT_DENY];
