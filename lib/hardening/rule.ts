/** A rule that manifests are held to, and what breaks it. */
import { say, Violation } from '../support/text';
import { Field } from './field';
import { ManifestObject, Pod, podOf } from './manifest-object';

export interface Rule {
  /** What cdk8s.yaml and the report call it. */
  readonly name: string;
  readonly recommendation: string;
  readonly fix: string;
  /** @param objects all of the app */
  readonly check: (objects: readonly ManifestObject[]) => readonly Finding[];
}

export interface Finding {
  readonly object: ManifestObject;
  /** Kind and name, place, what should stand there and what stands there. */
  readonly location: string;
}

/** What breaks a rule: a field and what it should be. */
export interface Broken {
  readonly field: Field;
  readonly want: string;
  /** Never a secret: it is printed. */
  readonly got?: unknown;
}

export function finding(object: ManifestObject, violation: Violation): Finding {
  const { kind, namespace, name } = object;
  const place = violation.where === '' ? '' : ` ${violation.where}`;
  const where = `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}${place}`;
  return { object, location: say({ ...violation, where }) };
}

const findings = (object: ManifestObject, broken: readonly Broken[]) =>
  broken.map(({ field, want, got }) => finding(object, { where: field.path, want, got }));

/** Who says what the rule is about. */
type About = Pick<Rule, 'name' | 'recommendation' | 'fix'>;

export const podRule = (about: About, broken: (pod: Pod) => readonly Broken[]): Rule => ({
  ...about,
  check: (objects) =>
    objects.flatMap((object) => {
      const pod = podOf(object);
      return pod === undefined ? [] : findings(object, broken(pod));
    }),
});

export const objectRule = (about: About, broken: (object: ManifestObject) => readonly Broken[]): Rule => ({
  ...about,
  check: (objects) => objects.flatMap((object) => findings(object, broken(object))),
});
