import { createHash } from 'node:crypto';
import { oncePer } from './memo';

/** JSON with sorted keys and two spaces: the same config is the same text, and so the same hash. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value), null, 2) + '\n';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}

/** Ten hexadecimal digits of what a value says. */
export const hashOf = (value: object) =>
  createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 10);

/** Those of a ConfigMap's content. */
export const contentHash = oncePer((data: Readonly<Record<string, string>>) => hashOf(data));
