/** The object that a JOSE header or a claims set is. */
export type JsonObject = Readonly<Record<string, unknown>>;

const MAX_DEPTH = 8;

/**
 * Parses a JSON object and refuses what parsers disagree about: a member that stands twice (RFC 7515 4, RFC 7519 4), and nesting
 * deeper than any JWT needs. `undefined` for anything else than such an object.
 */
export function parseJsonObject(text: string, maxDepth = MAX_DEPTH): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return hasUniqueMembers(text, maxDepth) ? value as JsonObject : undefined;
}

/** Walks text that is known to be JSON; looks at strings and brackets only. */
function hasUniqueMembers(text: string, maxDepth: number): boolean {
  const open: (Set<string> | null)[] = []; // a set of names per open object, null per open array
  let i = 0;
  let nameComes = false;
  while (i < text.length) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        open.push(new Set());
        nameComes = true;
        break;
      case 0x5b: // [
        open.push(null);
        nameComes = false;
        break;
      case 0x7d: case 0x5d: // } ]
        open.pop();
        nameComes = false;
        break;
      case 0x2c: // ,
        nameComes = open[open.length - 1] != null;
        break;
      case 0x22: { // "
        const end = stringEnd(text, i);
        if (nameComes) {
          const raw = text.slice(i + 1, end);
          // An escape can spell the same name another way.
          const name = raw.includes('\\') ? JSON.parse(text.slice(i, end + 1)) as string : raw;
          const names = open[open.length - 1]!;
          if (names.has(name)) return false;
          names.add(name);
          nameComes = false;
        }
        i = end;
        break;
      }
    }
    if (open.length > maxDepth) return false;
    i++;
  }
  return true;
}

function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (text.charCodeAt(i) !== 0x22) i += text.charCodeAt(i) === 0x5c ? 2 : 1;
  return i;
}
