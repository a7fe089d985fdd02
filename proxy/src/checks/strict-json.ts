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
  return hasUniqueMembers(text, maxDepth) ? (value as JsonObject) : undefined;
}

/** Names of one object: a short list is looked through faster than a set is made. */
class Names {
  readonly #list: string[] = [];
  #set: Set<string> | undefined;

  /** false: it was there. */
  add(name: string): boolean {
    if (this.#set === undefined ? this.#list.includes(name) : this.#set.has(name)) return false;
    if (this.#set !== undefined) this.#set.add(name);
    else if (this.#list.push(name) > 16) this.#set = new Set(this.#list);
    return true;
  }
}

/** Walks text that is known to be JSON; looks at strings and brackets only. */
function hasUniqueMembers(text: string, maxDepth: number): boolean {
  const open: (Names | null)[] = []; // the names of each open object, null per open array
  let i = 0;
  let nameComes = false;
  while (i < text.length) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        open.push(new Names());
        nameComes = true;
        break;
      case 0x5b: // [
        open.push(null);
        nameComes = false;
        break;
      case 0x7d:
      case 0x5d: // } ]
        open.pop();
        nameComes = false;
        break;
      case 0x2c: // ,
        nameComes = open[open.length - 1] != null;
        break;
      case 0x22: {
        // "
        const end = stringEnd(text, i);
        if (nameComes) {
          const raw = text.slice(i + 1, end);
          // An escape can spell the same name another way.
          const name = raw.includes('\\') ? (JSON.parse(text.slice(i, end + 1)) as string) : raw;
          const names = open[open.length - 1]!;
          if (!names.add(name)) return false;
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
  let end = text.indexOf('"', start + 1);
  // A quote after an odd number of backslashes is part of the string.
  for (;;) {
    let before = end - 1;
    while (text.charCodeAt(before) === 0x5c) before -= 1;
    if ((end - before) % 2 === 1) return end;
    end = text.indexOf('"', end + 1);
  }
}
