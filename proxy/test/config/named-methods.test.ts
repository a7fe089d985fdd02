import { readCalls } from '../../src/checks/mcp.js';
import { parseConfig, type ConfigInput } from '../../src/config/index.js';

const problemsOf = (...allow: { method: string; names?: string[] }[]) => {
  const config: ConfigInput = {
    version: 1,
    publicOrigins: ['https://gw.example'],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: '/jwks' } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        allow,
        backend: { url: 'http://mcp' },
      },
    ],
  };
  const parsed = parseConfig(config);
  return parsed.ok ? [] : parsed.problems;
};

const params = { name: 'x', uri: 'x', taskId: 'x' };
const nameIn = (method: string) =>
  readCalls(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })))![0]!.name;
/** As the specification of MCP and its tasks extension have them. */
const NAMED_METHODS = [
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'tasks/get',
  'tasks/update',
  'tasks/cancel',
  'tasks/result',
];
const NAMELESS = [
  'initialize',
  'ping',
  'tools/list',
  'prompts/list',
  'resources/list',
  'tasks/list',
  'vendor/x',
];

describe('names in a rule', () => {
  it.each([...NAMED_METHODS, ...NAMELESS])('are taken for %s where its messages carry one', (method) => {
    const isNamed = nameIn(method) !== undefined;
    expect(isNamed).toBe(NAMED_METHODS.includes(method));
    expect(problemsOf({ method, names: ['x'] })).toHaveLength(isNamed ? 0 : 1);
    expect(problemsOf({ method })).toEqual([]);
  });
  it('are taken for a prefix under which one carries a name', () => {
    expect(problemsOf({ method: 'tools/*', names: ['x'] }, { method: 'resources/*', names: ['x'] })).toEqual(
      [],
    );
    expect(problemsOf({ method: 'ping' }, { method: 'notifications/*', names: ['x'] })).toEqual([
      expect.stringMatching(
        /^routes\[0\]\.allow\[1\]\.names: must be left out: .*, got "notifications\/\*"; a name is in tools\/call, /,
      ),
    ]);
  });
});
