/**
 * Requests that two readers of HTTP could read differently, or that are none. Each has good credentials where
 * `§` stands, so that only what is wrong with it can stop it.
 */

export interface Malformed {
  readonly name: string;
  readonly clause: string;
  /** `§` is replaced by Host, Authorization and DPoP lines that are good for POST /mcp. */
  readonly bytes: string;
  /**
   * Statuses of all the answers that may come back, each line one possible conversation; empty: it is closed
   * without one.
   */
  readonly answers: readonly (readonly number[])[];
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: gw.example\r\n\r\n';
const post = (lines: string, body = '') => `POST /mcp HTTP/1.1\r\n§${lines}\r\n${body}`;
const line = (text: string) => `${text}\r\n§\r\n`;
const REFUSED = [[400]];
const CLOSED_OR_REFUSED = [[400], []];

const of = (
  clause: string,
  cases: Readonly<Record<string, string>>,
  answers: Malformed['answers'] = REFUSED,
): Malformed[] => Object.entries(cases).map(([name, bytes]) => ({ name, clause, bytes, answers }));

export const CORPUS: readonly Malformed[] = [
  ...of(
    'RFC 9112 3: request line',
    {
      'no method': line(' /mcp HTTP/1.1'),
      'a method with a separator': line('PO(ST /mcp HTTP/1.1'),
      'a method with a control': line('PO\x01ST /mcp HTTP/1.1'),
      'a method in lower case': line('post /mcp HTTP/1.1'),
      'an unknown method': line('SMUGGLE /mcp HTTP/1.1'),
      'a tab for a space': line('POST\t/mcp HTTP/1.1'),
      'a space in the target': line('POST /m cp HTTP/1.1'),
      'no version': line('POST /mcp'),
      'a version in lower case': line('POST /mcp http/1.1'),
      'HTTP/1.2': line('POST /mcp HTTP/1.2'),
      'HTTP/2.0 in HTTP/1 form': line('POST /mcp HTTP/2.0'),
      'HTTP/0.9': 'GET /mcp\r\n\r\n',
      'a NUL in the target': line('POST /m\0cp HTTP/1.1'),
      'a raw byte above ASCII in the target': line('POST /m\xffcp HTTP/1.1'),
      'a bare CR in the request line': line('POST /mcp\rX HTTP/1.1'),
    },
    CLOSED_OR_REFUSED,
  ),
  ...of(
    'RFC 9113 3.3: HTTP/2 without TLS',
    { 'the preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
    CLOSED_OR_REFUSED,
  ),
  ...of(
    'RFC 9112 3.2: request target',
    {
      'absolute-form': line('POST http://gw.example/mcp HTTP/1.1'),
      'absolute-form of another host': line('POST http://evil.example/mcp HTTP/1.1'),
      'asterisk-form': line('OPTIONS * HTTP/1.1'),
      'a path without its slash': line('POST mcp HTTP/1.1'),
      'a fragment': line('POST /mcp#x HTTP/1.1'),
    },
    CLOSED_OR_REFUSED,
  ),
  ...of('RFC 9110 9.3.6: CONNECT', { 'authority-form': line('CONNECT gw.example:443 HTTP/1.1') }, [
    [],
    [400],
    [405],
  ]),
  ...of('RFC 3986: paths that end elsewhere', {
    'dot segments': line('POST /mcp/../secrets HTTP/1.1'),
    'encoded dot segments': line('POST /mcp/%2e%2e/secrets HTTP/1.1'),
    'an encoded slash': line('POST /mcp%2f..%2fsecrets HTTP/1.1'),
    'an encoded backslash': line('POST /mcp%5c..%5csecrets HTTP/1.1'),
    'a backslash': line('POST /mcp\\..\\secrets HTTP/1.1'),
    'a double slash': line('POST //mcp HTTP/1.1'),
    'an empty segment': line('POST /mcp//x HTTP/1.1'),
    parameters: line('POST /mcp;x=1/../secrets HTTP/1.1'),
    'an encoded NUL': line('POST /mcp%00 HTTP/1.1'),
    'encoded CR and LF': line('POST /mcp%0d%0aX:%201 HTTP/1.1'),
    'a broken encoding': line('POST /mcp%2 HTTP/1.1'),
    'an encoding that is no hex': line('POST /mcp%zz HTTP/1.1'),
  }),
  ...of(
    'RFC 3629 3: what looks like a slash',
    { 'an overlong slash': line('POST /mcp%c0%af..%c0%afsecrets HTTP/1.1') },
    [[400]],
  ),
  ...of(
    'RFC 9112 3: whitespace that a reader may skip',
    { 'two spaces before the target': line('POST  /mcp HTTP/1.1') },
    [[200], [400]],
  ),
  ...of('RFC 9112 3.2: Host', {
    none: 'POST /mcp HTTP/1.1\r\n¤\r\n',
    two: post('Host: other.example\r\n'),
    'two that are the same': post('Host: gw.example\r\n'),
  }),
  ...of('RFC 9112 5: fields', {
    'a space before the colon': post('X-A : 1\r\n'),
    'a tab before the colon': post('Content-Length\t: 0\r\n'),
    'a fold': post('X-A: 1\r\n 2\r\n'),
    'a fold in the first line': 'POST /mcp HTTP/1.1\r\n X-A: 1\r\n§\r\n',
    'a name with a control': post('X\x01A: 1\r\n'),
    'a name with a NUL': post('X\0A: 1\r\n'),
    'no name': post(': 1\r\n'),
    'no colon': post('X-A\r\n'),
    'a value with a NUL': post('X-A: 1\x002\r\n'),
    'a bare CR in a value': post('X-A: 1\r2\r\n'),
    'a bare LF that hides a field': post('X-A: 1\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  }),
  ...of('RFC 9112 6.3: two lengths', {
    'Content-Length twice, different': post('Content-Length: 0\r\nContent-Length: 44\r\n', SMUGGLED),
    'Content-Length twice, the same': post('Content-Length: 44\r\nContent-Length: 44\r\n', SMUGGLED),
    'Content-Length as a list': post('Content-Length: 0, 44\r\n', SMUGGLED),
    'CL.TE': post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    'TE.CL': post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', `2c\r\n${SMUGGLED}\r\n0\r\n\r\n`),
    'TE.TE': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${SMUGGLED}`),
    'TE.TE, both chunked': post(
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
      `0\r\n\r\n${SMUGGLED}`,
    ),
  }),
  ...of('RFC 9112 6.3: a length that is none', {
    negative: post('Content-Length: -1\r\n', SMUGGLED),
    'with a sign': post('Content-Length: +44\r\n', SMUGGLED),
    'in hex': post('Content-Length: 0x2c\r\n', SMUGGLED),
    'with a space': post('Content-Length: 4 4\r\n', SMUGGLED),
    'with a dot': post('Content-Length: 44.0\r\n', SMUGGLED),
    empty: post('Content-Length: \r\n', SMUGGLED),
    'too big to count': post('Content-Length: 99999999999999999999999\r\n', SMUGGLED),
    'with a NUL': post('Content-Length: 44\x00\r\n', SMUGGLED),
  }),
  ...of('RFC 9112 6.1: codings', {
    'after a vertical tab': post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    identity: post('Transfer-Encoding: identity\r\n', SMUGGLED),
    'chunked, identity': post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${SMUGGLED}`),
    'identity, chunked': post('Transfer-Encoding: identity, chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    'gzip, chunked': post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    'chunked twice in one': post('Transfer-Encoding: chunked, chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    quoted: post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${SMUGGLED}`),
    'with a parameter': post('Transfer-Encoding: chunked;x=1\r\n', `0\r\n\r\n${SMUGGLED}`),
    'almost chunked': post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    empty: post('Transfer-Encoding: \r\n', SMUGGLED),
    'with a space in the name': post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    'in a field with a control in front': post('\x0bTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
  }),
  ...of(
    'RFC 9112 7.1: chunks',
    {
      'a size that is no hex': post('Transfer-Encoding: chunked\r\n', `zz\r\nx\r\n0\r\n\r\n${SMUGGLED}`),
      'a negative size': post('Transfer-Encoding: chunked\r\n', `-1\r\nx\r\n0\r\n\r\n${SMUGGLED}`),
      'a size with 0x': post('Transfer-Encoding: chunked\r\n', `0x2\r\nab\r\n0\r\n\r\n${SMUGGLED}`),
      'a size that overflows': post(
        'Transfer-Encoding: chunked\r\n',
        `10000000000000002\r\nab\r\n0\r\n\r\n${SMUGGLED}`,
      ),
      'a space before the size': post('Transfer-Encoding: chunked\r\n', ` 2\r\nab\r\n0\r\n\r\n${SMUGGLED}`),
      'a bare LF after the size': post('Transfer-Encoding: chunked\r\n', `2\nab\r\n0\r\n\r\n${SMUGGLED}`),
      'a bare CR after the size': post('Transfer-Encoding: chunked\r\n', `2\rab\r\n0\r\n\r\n${SMUGGLED}`),
      'a bare LF after the data': post('Transfer-Encoding: chunked\r\n', `2\r\nab\n0\r\n\r\n${SMUGGLED}`),
      'data longer than the size': post(
        'Transfer-Encoding: chunked\r\n',
        `2\r\nabcd\r\n0\r\n\r\n${SMUGGLED}`,
      ),
      'a bare LF in an extension': post(
        'Transfer-Encoding: chunked\r\n',
        `2;a\nb\r\nab\r\n0\r\n\r\n${SMUGGLED}`,
      ),
      'no size': post('Transfer-Encoding: chunked\r\n', `\r\nab\r\n0\r\n\r\n${SMUGGLED}`),
      // The header block was good: the request may have begun when its body turns out not to be one.
    },
    [[400], [], [502], [408], [499]],
  ),
  ...of('RFC 9110 7.8: upgrades', {
    h2c: post(
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
        'HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 0\r\n',
    ),
    'h2c in disguise': post('Upgrade: h2c\r\nContent-Length: 0\r\n'),
    WebSocket:
      `GET /mcp HTTP/1.1\r\n§Connection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  }),
];
