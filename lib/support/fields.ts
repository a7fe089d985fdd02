/** Props as fields of the proxy's config: written, and checked one by one as its schema checks them. */
import { Duration, Size } from 'cdk8s';
import { valueProblems } from './parser';
import { refuseAs } from './text';

/** Props of one shape and the fields that they become; `at` is a place of docs/reference/config.md. */
export interface Fields<T> {
  readonly at: string;
  /** Prop to field. */
  readonly of: T;
}

export const fields = <const T extends Record<string, string>>(at: string, of: T): Fields<T> => ({ at, of });

/** A prop's value in the unit of the config: seconds, bytes, the word of an enum. */
type Written<V> = V extends Duration | Size
  ? number
  : V extends string
    ? `${V}`
    : V extends readonly (infer U)[]
      ? Written<U>[]
      : V;
type WrittenFields<O, T extends Record<string, string>> = {
  [P in keyof T & keyof O as T[P]]: Written<O[P]>;
};
type FieldsOf<O> = Fields<Partial<Record<Extract<keyof O, string>, string>>>;

/** The fields that these props become, each mentioned; nothing where nothing is said. */
export function written<O extends object, T extends Record<string, string>>(
  props: O | undefined,
  { of }: Fields<T> & FieldsOf<O>,
): WrittenFields<O, T> {
  return Object.fromEntries(
    Object.entries(of).map(([prop, field]) => [field, inUnits(props?.[prop as keyof O])]),
  ) as WrittenFields<O, T>;
}

/**
 * Ends a factory where a value is none that the proxy takes.
 *
 * @param where what the factory's errors call the props; empty for those of a construct
 */
export function checkFields<O extends object>(where: string, props: O, { at, of }: FieldsOf<O>): void {
  for (const [prop, field] of Object.entries(of) as [keyof O & string, string][]) {
    const value = inUnits(props[prop]);
    if (value === undefined) continue;
    const [problem] = valueProblems(joined(at, field), joined(where, prop), value);
    if (problem !== undefined) refuseAs(problem);
  }
}

const joined = (first: string, second: string) => (first === '' ? second : `${first}.${second}`);

/** By what values can do, as in kinds.ts: an app may have another copy of cdk8s. */
function inUnits(value: unknown): unknown {
  const given = Object(value) as Partial<Pick<Duration, 'toSeconds'> & Pick<Size, 'toKibibytes'>>;
  if (given.toSeconds !== undefined) return given.toSeconds({ integral: false });
  if (given.toKibibytes !== undefined) return given.toKibibytes() * 1024;
  return value;
}
