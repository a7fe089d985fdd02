import { nearestWord } from './nearest-word.js';
import type * as z from 'zod/mini';
import { show, type Problem } from './problem.js';
import { configSchema } from './schema.js';

type Issue = z.core.$ZodIssue;

/** A fault that zod found, in the words of the file. A union has as many as the branch that was meant. */
export function shapeProblems(issue: Issue, raw: unknown): Problem[] {
  const where = pathText(issue.path);
  const value = valueAt(raw, issue.path);
  const got = show(value);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        where: joined(where, key),
        want: 'is not a known key',
        next: nearest(key, knownKeys(issue.path, raw)),
      }));
    case 'invalid_type': {
      const want =
        value === undefined ? `is required (${issue.expected})` : `must be of type ${issue.expected}`;
      return [{ where, want, got }];
    }
    case 'invalid_value': {
      const next = nearest(String(value), issue.values.map(String));
      return [{ where, want: `must be ${oneOf(issue.values)}`, got, next }];
    }
    case 'invalid_union':
      return unionProblems(issue, raw) ?? [{ where, want: issue.message, got }];
    case 'custom': {
      const next = (issue.params as CustomParams | undefined)?.next?.(value);
      return [{ where, want: issue.message, got, ...(next === undefined ? {} : { next }) }];
    }
    default:
      return [{ where, want: issue.message, got }];
  }
}

/** What our own checks of the schema may say beside a message. */
interface CustomParams {
  readonly next?: (value: unknown) => string | undefined;
}

function unionProblems(issue: z.core.$ZodIssueInvalidUnion, raw: unknown): Problem[] | undefined {
  if (issue.discriminator !== undefined) {
    const { options = [] } = issue as { readonly options?: readonly unknown[] };
    const got = show(valueAt(raw, issue.path));
    return [{ where: pathText(issue.path), want: `must be ${oneOf(options)}`, got }];
  }
  // The branch with the fewest faults is the one that was meant.
  return issue.errors
    .map((errors) =>
      errors.flatMap((inner) => shapeProblems({ ...inner, path: [...issue.path, ...inner.path] }, raw)),
    )
    .sort((a, b) => a.length - b.length)[0];
}

const oneOf = (values: readonly unknown[]) =>
  values.length === 1 ? show(values[0]) : `one of ${values.map(show).join(', ')}`;

function pathText(path: readonly PropertyKey[]): string {
  return (
    path.reduce<string>(
      (text, key) => (typeof key === 'number' ? `${text}[${key}]` : joined(text, String(key))),
      '',
    ) || 'config'
  );
}

/** A key that is no plain word stands as JSON, so that it can be seen where it begins and ends. */
function joined(where: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${where === '' ? 'config' : where}[${JSON.stringify(key)}]`;
  return where === '' || where === 'config' ? key : `${where}.${key}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

/** The keys that the object at `path` may have, found by asking the schema about an object with none. */
function knownKeys(path: readonly PropertyKey[], raw: unknown): string[] {
  let schema: unknown = configSchema;
  let value: unknown = raw;
  for (const key of path) {
    schema = memberSchema(unwrap(schema, value), key);
    value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  }
  return Object.keys((unwrap(schema, value) as Def)._zod.def.shape ?? {});
}

interface Def {
  readonly _zod: {
    readonly def: {
      readonly type: string;
      readonly innerType?: unknown;
      readonly element?: unknown;
      readonly shape?: Record<string, unknown>;
      readonly options?: readonly unknown[];
    };
  };
}

function unwrap(schema: unknown, value: unknown): unknown {
  const { def } = (schema as Def)._zod;
  if (def.innerType !== undefined) return unwrap(def.innerType, value);
  if (def.options === undefined) return schema;
  const fits = (option: unknown) =>
    Object.entries((option as Def)._zod.def.shape ?? {}).every(([key, member]) => {
      const expected = (member as { _zod: { def: { type: string; values?: unknown[] } } })._zod.def;
      return (
        expected.type !== 'literal' ||
        expected.values?.includes((value as Record<string, unknown> | undefined)?.[key])
      );
    });
  return unwrap(def.options.find(fits) ?? def.options[0], value);
}

function memberSchema(schema: unknown, key: PropertyKey): unknown {
  const { def } = (schema as Def)._zod;
  return typeof key === 'number' ? def.element : def.shape?.[String(key)];
}

function nearest(word: string, known: readonly string[]): string {
  const close = nearestWord(word, known);
  return close === undefined ? `known: ${known.join(', ')}` : `did you mean ${JSON.stringify(close)}?`;
}
