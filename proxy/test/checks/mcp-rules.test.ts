import { decideCall, type RuleSubject } from '../../src/checks/mcp-rules.js';
import type { McpRule } from '../../src/config/index.js';
import { parseConfig } from '../../src/config/index.js';

const caller = (claims: Record<string, unknown>, scopes: string[] = []): RuleSubject => ({
  kind: 'known',
  scopes,
  claims,
});
const rule = (more: Partial<McpRule>): McpRule => ({ method: 'tools/call', requiredScopes: [], ...more });

describe('decideCall', () => {
  it('names the scopes of a rule that is for the caller, not those of one that is not', () => {
    const allow = [
      rule({ requiredScopes: ['a'], when: { claim: 'team', oneOf: ['x'] } }),
      rule({ requiredScopes: ['b'], when: { claim: 'team', oneOf: ['y'] } }),
    ];
    expect(decideCall(allow, caller({ team: 'y' }), 'tools/call', 't')).toEqual({
      kind: 'lacks_scopes',
      scopes: ['b'],
    });
    expect(decideCall(allow, caller({ team: 'y' }, ['b']), 'tools/call', 't')).toEqual({ kind: 'allowed' });
    expect(decideCall(allow, caller({ team: 'z' }, ['a', 'b']), 'tools/call', 't')).toEqual({
      kind: 'not_allowed',
    });
  });
  it('lets nobody without a token pass a rule that asks for a claim', () => {
    const allow = [rule({ when: { claim: 'team', oneOf: ['x'] } })];
    expect(decideCall(allow, { kind: 'anonymous' }, 'tools/call', 't').kind).toBe('not_allowed');
  });
  it.each(['constructor', '__proto__', '/__proto__/constructor', 'toString'])(
    'sees a claim %s only where the token has it',
    (claim) => {
      const allow = [rule({ when: { claim, oneOf: ['x', 'Object'] } })];
      expect(decideCall(allow, caller({}), 'tools/call', 't').kind).toBe('not_allowed');
    },
  );
  it.each<[string, Record<string, unknown>]>([
    ['https://corp.example/roles', { 'https://corp.example/roles': 'x' }],
    ['/a~1b/c~0d', { 'a/b': { 'c~d': ['x'] } }],
  ])('reads the claim %s', (claim, claims) => {
    const allow = [rule({ when: { claim, oneOf: ['x'] } })];
    expect(decideCall(allow, caller(claims), 'tools/call', 't').kind).toBe('allowed');
  });
});

describe('the config of a rule with a claim', () => {
  const problems = (profile: string, when: unknown) => {
    const result = parseConfig({
      version: 1,
      publicOrigins: ['https://gw.example'],
      issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/jwks.json' } }],
      replay: { store: 'memory' },
      routes: [
        {
          kind: 'mcp',
          name: 'mcp',
          pathPrefix: '/mcp',
          auth: { profile, issuers: ['as'], audiences: ['all'] },
          allow: [{ method: 'tools/call', when }],
          backend: { url: 'http://127.0.0.1:1' },
        },
      ],
    });
    return result.ok ? [] : result.problems;
  };
  const GROUPS = { claim: 'groups', oneOf: ['ops'] };
  it('is refused where the caller writes its claims itself', () => {
    expect(problems('selfSigned', GROUPS).map(String).join()).toMatch(/routes\[0\]\.allow\[0\]\.when/);
    expect(problems('dpop', GROUPS)).toEqual([]);
  });
  it.each([
    [{ claim: '', oneOf: ['x'] }],
    [{ claim: '/', oneOf: ['x'] }],
    [{ claim: '/a/', oneOf: ['x'] }],
    [{ claim: '/a~2', oneOf: ['x'] }],
    [{ claim: 'a', oneOf: [] }],
    [{ claim: 'a' }],
    [{ claim: 'a', oneOf: ['x'], not: true }],
  ])('%j is refused', (when) => {
    expect(problems('dpop', when)).not.toEqual([]);
  });
});
