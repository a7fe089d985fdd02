import { jsonWithoutUserinfo, withoutUserinfo } from './parser';

/** What an error says: where, what should stand there, what stands there, and what to do. */
export interface Violation {
  readonly where: string;
  readonly want: string;
  readonly got?: unknown;
  readonly next?: string;
}

/** The one form of every error of this library; the proxy's config parser speaks the same. */
export function say({ where, want, got, next }: Violation): string {
  const seen = got === undefined ? '' : `, got ${quote(got)}`;
  const advice = next === undefined ? '' : `; ${next}`;
  return withoutUserinfo(`${where}: ${want}${seen}${advice}`);
}

/** What `refuse` throws. */
class Refusal extends Error {
  private isPlaced = false;

  /** Names the construct whose prop it is about, once. The stack is not written before somebody reads it. */
  public place(path: string): void {
    if (!this.isPlaced) this.message = `[${path}] ${this.message}`;
    this.isPlaced = true;
  }
}

/** Ends a factory: a value that is wrong by itself is refused at once, with the user's own line on the stack. */
export function refuse(violation: Violation): never {
  return refuseAs(say(violation));
}

/** Ends a factory with what the proxy's parser says of its value. */
export function refuseAs(problem: string): never {
  throw new Refusal(problem);
}

/**
 * Checks what a construct is given: a refusal names the construct as the report of synth does.
 *
 * @param path of the construct in its app
 */
export function checkedAt<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (cause instanceof Refusal) cause.place(path);
    throw cause;
  }
}

/** As JSON, without the credentials of URLs in it, and cut short. */
export function quote(value: unknown): string {
  const text = jsonWithoutUserinfo(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** What stands in a message for a value of any kind. */
export function shown(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return value;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value !== 'object' || value === null) return String(value);
  const name = value.constructor?.name ?? 'Object';
  return name === 'Object' ? 'an object' : `an object of class ${name}`;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

/** From JavaScript, or past `!`, anything may come: `undefined` would pass a pattern as the word "undefined". */
export function checkText(where: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') refuse({ where, want: 'must be a string', got: shown(value) });
}

export const isLabel = (value: string) => LABEL.test(value);

/** RFC 1123 label: the form of a namespace or route name. */
export function checkLabel(where: string, value: string): string {
  checkText(where, value);
  if (isLabel(value)) return value;
  const near = value
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  return refuse({
    where,
    want: 'must be a lower-case RFC 1123 label of at most 63 characters',
    got: value,
    next: near ? `did you mean "${near}"?` : undefined,
  });
}

/** A namespace that gateways and their policies may be in. */
export function checkNamespace(where: string, value: string): string {
  if (!checkLabel(where, value).startsWith('kube-')) return value;
  return refuse({
    where,
    want: 'must not begin with "kube-": those are for Kubernetes itself, and a policy that denies by default stops it',
    got: value,
    next: 'give the gateway a namespace of its own, for example "aiops"',
  });
}

/** RFC 1123 subdomain: the form of most object names. */
export function checkObjectName(where: string, value: string): string {
  checkText(where, value);
  for (const violation of objectNameViolations(where, value)) refuse(violation);
  return value;
}

export function objectNameViolations(where: string, value: string): Violation[] {
  if (value.length <= 253 && OBJECT_NAME.test(value)) return [];
  return [
    {
      where,
      want: 'must be the name of a Kubernetes object (lower-case RFC 1123 subdomain)',
      got: value,
    },
  ];
}

/** A key of a ConfigMap or Secret. */
export function checkKey(where: string, value: string): string {
  checkText(where, value);
  if (value.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(value) && value !== '..' && value !== '.') return value;
  return refuse({
    where,
    want: 'must be a key of a Secret or ConfigMap: letters, digits, "-", "_" and "."',
    got: value,
  });
}

export function checkPort(where: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 65535) return value;
  return refuse({ where, want: 'must be a TCP port from 1 to 65535', got: value });
}
