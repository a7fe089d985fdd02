/**
 * What is wrong with one value by itself, at its place in the schema.
 * A place is written as in docs/reference/config.md: `[]` is an item of a list, `{x}` the kind of a choice.
 */
import { say } from './problem.js';
import { configSchema } from './schema.js';
import { shapeProblems } from './shape-problems.js';

/** What we read of a schema of zod. */
interface Schema {
  readonly _zod: {
    readonly def: {
      readonly type: string;
      readonly innerType?: Schema;
      readonly element?: Schema;
      readonly shape?: Readonly<Record<string, Schema>>;
      readonly options?: readonly Schema[];
      readonly values?: readonly unknown[];
    };
  };
  safeParse(value: unknown): ReturnType<typeof configSchema.safeParse>;
}

/**
 * Faults of a value that is to stand at `place`, each as `where: want, got value; next`.
 *
 * @param where what whoever wrote the value calls it
 */
export function valueProblems(place: string, where: string, value: unknown): string[] {
  const { error } = schemaAt(place).safeParse(value);
  return (error?.issues ?? [])
    .flatMap((issue) => shapeProblems(issue, value))
    .map((problem) => say({ ...problem, where: problem.where === 'config' ? where : where + problem.where }));
}

function schemaAt(place: string): Schema {
  return place.split('.').reduce<Schema>(
    (schema, step) => {
      const [, key = '', list, kind] = /^(\w+)(\[\])?(?:\{(\w+)\})?$/.exec(step) ?? [];
      const member = memberOf(schema, key);
      const item = list === undefined ? member : member && bare(member)._zod.def.element;
      const found = kind === undefined ? item : item && bare(item)._zod.def.options?.find(isOf(kind));
      if (found === undefined) throw new Error(`${place}: must be a place of the schema, got ${step}`);
      return found;
    },
    configSchema as unknown as Schema,
  );
}

/** Without what says that it can be left out. */
function bare(schema: Schema): Schema {
  const { innerType } = schema._zod.def;
  return innerType === undefined ? schema : bare(innerType);
}

/** A choice without a kind is the one that has the key. */
function memberOf(schema: Schema, key: string): Schema | undefined {
  const { shape, options } = bare(schema)._zod.def;
  return (
    shape?.[key] ?? options?.map((option) => memberOf(option, key)).find((member) => member !== undefined)
  );
}

const isOf = (kind: string) => (option: Schema) =>
  Object.values(option._zod.def.shape ?? {}).some(
    ({ _zod: { def } }) => def.type === 'literal' && def.values!.some((value) => String(value) === kind),
  );
