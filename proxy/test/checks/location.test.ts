import { publicLocation, type PublicPlace } from '../../src/checks/location.js';

const place: PublicPlace = {
  authorities: new Set(['mcp.tools.svc:5000', 'mcp.tools.svc', '[fd00::7]:5000']),
  sentPath: '/redir',
  backendPath: '/redir',
  publicPath: '/ai/tools',
};
const shown = (location: string, more: Partial<PublicPlace> = {}, request = '/redir/a/b?q=1') =>
  publicLocation(location, request, { ...place, ...more });

describe('a Location of a backend', () => {
  it.each([
    ['/redir/', '/ai/tools/'],
    ['/redir', '/ai/tools'],
    ['/redir/x?y=http://z#f', '/ai/tools/x?y=http://z#f'],
    ['http://mcp.tools.svc:5000/redir/', '/ai/tools/'],
    ['HTTP://MCP.tools.svc:5000/redir/', '/ai/tools/'],
    ['https://mcp.tools.svc:443/redir/', '/ai/tools/'],
    ['http://mcp.tools.svc/redir/', '/ai/tools/'],
    ['http://[fd00::7]:5000/redir/x', '/ai/tools/x'],
    ['c', '/ai/tools/a/c'],
    ['./', '/ai/tools/a/'],
    ['../c', '/ai/tools/c'],
    ['?p=2', '/ai/tools/a/b?p=2'],
    ['#part', '/ai/tools/a/b?q=1#part'],
    ['/redir/../redir/x', '/ai/tools/x'],
    ['/redir/%7Ename', '/ai/tools/~name'],
  ])('%s is, for its clients, %s', (location, want) => {
    expect(shown(location)).toBe(want);
  });

  it.each([
    ['another host', 'http://elsewhere.example/redir/'],
    ['the name as a prefix of another', 'http://mcp.tools.svc.elsewhere.example/redir/'],
    ['the name as userinfo', 'http://mcp.tools.svc:5000@elsewhere.example/redir/'],
    ['userinfo before the name', 'http://user:pass@mcp.tools.svc:5000/redir/'],
    ['another port', 'http://mcp.tools.svc:5001/redir/'],
    ['another scheme', 'javascript://mcp.tools.svc:5000/redir/'],
    ['no authority', 'https:/redir/'],
    ['nothing but a scheme', 'javascript:alert(1)'],
    ['a network path', '//elsewhere.example/redir/'],
    ['a network path to the name itself', '//mcp.tools.svc:5000/redir/'],
    ['three slashes', '///elsewhere.example/redir/'],
    ['an empty authority', 'http:///redir/'],
    ['a backslash', '/\\elsewhere.example/redir/'],
    ['backslashes as an authority', '\\\\elsewhere.example'],
    ['a tab, which browsers drop', '/\t/elsewhere.example'],
    ['a line break', '/redir/\r\nSet-Cookie: a=b'],
    ['a space', '/redir/a b'],
    ['what is no ASCII', '/redir/\u00e4'],
    ['a broken escape', '/redir/%zz'],
    ['dots that leave a network path', '/..//elsewhere.example'],
    ['dots that climb out', '/redir/../admin'],
    ['relative dots that climb out', '../../../admin'],
    ['encoded dots that climb out', '/redir/%2e%2e/admin'],
    ['an encoded slash', '/redir/..%2fadmin'],
    ['an encoded backslash', '/redir/%5cx'],
    ['an empty segment', '/redir//elsewhere.example'],
    ['another path of the backend', '/login'],
    ['a path that only begins alike', '/redirect'],
    ['the root', '/'],
    ['nothing', ''],
  ])('that leads elsewhere is not shown: %s', (_, location) => {
    expect(shown(location)).toBeUndefined();
  });

  it('of a route at "/" stays where it is, and never begins with two slashes', () => {
    const root = { sentPath: '', backendPath: '', publicPath: '' };
    expect(shown('/x/', root)).toBe('/x/');
    expect(shown('/', root)).toBe('/');
    expect(shown('//elsewhere.example', root)).toBeUndefined();
    expect(shown('/.//elsewhere.example', root)).toBeUndefined();
    expect(shown('http://mcp.tools.svc:5000', root)).toBe('/');
    expect(shown('/redir', { ...root, sentPath: '/redir', backendPath: '/redir' })).toBe('/');
  });
  it('is read from where the backend was asked, also behind a proxy that rewrites the path', () => {
    const behind = { sentPath: '/tools', backendPath: '/redir' };
    expect(shown('/redir/', behind, '/tools')).toBe('/ai/tools/');
    expect(shown('c', behind, '/tools/a/b')).toBe('/ai/tools/a/c');
    expect(shown('/tools/', behind, '/tools')).toBeUndefined();
  });
});
