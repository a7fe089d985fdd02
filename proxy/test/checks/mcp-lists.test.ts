import { ListScanner } from '../../src/checks/list-scanner.js';
import { cutLists, hidesSome } from '../../src/checks/mcp-lists.js';
import { hiddenReference, type RuleSubject } from '../../src/checks/mcp-rules.js';
import { templateMatcher } from '../../src/checks/uri-template.js';
import type { McpRule } from '../../src/config/index.js';

const rule = (more: Partial<McpRule>): McpRule => ({ method: 'tools/call', requiredScopes: [], ...more });
const READ = [rule({ names: ['read'] }), rule({ names: ['write'], requiredScopes: ['w'] })];
const known = (scopes: string[] = []): RuleSubject => ({ kind: 'known', scopes, claims: {} });
const listed = (result: object) => JSON.stringify({ jsonrpc: '2.0', id: 1, result });
const cut = (text: string, allow: readonly McpRule[] = READ, caller = known()) =>
  cutLists(text, allow, caller);

describe('cutLists', () => {
  it("leaves what the caller may use, in its order, and says that it is the caller's own", () => {
    const tools = [{ name: 'write' }, { name: 'read', title: 'Read' }, { name: 'drop' }];
    expect(JSON.parse(cut(listed({ tools, nextCursor: 'n', cacheScope: 'public', ttlMs: 5 }))!)).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: { tools: [{ name: 'read', title: 'Read' }], nextCursor: 'n', cacheScope: 'private', ttlMs: 5 },
    });
    const both = JSON.parse(cut(listed({ tools }), READ, known(['w']))!) as { result: { tools: unknown[] } };
    expect(both.result.tools).toHaveLength(2);
  });
  it('gives the same text back where nothing is listed', () => {
    const text = ' {"jsonrpc":"2.0","id":1.0,"result":{"content":[{"tools":[{"name":"drop"}]}]}} ';
    expect(cut(text)).toBe(text);
    const request =
      '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"tools":[{"name":"drop"}]}}';
    expect(cut(request)).toBe(request);
  });
  it('cuts each message of a batch', () => {
    const batch = `[${listed({ tools: [{ name: 'drop' }] })},${listed({ prompts: [{ name: 'p' }] })}]`;
    expect((JSON.parse(cut(batch)!) as { result: object }[]).map(({ result }) => result)).toEqual([
      { tools: [], cacheScope: 'private' },
      { prompts: [], cacheScope: 'private' },
    ]);
  });
  it('writes numbers as they stood', () => {
    const text =
      '{"jsonrpc":"2.0","id":12345678901234567890,"result":{"tools":[{"name":"read","x":[1.0,1e400,-0,0.1]}]}}';
    expect(cut(text)).toBe(text.replace('}]}}', '}],"cacheScope":"private"}}'));
  });
  it.each([
    ['a member twice', '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"drop"}]}}'],
    ['a result twice', '{"jsonrpc":"2.0","id":1,"result":{},"result":{"tools":[{"name":"drop"}]}}'],
    ['another case of tools', listed({ Tools: [{ name: 'drop' }] })],
    ['another case of result', '{"jsonrpc":"2.0","id":1,"Result":{"tools":[{"name":"drop"}]}}'],
    ['a list that is none', listed({ tools: { 0: { name: 'drop' } } })],
    ['NaN', '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"drop","x":NaN}]}}'],
    ['two texts', `${listed({})},"n":${listed({ tools: [{ name: 'drop' }] })}`],
    ['no object', '["tools"]'],
    ['nesting without end', listed({ tools: [] }).replace('[]', '['.repeat(200) + ']'.repeat(200))],
  ])('does not read %s', (_, text) => {
    expect(cut(text)).toBeUndefined();
  });
  it.each([
    ['without a name', {}],
    ['with a number for a name', { name: 1 }],
    ['with another case of name', { name: 'read', Name: 'drop' }],
    ['that is text', 'read'],
    ['that is nothing', null],
  ])('leaves out an entry %s', (_, entry) => {
    expect(cut(listed({ tools: [entry] }))).toBe(listed({ tools: [], cacheScope: 'private' }));
  });
  it('takes a name that is spelled with escapes for what it says', () => {
    const text = listed({ tools: [{ name: 'read' }] })
      .replace('read', '\\u0072ead')
      .replace('tools', 't\\u006fols');
    expect((JSON.parse(cut(text)!) as { result: unknown }).result).toMatchObject({
      tools: [{ name: 'read' }],
    });
    expect(cut(listed({ tools: [{ name: 'drop' }] }).replace('tools', 't\\u006fols'))).toMatch(
      /"tools":\[\]/,
    );
  });
  it('cuts resources by URI and templates by what they may become', () => {
    const allow = [rule({ method: 'resources/read', names: ['a://x', 'b://7/data'] })];
    const resources = [
      { uri: 'a://x', name: 'n' },
      { uri: 'a://y', name: 'a://x' },
    ];
    const resourceTemplates = [{ uriTemplate: 'b://{id}/data' }, { uriTemplate: 'c://{id}' }];
    const { result } = JSON.parse(cut(listed({ resources, resourceTemplates }), allow)!) as {
      result: object;
    };
    expect(result).toMatchObject({
      resources: [{ uri: 'a://x' }],
      resourceTemplates: [{ uriTemplate: 'b://{id}/data' }],
    });
    expect(result).toHaveProperty('resources.length', 1);
    expect(result).toHaveProperty('resourceTemplates.length', 1);
  });
});

