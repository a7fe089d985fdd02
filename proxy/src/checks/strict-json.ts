/** The object that a JOSE header or a claims set is. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a text may hold; it is scanned for that before anything is made of it. */
export interface JsonBounds {
  /** Objects and arrays inside each other. */
  readonly depth: number;
  /** Objects, arrays and strings, names among them. Numbers cost about what their bytes do, and are not counted. */
  readonly nodes: number;
}

/** As that of JSON.parse. @param context with the value's own text, where it has no members (ECMAScript 2026) */
export type Revive = (name: string, value: unknown, context: { readonly source?: string }) => unknown;

/** Deeper than any JWT needs; as many nodes as fit a header block of the usual size. */
const JWT_BOUNDS: JsonBounds = { depth: 8, nodes: 16_384 };

/**
 * Parses a JSON object and refuses what parsers disagree about: a member that stands twice (RFC 7515 4, RFC
 * 7519 4), and nesting deeper than any JWT needs. `undefined` for anything else than such an object.
 */
export function parseJsonObject(text: string, bounds = JWT_BOUNDS, revive?: Revive): JsonObject | undefined {
  let value: unknown;
  try {
    const escaped = escapedNames(text, bounds);
    if (escaped === undefined) return undefined;
    value = JSON.parse(
      escaped.length === 0 ? text : respelled(text, escaped),
      revive as Parameters<typeof JSON.parse>[1],
    );
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as JsonObject;
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

/** A name that is spelled with an escape: where its quotes stand, and what it says. */
interface EscapedName {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/**
 * The names that are spelled with escapes; `undefined` where an object has a name twice, or the text is beyond
 * the bounds. Looks at strings and brackets only, in one pass; of text that is no JSON it says something, in
 * the same time.
 */
function escapedNames(text: string, bounds: JsonBounds): readonly EscapedName[] | undefined {
  const escaped: EscapedName[] = [];
  const open: (Names | null)[] = []; // the names of each open object, null per open array
  let i = 0;
  let nodes = 0;
  let nameComes = false;
  while (i < text.length) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        open.push(new Names());
        nodes += 1;
        nameComes = true;
        break;
      case 0x5b: // [
        open.push(null);
        nodes += 1;
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
        if (nameComes && !open[open.length - 1]!.add(nameAt(text, i, end, escaped))) return undefined;
        nameComes = false;
        nodes += 1;
        i = end;
        break;
      }
    }
    if (open.length > bounds.depth || nodes > bounds.nodes) return undefined;
    i++;
  }
  return escaped;
}

/** The name whose quotes stand at `start` and `end`. One that is spelled with an escape is added to `escaped`. */
function nameAt(text: string, start: number, end: number, escaped: EscapedName[]): string {
  const spelling = text.slice(start + 1, end);
  if (!spelling.includes('\\')) return spelling;
  const name = JSON.parse(text.slice(start, end + 1)) as string;
  escaped.push({ start, end, name });
  return name;
}

/**
 * The same text with these names spelled without needless escapes. V8 of Node 24 and 26 reads the name
 * `m\u0065` as `m\` once any text had the name `m\` in its place (nodejs/node#63785): a sender could hide a
 * member from the checks that way. No name that anything looks for needs an escape.
 */
function respelled(text: string, names: readonly EscapedName[]): string {
  let written = '';
  let from = 0;
  for (const { start, end, name } of names) {
    written += text.slice(from, start) + JSON.stringify(name);
    from = end + 1;
  }
  return written + text.slice(from);
}

/** Where the string ends that begins at `start`; the end of the text, if it does not. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  // A quote after an odd number of backslashes is part of the string.
  while (end !== -1) {
    let before = end - 1;
    while (text.charCodeAt(before) === 0x5c) before -= 1;
    if ((end - before) % 2 === 1) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}
