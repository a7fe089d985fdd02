import type { McpRule } from '../config/index.js';
import type { McpReference } from './mcp.js';
import { templateMatcher } from './uri-template.js';

/** Whom rules are for, as far as it was proved. */
export type RuleSubject =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'known';
      readonly scopes: readonly string[];
      readonly claims: Readonly<Record<string, unknown>>;
    };

export type RuleDecision = { readonly kind: 'allowed' } | RuleRefusal;

export type RuleRefusal =
  /** No rule names it, or none of those is for this caller. */
  | { readonly kind: 'not_allowed' }
  /** A rule lets it pass with these scopes, some of which the caller's token lacks. */
  | { readonly kind: 'lacks_scopes'; readonly scopes: readonly string[] };

const ALLOWED: RuleDecision = { kind: 'allowed' };
const NOT_ALLOWED: RuleRefusal = { kind: 'not_allowed' };

/** Whether a rule of `allow` lets this caller use a method, and a name where the message has one. */
export function decideCall(
  allow: readonly McpRule[],
  caller: RuleSubject,
  method: string,
  name: string | undefined,
): RuleDecision {
  const isNamed = (named: string) => named === name;
  const lets = (rule: McpRule) =>
    isAbout(rule, method, isNamed) && isFor(rule, caller) && hasScopes(rule, caller);
  return allow.some(lets) ? ALLOWED : refusalOf(allow, caller, method, isNamed);
}

/**
 * What is hidden from this caller of what a message of another method points at: the first of it, and why. A body has
 * room for hundreds of thousands of URIs, so the rules are read once for all of them.
 */
export function hiddenReference(
  allow: readonly McpRule[],
  caller: RuleSubject,
  { usedBy, names, isTemplate }: McpReference,
): { readonly name: string; readonly refusal: RuleRefusal } | undefined {
  const usable = rulesFor(allow, caller).filter(({ method }) => methodFits(method, usedBy));
  if (usable.some((rule) => rule.names === undefined)) return undefined;
  const named = new Set(usable.flatMap((rule) => rule.names ?? []));
  const isUsable = (name: string) => (isTemplate ? [...named].some(templateMatcher(name)) : named.has(name));
  const name = names.find((each) => !isUsable(each));
  if (name === undefined) return undefined;
  const isNamed = isTemplate ? templateMatcher(name) : (other: string) => other === name;
  return { name, refusal: refusalOf(allow, caller, usedBy, isNamed) };
}

/**
 * What a caller lacks whom no rule lets use it.
 * @param isNamed whether a name of a rule is that of the message
 */
function refusalOf(
  allow: readonly McpRule[],
  caller: RuleSubject,
  method: string,
  isNamed: (named: string) => boolean,
): RuleRefusal {
  const nearest = allow.find((rule) => isAbout(rule, method, isNamed) && isFor(rule, caller));
  return nearest === undefined ? NOT_ALLOWED : { kind: 'lacks_scopes', scopes: nearest.requiredScopes };
}

/** The rules that are for this caller, whose scopes it has. */
export const rulesFor = (allow: readonly McpRule[], caller: RuleSubject): McpRule[] =>
  allow.filter((rule) => isFor(rule, caller) && hasScopes(rule, caller));

const isAbout = (rule: McpRule, method: string, isNamed: (named: string) => boolean): boolean =>
  methodFits(rule.method, method) && (rule.names === undefined || rule.names.some(isNamed));

/** Whether a rule's method, exact or `prefix/*`, is this one. */
export const methodFits = (rule: string, method: string): boolean =>
  rule.endsWith('/*') ? method.startsWith(rule.slice(0, -1)) : method === rule;

/** Whether the rule is for this caller, by a claim of its token; whoever was not authenticated has none. */
function isFor({ when }: McpRule, caller: RuleSubject): boolean {
  if (when === undefined) return true;
  if (caller.kind !== 'known') return false;
  const value = claimAt(caller.claims, when.claim);
  const has = (one: unknown) => typeof one === 'string' && when.oneOf.includes(one);
  return Array.isArray(value) ? value.some(has) : has(value);
}

const hasScopes = ({ requiredScopes }: McpRule, caller: RuleSubject): boolean =>
  requiredScopes.length === 0 ||
  (caller.kind === 'known' && requiredScopes.every((scope) => caller.scopes.includes(scope)));

/** A claim by its name, or by a JSON pointer (RFC 6901) for one that lies in another: `/realm_access/roles`. */
function claimAt(claims: Readonly<Record<string, unknown>>, claim: string): unknown {
  const path = claim.startsWith('/')
    ? claim
        .slice(1)
        .split('/')
        .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [claim];
  let value: unknown = claims;
  for (const member of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, member)) return undefined;
    value = (value as Record<string, unknown>)[member];
  }
  return value;
}
