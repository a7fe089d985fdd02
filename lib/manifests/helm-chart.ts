/**
 * The app as a Helm chart: `cdk8s synth --format helm` makes the chart's directory and has the app write its
 * objects to `templates/`. They must then be templates that render to what they are, with a few values to set.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { App, Yaml } from 'cdk8s';
import { IConstruct } from 'constructs';

/** Of the chart that the app is synthesized as; absent for plain manifests. */
export function chartDirectory({ node: { root } }: IConstruct): string | undefined {
  const { outdir } = root as App;
  if (outdir === undefined || basename(outdir) !== 'templates') return undefined;
  const directory = dirname(outdir);
  return existsSync(join(directory, 'Chart.yaml')) ? directory : undefined;
}

/**
 * A run of "{{" becomes an action that prints it: Helm would run what stands behind it (code and alert templates
 * have some). The run as a whole, since of "{{{" the first two would leave a third before the action's own.
 */
export function templated<T>(value: T): T {
  if (typeof value === 'string') return value.replace(/\{{2,}/g, (run) => `{{\`${run}\`}}`) as T & string;
  if (Array.isArray(value)) return value.map(templated) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, templated(member)])) as T;
}

/** Writes what Helm prints once the chart is installed; nothing where there is nothing to say. */
export function saveNotes(directory: string, notes: readonly string[]): void {
  if (notes.length > 0) writeFileSync(join(directory, 'templates', 'NOTES.txt'), `${notes.join('\n')}\n`);
}

/** A step into an object or a list of a manifest. */
export type Path = readonly (string | number)[];

/** What may be set of an object. */
export interface Setting {
  /** What it is called, under the namespace and the name of the gateway. */
  readonly name: readonly string[];
  /** What it is in the app. */
  readonly value: string | number;
  /** JSON Schema, by which Helm judges what is set. */
  readonly schema: object;
  /** Where it stands in the object, and as what text; `action` prints the value. */
  readonly places: readonly { readonly path: Path; readonly text: (action: string) => string }[];
}

/** The object with its settings replaced by the actions that print them. */
export function withSettings(object: object, owner: readonly string[], settings: readonly Setting[]): object {
  const copy = structuredClone(object);
  for (const { name, places } of settings) {
    // Raw strings: in quotes of YAML a quote would be escaped.
    const action = `index .Values ${[...owner, ...name].map((key) => `\`${key}\``).join(' ')}`;
    for (const { path, text } of places) put(copy, path, text(action));
  }
  return copy;
}

function put(object: object, path: Path, value: string): void {
  const holder = memberAt(object, path.slice(0, -1)) as Record<string, unknown>;
  holder[path[path.length - 1]] = value;
}

export function memberAt(object: object, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
}

interface Schema {
  type: 'object';
  additionalProperties: boolean;
  properties: Record<string, object>;
}
const emptySchema = (): Schema => ({ type: 'object', additionalProperties: false, properties: {} });

/** The settings of each owner, by app. */
const SETTINGS = new WeakMap<IConstruct, Map<string, readonly Setting[]>>();

/** Writes `values.yaml` and its schema with these settings and those of the owners before. */
export function saveSettings(
  { node: { root } }: IConstruct,
  directory: string,
  owner: readonly [namespace: string, name: string],
  settings: readonly Setting[],
): void {
  const known = SETTINGS.get(root) ?? new Map<string, readonly Setting[]>();
  SETTINGS.set(root, known.set(owner.join('/'), settings));
  const values = {};
  // A chart that this one is a part of may have global values.
  const schema: Schema = { ...emptySchema(), properties: { global: {} } };
  for (const [key, each] of known) {
    for (const setting of each) add(values, schema, [...key.split('/'), ...setting.name], setting);
  }
  const said = '# What may be set of this chart, by namespace and gateway; all else is what the app says.\n';
  writeFileSync(join(directory, 'values.yaml'), said + Yaml.stringify(values));
  writeFileSync(join(directory, 'values.schema.json'), `${JSON.stringify(schema, null, 2)}\n`);
}

function add(values: object, schema: Schema, path: readonly string[], setting: Setting): void {
  let [at, schemaAt] = [values as Record<string, unknown>, schema];
  for (const key of path.slice(0, -1)) {
    at = (at[key] ??= {}) as Record<string, unknown>;
    schemaAt = (schemaAt.properties[key] ??= emptySchema()) as Schema;
  }
  const last = path[path.length - 1];
  at[last] = setting.value;
  schemaAt.properties[last] = setting.schema;
}
