import type { HeaderFields } from '../pipeline/evidence.js';

/**
 * Reads raw header lines: Node's own object silently drops the second Authorization or Host, so a check on it
 * would miss them (RFC 9449 4.3 item 1, RFC 9112 3.2).
 */
export function headerFields(raw: readonly string[]): HeaderFields {
  const first = new Map<string, string>();
  let repeated: Set<string> | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (first.has(name)) (repeated ??= new Set()).add(name);
    else first.set(name, raw[i + 1]!);
  }
  return { raw, get: (name) => first.get(name), repeated: (name) => repeated?.has(name) ?? false };
}
