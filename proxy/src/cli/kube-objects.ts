/** Kubernetes objects as an operator has them: YAML or JSON, of `cdk8s synth`, `helm template` or `kubectl get -o`. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { CliError } from './command.js';

/** A member, however deep; undefined where something on the way is not there or no object. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const name of path)
    found =
      typeof found === 'object' && found !== null && Object.hasOwn(found, name)
        ? (found as Record<string, unknown>)[name]
        : undefined;
  return found;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

/** `NAMESPACE/NAME`. */
export const idOf = (object: unknown): string =>
  `${textAt(object, 'metadata', 'namespace') ?? ''}/${textAt(object, 'metadata', 'name') ?? ''}`;

/** @param file or `-` for standard input */
export function readInput(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw new CliError(
      file,
      'must be a readable file, or - for standard input',
      (cause as NodeJS.ErrnoException).code,
    );
  }
}

/** Every object of the files; those of a List one by one. */
export const readObjects = (files: readonly string[]): readonly unknown[] =>
  files.flatMap((file) => objectsOf(readInput(file).toString('utf8'), file));

/** Of a text of one or more documents. @param file for errors: where it is from */
export function objectsOf(text: string, file: string): unknown[] {
  const documents = parseAllDocuments(text);
  const objects = ('empty' in documents ? [] : documents).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new CliError(file, 'must be YAML or JSON', error.message.split('\n')[0]);
    try {
      return document.toJS() as unknown;
    } catch (cause) {
      // More aliases than a manifest has.
      throw new CliError(file, 'must be YAML that can be read', (cause as Error).message);
    }
  });
  return objects.flatMap(listed).filter((object) => textAt(object, 'kind') !== undefined);
}

/** What has items is a list, as it is to kubectl; those of a DeploymentList need not say that they are Deployments. */
function listed(object: unknown): unknown[] {
  if (!Array.isArray(at(object, 'items'))) return [object];
  const [kind, apiVersion] = [textAt(object, 'kind')?.replace(/List$/, ''), textAt(object, 'apiVersion')];
  const inherited = kind ? { kind, apiVersion } : {};
  return listAt(object, 'items').flatMap((item) => listed(isNamed(item) ? { ...inherited, ...item } : item));
}

const isNamed = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
