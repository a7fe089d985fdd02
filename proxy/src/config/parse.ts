import { say } from './problem.js';
import { relationProblems, type Intact } from './relations.js';
import { configSchema, entrySchemas, type Config } from './schema.js';
import { shapeProblems } from './shape-problems.js';

export type Parsed =
  | { readonly ok: true; readonly config: Config }
  | {
      readonly ok: false;
      readonly problems: readonly string[];
      /** What can still be looked at. */
      readonly intact: Intact;
    };

/**
 * Checks a config: every problem at once, each as `where: want, got value; next`.
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

/**
 * What has the right shape of a config that as a whole has not: every key by itself, every entry of its lists
 * by itself.
 */
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
