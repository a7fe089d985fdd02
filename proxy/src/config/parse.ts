import type * as z from 'zod/mini';
import { relationProblems, show, type Intact, type Problem } from './relations.js';
import { configSchema, entrySchemas, type Config } from './schema.js';

export type Parsed =
  | { readonly ok: true; readonly config: Config }
  | {
      readonly ok: false;
      readonly problems: readonly string[];
      /** What can still be looked at. */ readonly intact: Intact;
    };

/**
 * Judges a config: every fault at once, each as `where: want, got value; next`.
 * `raw` is the parsed JSON of the file. Does not open the files it names: see `agw check`.
 */
export function parseConfig(raw: unknown): Parsed {
  const result = configSchema.safeParse(raw);
  const intact = result.success ? result.data : intactOf(raw);
  const problems = [
    ...(result.success ? [] : result.error.issues.flatMap((issue) => shapeProblems(issue, raw))),
    ...relationProblems(intact),
  ];
  if (problems.length > 0) return { ok: false, problems: [...new Set(problems.map(say))], intact };
  return { ok: true, config: result.data! };
}

/** What has the right shape of a config that as a whole has not: every key by itself, every entry of its lists by itself. */
function intactOf(raw: unknown): Intact {
  const values = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>;
  const partOf = (schema: { safeParse(value: unknown): { data?: unknown } }, value: unknown): unknown =>
    schema.safeParse(value).data;
  return Object.fromEntries(
    Object.entries(configSchema.shape).map(([key, schema]) => {
      const value = values[key];
      const entry = entrySchemas[key as keyof typeof entrySchemas] as
        (typeof entrySchemas)[keyof typeof entrySchemas] | undefined;
      if (entry === undefined) return [key, partOf(schema, value)];
      return [key, Array.isArray(value) ? value.map((v) => partOf(entry, v)) : []];
    }),
  ) as unknown as Intact;
}

/** JSON text to config; a syntax error is a problem like any other. */
export function parseConfigText(text: string): Parsed {
  try {
    return parseConfig(JSON.parse(text));
  } catch (cause) {
    return {
      ok: false,
      problems: [say({ where: 'config', want: 'must be JSON', got: (cause as Error).message })],
      intact: intactOf(undefined),
    };
  }
}

function say({ where, want, got, next }: Problem): string {
  return `${where}: ${want}${got === undefined ? '' : `, got ${got}`}${next === undefined ? '' : `; ${next}`}`;
}

type Issue = z.core.$ZodIssue;

function shapeProblems(issue: Issue, raw: unknown): Problem[] {
  const where = pathText(issue.path);
  const value = at(raw, issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        where: joined(where, key),
        want: 'is not a known key',
        next: nearest(key, knownKeys(issue.path, raw)),
      }));
    case 'invalid_type':
      return [
        {
          where,
          want: value === undefined ? `is required (${issue.expected})` : `must be of type ${issue.expected}`,
          got: show(value),
        },
      ];
    case 'invalid_value':
      return [
        {
          where,
          want: `must be ${oneOf(issue.values)}`,
          got: show(value),
          next: nearest(String(value), issue.values.map(String)),
        },
      ];
    case 'invalid_union': {
      if ('discriminator' in issue && issue.discriminator !== undefined) {
        return [
          {
            where,
            want: `must be ${oneOf((issue as { options?: readonly unknown[] }).options ?? [])}`,
            got: show(value),
          },
        ];
      }
      // The branch with the fewest faults is the one that was meant.
      const branches = issue.errors.map((errors) =>
        errors.flatMap((e) => shapeProblems({ ...e, path: [...issue.path, ...e.path] } as Issue, raw)),
      );
      return (
        branches.sort((a, b) => a.length - b.length)[0] ?? [{ where, want: issue.message, got: show(value) }]
      );
    }
    case 'custom': {
      const next = (issue.params as { next?: (v: unknown) => string | undefined } | undefined)?.next?.(value);
      return [{ where, want: issue.message, got: show(value), ...(next === undefined ? {} : { next }) }];
    }
    default:
      return [{ where, want: issue.message, got: show(value) }];
  }
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

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

/** The keys that the object at `path` may have, found by asking the schema about an object with none. */
function knownKeys(path: readonly PropertyKey[], raw: unknown): string[] {
  let schema: unknown = configSchema;
  let value: unknown = raw;
  for (const key of path) {
    schema = member(unwrap(schema, value), key);
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

function member(schema: unknown, key: PropertyKey): unknown {
  const { def } = (schema as Def)._zod;
  return typeof key === 'number' ? def.element : def.shape?.[String(key)];
}

/** A known word at most two edits away. */
function nearest(word: string, known: readonly string[]): string {
  const close = known
    .map((k) => [distance(word.toLowerCase(), k.toLowerCase()), k] as const)
    .filter(([d]) => d <= 2)
    .sort((a, b) => a[0] - b[0])[0];
  return close === undefined ? `known: ${known.join(', ')}` : `did you mean ${JSON.stringify(close[1])}?`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
