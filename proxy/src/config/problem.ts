/** A fault of a config: where it stands, what stands there, what should, and what to do. */
export interface Problem {
  readonly where: string;
  readonly want: string;
  readonly got?: string;
  readonly next?: string;
}

/** A value as it would stand in the file, cut short so that a wrong file cannot flood the log. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : (JSON.stringify(value) ?? typeof value);
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
  return `${where}: ${want}${got === undefined ? '' : `, got ${got}`}${next === undefined ? '' : `; ${next}`}`;
}
