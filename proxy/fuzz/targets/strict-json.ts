import assert from 'node:assert/strict';
import { parseJsonObject } from '../../src/checks/strict-json.js';
import type { Target } from './target.js';

const BOUNDS = { depth: 8, nodes: 64 };

/**
 * It agrees with JSON.parse or refuses; and it refuses only what is no object, has a name twice, or is out of
 * bounds.
 */
export const strictJson: Target = {
  name: 'strict-json',
  words: [
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '\\u0061',
    '"a":',
    '"a"',
    '1',
    'null',
    '\\"',
    '\\\\',
    '{}',
    '__proto__',
  ],
  json: true,
  check(input) {
    const text = input.toString('utf8');
    const got = parseJsonObject(text, BOUNDS);
    const plain = tryParse(inHex(text));
    const isObject = typeof plain === 'object' && plain !== null && !Array.isArray(plain);
    const sound = isObject && namesIn(text) === membersOf(plain) && depthOf(plain) <= BOUNDS.depth;
    if (got !== undefined) {
      assert.deepEqual(namesInHex(got), plain);
      assert.equal(sound, true, 'taken, though it is no object, is too deep or has a name twice');
    } else {
      assert.equal(sound && nodesOf(plain) <= BOUNDS.nodes, false, 'refused for nothing');
    }
  },
};

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
/** Of JSON text: each string, and the colon behind it if it is a name. */
const STRINGS = /("(?:[^"\\]|\\.)*")([ \t\r\n]*:)?/gs;
const namesIn = (text: string): number =>
  [...text.matchAll(STRINGS)].filter(([, , colon]) => colon !== undefined).length;
/** A name without characters that need an escape: JSON.parse misreads names with escapes (nodejs/node#63785). */
const hex = (name: string): string => `x${Buffer.from(name, 'utf16le').toString('hex')}`;
/** The text with its names in hex. */
const inHex = (text: string): string =>
  text.replace(STRINGS, (all, quoted: string, colon?: string) => {
    if (colon === undefined) return all;
    const name = tryParse(quoted);
    return typeof name === 'string' ? `"${hex(name)}"${colon}` : all;
  });
/** The value with its names in hex. */
const namesInHex = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(namesInHex);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [hex(name), namesInHex(v)]));
};
const children = (value: unknown): unknown[] =>
  typeof value === 'object' && value !== null ? Object.values(value) : [];
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const membersOf = (value: unknown): number =>
  children(value).reduce<number>(
    (sum, v) => sum + membersOf(v),
    isObject(value) ? children(value).length : 0,
  );
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...children(value).map(depthOf)) : 0;
/** Objects, arrays and strings, names among them. */
const nodesOf = (value: unknown): number => {
  const own = (typeof value === 'object' && value !== null) || typeof value === 'string' ? 1 : 0;
  const names = isObject(value) ? children(value).length : 0;
  return children(value).reduce<number>((sum, v) => sum + nodesOf(v), own + names);
};
