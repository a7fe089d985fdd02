import { canonicalPath, parseHtu } from '../../src/checks/uri.js';

describe('canonicalPath', () => {
  it.each([
    ['/mcp', '/mcp'],
    ['/', '/'],
    ['/mcp/', '/mcp/'],
    ['/a/b.c/~d_e-f', '/a/b.c/~d_e-f'],
    ['/%7Euser', '/~user'],
    ['/a%3ab', '/a%3Ab'],
    ['/a:b@c', '/a:b@c'],
    ['/.well-known/x', '/.well-known/x'],
    ['/%C3%A9', '/%C3%A9'],
  ])('reads %s as %s', (raw, path) => {
    expect(canonicalPath(raw)).toBe(path);
  });
  it.each([
    '',
    'mcp',
    '*',
    'http://h/mcp',
    '//mcp',
    '/a//b',
    '/a/../b',
    '/..',
    '/a/.',
    '/%2e%2e/b',
    '/a%2Fb',
    '/a%2fb',
    '/a%5Cb',
    '/a\\b',
    '/a%00',
    '/a%0d%0a',
    '/a;b',
    '/a%3Bb',
    '/a%252e',
    '/a b',
    '/a#b',
    '/é',
    '/%zz',
    '/%2',
    '/a?b',
  ])('refuses %j', (raw) => {
    expect(canonicalPath(raw)).toBeUndefined();
  });
  it('takes linear time', () => {
    const began = performance.now();
    canonicalPath(`/${'a'.repeat(8000)}!;`);
    canonicalPath(`/${'a/'.repeat(4000)};`);
    expect(performance.now() - began).toBeLessThan(50);
  });
});

describe('parseHtu', () => {
  it.each([
    ['https://GW.example/mcp', 'https://gw.example/mcp'],
    ['HTTPS://gw.example:443/mcp', 'https://gw.example/mcp'],
    ['http://gw.example:/mcp', 'http://gw.example/mcp'],
    ['http://gw.example', 'http://gw.example/'],
    ['https://gw.example/a/./b/../%7Ec', 'https://gw.example/a/~c'],
    ['https://gw.example/%c3%a9', 'https://gw.example/%C3%A9'],
    ['https://gw.example:8443/mcp', 'https://gw.example:8443/mcp'],
    ['http://[::1]:80/mcp', 'http://[::1]/mcp'],
    ['https://gw.example/mcp?x=1#y', 'https://gw.example/mcp'],
  ])('normalises %s', (htu, uri) => {
    expect(parseHtu(htu)?.uri).toBe(uri);
  });
  it.each([
    '',
    'gw.example/mcp',
    '/mcp',
    'ftp://gw.example/',
    'https:///mcp',
    'https://u@gw.example/',
    'https://gw.example\\mcp',
    'https://gw.example/é',
    'https://gw.example/a b',
    'https://gw.example:99999/',
    'https://gw.example/%zz',
    ' https://gw.example/',
  ])('refuses %j', (htu) => {
    expect(parseHtu(htu)).toBeUndefined();
  });
  it.each([
    ['https://gw.example/MCP', 'https://gw.example/mcp'],
    ['https://gw.example/mcp/', 'https://gw.example/mcp'],
    ['https://gw.example//mcp', 'https://gw.example/mcp'],
    ['https://gw.example/a%2Fb', 'https://gw.example/a/b'],
    ['https://gw.example./mcp', 'https://gw.example/mcp'],
  ])('keeps %s apart from %s', (a, b) => {
    expect(parseHtu(a)?.uri).not.toBe(parseHtu(b)?.uri);
  });
});