describe('hidesSome', () => {
  it.each<[string, McpRule[] | undefined, boolean]>([
    ['no rules', undefined, false],
    [
      'rules that let everybody use everything',
      [rule({ method: 'tools/*' }), rule({ method: 'prompts/get' }), rule({ method: 'resources/*' })],
      false,
    ],
    ['no rule for prompts', [rule({ method: 'tools/*' }), rule({ method: 'resources/*' })], true],
    ['names', READ, true],
    [
      'a scope',
      [
        rule({ method: 'tools/*', requiredScopes: ['s'] }),
        rule({ method: 'prompts/*' }),
        rule({ method: 'resources/*' }),
      ],
      true,
    ],
    [
      'a claim',
      [
        rule({ method: 'tools/*', when: { claim: 'c', oneOf: ['x'] } }),
        rule({ method: 'prompts/*' }),
        rule({ method: 'resources/*' }),
      ],
      true,
    ],
  ])('%s', (_, allow, hides) => {
    expect(hidesSome(allow)).toBe(hides);
  });
});

describe('templateMatcher', () => {
  it.each<[string, string, boolean]>([
    ['a://{x}/b', 'a://1/b', true],
    ['a://{x}/b', 'a:///b', true],
    ['a://{x}/b', 'a://1/c', false],
    ['a://{x}b', 'a://b', true],
    ['a://b{x}b', 'a://b', false],
    ['a://x', 'a://x', true],
    ['a://x', 'a://xy', false],
    ['{+path}', 'anything', true],
    ['{a}/{b}/{c}', '1/2/3', true],
    ['{a}/{b}/{c}', '1/2', false],
  ])('%s to %s: %s', (template, uri, may) => {
    expect(templateMatcher(template)(uri)).toBe(may);
  });
  it('takes no longer for a template of many expressions', () => {
    const began = performance.now();
    expect(templateMatcher('{a}x'.repeat(20_000) + 'y')('x'.repeat(20_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });
  it('takes a template as long as a body apart once, however many names the rules have', () => {
    const names = Array.from({ length: 500 }, (_, i) => `a://${i}`);
    const began = performance.now();
    const template = '{}'.repeat(500_000) + 'x';
    const reference = { usedBy: 'resources/read', names: [template], isTemplate: true } as const;
    expect(hiddenReference([rule({ method: 'resources/read', names })], known(), reference)).toEqual({
      name: template,
      refusal: { kind: 'not_allowed' },
    });
    expect(performance.now() - began).toBeLessThan(2_000);
  });
  it('reads the rules once, however many URIs a subscription has', () => {
    const uris = Array.from({ length: 200_000 }, (_, i) => `a://${i}`);
    const reference = { usedBy: 'resources/read', names: uris, isTemplate: false } as const;
    const millisWith = (count: number) => {
      const names = Array.from({ length: count }, (_, i) => `b://${i}`);
      const allow = [rule({ method: 'resources/read', names }), rule({ method: 'resources/*' })];
      const began = performance.now();
      expect(hiddenReference(allow, known(), reference)).toBeUndefined();
      return performance.now() - began;
    };
    millisWith(1);
    expect(millisWith(1_000)).toBeLessThan(millisWith(1) * 5 + 50);
  });
});

describe('ListScanner', () => {
  const found = (text: string) => {
    const scanner = new ListScanner();
    scanner.feed(Buffer.from(text));
    return scanner.found;
  };
  it.each([
    listed({ tools: [] }),
    listed({ nextCursor: '"}', prompts: [] }),
    listed({ a: [{ b: '\\"' }], resources: [] }),
    `[${listed({})},${listed({ resourceTemplates: [] })}]`,
    '\ufeff \n{ "result" : { "x":1 , "tools" : [] } }',
    '{"result":{},"result":{"tools":[]}}',
    '{"re\\u0073ult":{"tools":[]}}',
    '{"result":{"t\\u006fols":[]}}',
    '{"RESULT":{"Tools":[]}}',
    '{"result":{"tool\u017f":[]}}',
    '{"x":[1,{"result":{}}],"result":{"tools":[]}}',
    '\0{\0',
    ']}{"result":{"tools":[]}}',
    '{"a":1}{"result":{"tools":[]}}',
  ])('sees the list of %j', (text) => {
    expect(found(text)).toBe(true);
    for (let i = 0; i < text.length; i++) {
      const scanner = new ListScanner();
      scanner.feed(Buffer.from(text.slice(0, i)));
      scanner.feed(Buffer.from(text.slice(i)));
      expect(scanner.found).toBe(true);
    }
  });
  it.each([
    '',
    'not JSON',
    listed({ content: [{ type: 'text', text: '{"result":{"tools":[]}}' }] }),
    listed({ structuredContent: { tools: [{ name: 'x' }] } }),
    listed({ _meta: { tools: [] } }),
    '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"tools":[]}}',
    '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
    '{"result":"tools"}',
    '{"result":["tools"]}',
    '{"result":{"x":"tools"}}',
    '{"result":{"toolsx":[]}}',
    `{"result":{"${'x'.repeat(40)}":[]}}`,
  ])('sees none in %j', (text) => {
    expect(found(text)).toBe(false);
  });
  it.each(['', '\\\\', '\\"', '\\\\\\"', '","y":{"tools":[]},"z":"'])(
    'keeps its place after a long string that ends in %j, wherever it is cut',
    (ending) => {
      const text = `{"result":{"x":"${'x'.repeat(40)}${ending}","tools":[]}}`;
      expect(() => JSON.parse(text) as unknown).not.toThrow();
      for (let i = 0; i <= text.length; i++) {
        const scanner = new ListScanner();
        scanner.feed(Buffer.from(text.slice(0, i)));
        scanner.feed(Buffer.from(text.slice(i)));
        expect(scanner.found).toBe(true);
      }
      const inside = `{"result":{"x":"${'x'.repeat(40)}\\"},\\"tools\\":["}}`;
      expect(found(inside)).toBe(false);
    },
  );
  it('agrees with a parser about a thousand messages made at random', () => {
    const pick = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)]!;
    const names = [
      'result',
      'tools',
      'prompts',
      'resources',
      'resourceTemplates',
      'id',
      'x',
      'params',
      '"',
      '\\',
      'ü',
    ];
    const value = (depth: number): unknown => {
      if (depth === 0 || Math.random() < 0.3) return pick([1, true, null, 'tools', '{"result":', '\\"', '']);
      if (Math.random() < 0.3) return Array.from({ length: 3 }, () => value(depth - 1));
      return Object.fromEntries(Array.from({ length: 3 }, () => [pick(names), value(depth - 1)]));
    };
    const lists = (message: unknown) => {
      const result = (message as { result?: unknown } | null)?.result;
      return (
        typeof result === 'object' &&
        result !== null &&
        !Array.isArray(result) &&
        ['tools', 'prompts', 'resources', 'resourceTemplates'].some((name) => name in result)
      );
    };
    let seen = 0;
    for (let i = 0; i < 1_000; i++) {
      const message = value(4);
      if (!lists(message) && !(Array.isArray(message) && message.some(lists))) continue;
      seen += 1;
      expect([JSON.stringify(message), found(JSON.stringify(message))]).toEqual([
        JSON.stringify(message),
        true,
      ]);
    }
    expect(seen).toBeGreaterThan(20);
  });
});
