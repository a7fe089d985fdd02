/** What in a tree of values looks as if it should have stayed secret. By name and by shape: it errs towards secret. */
import { CliError } from './command.js';

export interface Leaf {
  /** As in `config.database.password` or `config.env[0].value`. */
  readonly path: string;
  readonly value: string | number | boolean | null;
  readonly looksSecret: boolean;
}

/** No manifest nests as deep. */
const MAX_DEPTH = 100;

const SECRET_NAME = new RegExp(
  'pass(?:word|wd|phrase|code)?$|pwd$|secret|token|credential|auth(?:orization)?$|connection[-_]?string|dsn$' +
    '|(?:api|access|private|signing|encryption)[-_]?key',
  'i',
);
/** Names of secrets, and of where they are, are none. */
const NAMES_ANOTHER =
  /(?:name|names|ref|path|file|class|type|issuer|audience|url|uri|endpoint|seconds|enabled)$/i;

const SECRET_SHAPES: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  // A JWT, and a JWK with its private half.
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/,
  /"d"\s*:\s*"[\w-]{20,}"/,
  // A user and a password in a URL.
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/@]+@/i,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/,
  /\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hv[sb]\.|sk-|sk_live_|AIza)[\w-]{16,}/,
];

/** Every value that is no object and no list. @param all true: each looks secret, whatever its name */
export function leavesOf(value: unknown, path: string, all = false): Leaf[] {
  const leaves: Leaf[] = [];
  const walk = (node: unknown, where: string, name: string, depth: number): void => {
    if (depth > MAX_DEPTH)
      throw new CliError(where.slice(0, 60), `must nest at most ${MAX_DEPTH} deep`, 'deeper');
    if (Array.isArray(node)) return node.forEach((item, i) => walk(item, `${where}[${i}]`, name, depth + 1));
    if (typeof node !== 'object' || node === null) {
      const leaf = node as Leaf['value'];
      leaves.push({ path: where, value: leaf, looksSecret: looksSecret(name, leaf, all) });
      return;
    }
    for (const [key, member] of Object.entries(node))
      walk(member, `${where}.${shownKey(key)}`, nameOf(key, node, name), depth + 1);
  };
  walk(value, path, '', 0);
  return leaves;
}

/** A `value` is called as what it is the value of: as its `name` in a list of variables, else as its parent. */
function nameOf(key: string, parent: object, parentName: string): string {
  const { name } = parent as { readonly name?: unknown };
  if (key !== 'value') return key;
  return typeof name === 'string' ? name : parentName;
}

function looksSecret(name: string, value: Leaf['value'], all: boolean): boolean {
  if (value === null || value === '' || typeof value === 'boolean') return false;
  return all || (SECRET_NAME.test(name) && !NAMES_ANOTHER.test(name)) || hasSecretShape(String(value));
}

export const hasSecretShape = (text: string): boolean => SECRET_SHAPES.some((shape) => shape.test(text));

/** A key may have anything in it, also what a terminal obeys. */
export const shownKey = (key: string): string => (/^[\w.-]*$/.test(key) ? key : shown(key));

/** In quotes, without control characters. */
export const shown = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
