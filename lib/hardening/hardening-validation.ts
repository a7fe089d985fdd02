/**
 * A plugin for `validations` of cdk8s.yaml, for charts of any library: docs/guides/validation.md. cdk8s-cli, which is a
 * program of Node whatever language an app is written in, loads the class from this package by its name. jsii has no
 * words for the types of cdk8s-cli, so the class is in no other language, and stands in no API.md.
 */
import { listOf, oneOf, optional, Shape, struct } from '../support/kinds';
import { ACCESS_RULES } from './access-rules';
import { ManifestObject, objectsOf } from './manifest-object';
import { POD_RULES } from './pod-rules';
import { POD_SECURITY_RULES } from './pod-security';
import { Finding, Rule } from './rule';

const RULES: readonly Rule[] = [...POD_SECURITY_RULES, ...POD_RULES, ...ACCESS_RULES];

/** @internal `properties` of the plugin in cdk8s.yaml */
export interface HardeningValidationProps {
  /**
   * WEAKENS the validation: names of rules that do not hold, as the report has them. The report names them.
   *
   * @default - none: every rule holds
   */
  readonly without?: string[];
}

const SHAPE: Shape<HardeningValidationProps> = {
  without: optional(listOf(oneOf(Object.fromEntries(RULES.map(({ name }) => [name, name]))))),
};
const PROPS = struct('HardeningValidationProps', SHAPE);

/** As far as the plugin uses it: `ValidationContext` of cdk8s-cli, which this package does not depend on. */
interface Context {
  readonly manifests: readonly string[];
  readonly report: {
    addViolation(violation: {
      readonly ruleName: string;
      readonly recommendation: string;
      readonly fix: string;
      readonly violatingResources: readonly Resource[];
    }): void;
    submit(status: 'success' | 'failure', metadata?: Readonly<Record<string, string>>): void;
  };
  parseManifest(path: string): unknown[];
}

interface Resource {
  readonly resourceName: string;
  readonly manifestPath: string;
  readonly locations: readonly string[];
}

/**
 * Holds every synthesized manifest to the restricted profile of Pod Security, images by digest, no secret in a
 * variable, roles without wildcards or escalation, and default deny. A manifest that breaks a rule fails `cdk8s synth`.
 *
 * @internal
 */
export class HardeningValidation {
  private readonly without: readonly string[];

  public constructor(props: HardeningValidationProps = {}) {
    PROPS.check('properties', props);
    this.without = props.without ?? [];
  }

  public async validate(context: Context): Promise<void> {
    const objects = context.manifests.flatMap((file) =>
      context.parseManifest(file).flatMap((document) => objectsOf(file, document)),
    );
    const rules = RULES.filter(({ name }) => !this.without.includes(name));
    const broken = rules
      .map((rule) => [rule, rule.check(objects)] as const)
      .filter(([, found]) => found.length);
    for (const [{ name, recommendation, fix }, found] of broken) {
      context.report.addViolation({
        ruleName: name,
        recommendation,
        fix,
        violatingResources: resourcesOf(found),
      });
    }
    context.report.submit(broken.length === 0 ? 'success' : 'failure', {
      Objects: `${objects.length}`,
      ...(this.without.length === 0 ? {} : { Without: this.without.join(', ') }),
    });
  }
}

/** One for each object, in the order of the manifests. */
function resourcesOf(found: readonly Finding[]): Resource[] {
  const locations = new Map<ManifestObject, string[]>();
  for (const { object, location } of found)
    locations.set(object, [...(locations.get(object) ?? []), location]);
  return [...locations].map(([{ name, file }, of]) => ({
    resourceName: name,
    manifestPath: file,
    locations: of,
  }));
}
