import { conforms } from '../support.js';

conforms('RFC 9112 3.2, 6.1, 6.3', ({ fixture }) => {
  const status = async (text: string) =>
    Number((await fixture().raw(text.replaceAll('\n', '\r\n'), 250)).slice(9, 12));
  it.each([
    ['no Host', 'GET /mcp HTTP/1.1\n\n'],
    ['HTTP/1.0 without Host', 'GET /mcp HTTP/1.0\n\n'],
    ['two Hosts', 'GET /mcp HTTP/1.1\nHost: a\nHost: a\n\n'],
    ['absolute-form', 'GET http://a/mcp HTTP/1.1\nHost: a\n\n'],
    ['a fragment', 'GET /mcp#a HTTP/1.1\nHost: a\n\n'],
    ['a doubled slash', 'GET //mcp HTTP/1.1\nHost: a\n\n'],
    ['a backslash', 'GET /mcp\\a HTTP/1.1\nHost: a\n\n'],
    ['an encoded slash', 'GET /mcp%2fa HTTP/1.1\nHost: a\n\n'],
    ['dot segments', 'GET /mcp/../a HTTP/1.1\nHost: a\n\n'],
    ['a NUL', 'GET /mcp%00 HTTP/1.1\nHost: a\n\n'],
    ['path parameters', 'GET /mcp;a=b HTTP/1.1\nHost: a\n\n'],
    ['an odd Transfer-Encoding', 'POST /mcp HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked\n\n'],
    ['two framings', 'POST /mcp HTTP/1.1\nHost: a\nContent-Length: 1\nTransfer-Encoding: chunked\n\n0\n\n'],
    ['two lengths', 'POST /mcp HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 1\n\na'],
    ['a space before the colon', 'GET /mcp HTTP/1.1\nHost : a\n\n'],
    ['a folded line', 'GET /mcp HTTP/1.1\nHost: a\nX: a\n b\n\n'],
  ])('refuses %s', async (_, text) => {
    expect(await status(text)).toBe(400);
    expect(fixture().seen).toEqual([]);
  });
  it('and asks a well-formed one for credentials', async () =>
    expect(await status('GET /mcp HTTP/1.1\nHost: a\n\n')).toBe(401));
});
