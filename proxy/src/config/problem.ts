/** A fault of a config: where it stands, what stands there, what should, and what to do. */
export interface Problem {
  readonly where: string;
  readonly want: string;
  readonly got?: string;
  readonly next?: string;
}

/** User and password of a URL in text: all that stands before the last "@", since a password may hold a "/". */
const USERINFO = /:\/\/(?:[^"\\]|\\.)*@/g;
/** The same without a scheme, as a whole JSON string; not "name:tag@sha256:", which is an image. */
const BARE_USERINFO = /"(?:[^":\\]|\\.)*:(?:[^"\\]|\\.)*@(?!sha256:)(?=[^"@]*")/g;

/** The text without the credentials of URLs in it. */
export const withoutUserinfo = (text: string): string => text.replace(USERINFO, '://***@');

/** As JSON, without the credentials of URLs in it. */
export const jsonWithoutUserinfo = (value: unknown): string | undefined => {
  const json = JSON.stringify(value) as string | undefined;
  return json && withoutUserinfo(json).replace(BARE_USERINFO, (all) => (all.includes('://') ? all : '"***@'));
};

/**
 * A value as it would stand in the file, without credentials, and cut short so that a wrong file cannot flood the
 * log.
 */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : (jsonWithoutUserinfo(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/**
 * One problem for every value that stands in the list before.
 *
 * @param problem of the value at `at`, which stands first at `first`
 */
export function repeatedProblems(
  values: readonly (string | undefined)[],
  problem: (value: string, at: number, first: number) => Problem,
): Problem[] {
  return values.flatMap((value, at) => {
    const first = values.indexOf(value);
    return value === undefined || first === at ? [] : [problem(value, at, first)];
  });
}

export const duplicate = (where: string, got: string, other: string): Problem => ({
  where,
  want: `must be unique, ${other} has it too`,
  got: show(got),
});

/** The one form of every fault of a config. */
export function say({ where, want, got, next }: Problem): string {
  const said = `${where}: ${want}${got === undefined ? '' : `, got ${got}`}${next === undefined ? '' : `; ${next}`}`;
  return withoutUserinfo(said);
}
