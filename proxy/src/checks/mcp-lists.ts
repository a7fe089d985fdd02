import type { McpRule } from '../config/index.js';
import { isObject, looksLike } from './mcp.js';
import { methodFits, rulesFor, type RuleSubject } from './mcp-rules.js';
import { parseJsonObject, type JsonBounds, type Revive } from './strict-json.js';
import { templateMatcher } from './uri-template.js';

/** A list in a result of MCP. */
interface ListKind {
  /** Of the result. */
  readonly member: string;
  /** The method that an entry is used by. */
  readonly usedBy: string;
  /** Of an entry: what a rule's `names` would name. */
  readonly name: 'name' | 'uri' | 'uriTemplate';
}

const LISTS: readonly ListKind[] = [
  { member: 'tools', usedBy: 'tools/call', name: 'name' },
  { member: 'prompts', usedBy: 'prompts/get', name: 'name' },
  { member: 'resources', usedBy: 'resources/read', name: 'uri' },
  { member: 'resourceTemplates', usedBy: 'resources/read', name: 'uriTemplate' },
];
/** Members of a result that lists are in. */
export const LIST_MEMBERS: readonly string[] = LISTS.map(({ member }) => member);

/** A list of two thousand tools with a hundred strings in each schema fits. */
const BOUNDS: JsonBounds = { depth: 128, nodes: 200_000 };

/** Whether rules keep an entry of some list from somebody; else no answer need be looked at. */
export const hidesSome = (allow: readonly McpRule[] | undefined): boolean =>
  allow !== undefined &&
  LISTS.some(({ usedBy }) => !allow.some((rule) => methodFits(rule.method, usedBy) && isForAnybody(rule)));

const isForAnybody = ({ names, requiredScopes, when }: McpRule): boolean =>
  names === undefined && requiredScopes.length === 0 && when === undefined;

/**
 * A message, or a batch, without the entries of its lists that the caller may not use. What is cut is the caller's own
 * from then on: `cacheScope: private` (MCP 2026-07-28, caching).
 * @returns the same text, where it lists nothing; `undefined`: it cannot be read, or not in one way
 */
export function cutLists(text: string, allow: readonly McpRule[], caller: RuleSubject): string | undefined {
  // An array is checked by the same strict parser, as the one member of an object.
  const outer = parseJsonObject(`{"m":${text}}`, BOUNDS, ODD_NUMBER.test(text) ? asWritten : undefined);
  if (outer === undefined || Object.keys(outer).length !== 1) return undefined;
  const messages = Array.isArray(outer.m) ? (outer.m as unknown[]) : [outer.m];
  const usable = rulesFor(allow, caller);
  let lists = 0;
  for (const message of messages) {
    if (!isObject(message) || looksLike(message, ['result'])) return undefined;
    const cut = isObject(message.result) ? cutResult(message.result, usable) : 0;
    if (cut === undefined) return undefined;
    lists += cut;
  }
  return lists === 0 ? text : JSON.stringify(outer.m);
}

/** @returns how many lists it has; `undefined`: one is none, or would be one to a reader that ignores case */
function cutResult(result: Record<string, unknown>, usable: readonly McpRule[]): number | undefined {
  if (looksLike(result, LIST_MEMBERS)) return undefined;
  const lists = LISTS.filter(({ member }) => Object.hasOwn(result, member));
  for (const kind of lists) {
    const entries = result[kind.member];
    if (!Array.isArray(entries)) return undefined;
    result[kind.member] = entries.filter((entry) => isUsable(entry, kind, usable));
  }
  if (lists.length > 0) result.cacheScope = 'private';
  return lists.length;
}

/** @param usable rules that are for the caller */
function isUsable(entry: unknown, { usedBy, name }: ListKind, usable: readonly McpRule[]): boolean {
  if (!isObject(entry) || looksLike(entry, [name])) return false;
  const value = entry[name];
  if (typeof value !== 'string') return false;
  const isIt = name === 'uriTemplate' ? templateMatcher(value) : (named: string) => named === value;
  return usable.some(
    ({ method, names }) => methodFits(method, usedBy) && (names === undefined || names.some(isIt)),
  );
}

/** What JSON.stringify writes as this text (ECMAScript 2026). */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** What may be a number that JavaScript would write otherwise: with a fraction, an exponent or many digits, or -0. */
const ODD_NUMBER = /[:[,]\s*(?:-0|-?\d(?:\d{15}|\d*[.eE]))/;

/** A number that JavaScript would write otherwise stays as it was written. */
const asWritten: Revive = (_, value, { source }) =>
  typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value;
