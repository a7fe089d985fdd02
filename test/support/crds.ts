/** Schemas of custom resources, which lie beside the repository where it is developed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv, { ValidateFunction } from 'ajv';
import { parse } from 'yaml';
import { root } from './synth';

const crds = join(root, '..', 'shared', 'crds');

/** Checks an object by the schema of the version that it names. */
export function validator(file: string, apiVersion: string): ValidateFunction {
  const { spec } = parse(readFileSync(join(crds, file), 'utf8'));
  const { schema } = spec.versions.find(
    (v: { name: string; served: boolean }) => `${spec.group}/${v.name}` === apiVersion && v.served,
  );
  // Patterns are Go's: JavaScript has no flag inside of one.
  return new Ajv({ strict: false, validateFormats: false }).compile(
    JSON.parse(JSON.stringify(schema.openAPIV3Schema).replaceAll('(?i)', '')),
  );
}

/** A skip says why. */
export function describeCrds(name: string, tests: () => void): void {
  if (existsSync(crds)) return describe(name, tests);
  process.stderr.write(`skipped: CRD schemas are not at ${crds}\n`);
  describe.skip(name, tests);
}
