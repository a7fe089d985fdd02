/** Requests of HTTP/1.1 as bytes, the same ones in every run: most parts as they should be, some almost. */

/** mulberry32. */
function randomOf(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return {
    below,
    chance: (p: number) => next() < p,
    of: (list: readonly string[]): string => list[below(list.length)]!,
  };
}
type Random = ReturnType<typeof randomOf>;

const list = (text: string): string[] => text.split('|');

const METHODS = list('GET|DELETE|post|PO ST|POST\t|OPTIONS|HEAD|PUT|X');
const GAPS = list('  |\t|');
const AFTER_TARGET = list('#f|%00| x|\tx|\\|%2e|/../x|"|\u00e9|\u0000');
const VERSIONS = list('HTTP/1.0|HTTP/1.2|HTTP/2.0|http/1.1|HTTP/1.1 |HTTP/01.1|');
const LINE_ENDS = list('\n|\r|\n\r\n|\r\r\n');
const BEFORE = list('\r\n|\n| ');
const SOUND_FIELDS = list(
  'Accept: a/b|Accept:  a/b  |accept:a/b|Accept: a/b, c/d|Mcp-X: one\r\nMcp-X: two|User-Agent: x',
);
const ODD_FIELDS = list(
  'Accept: a/b\t|Accept:|Accept : a/b| Accept: a/b|Accept\t: a/b|Accept|: a/b|Ac cept: a/b' +
    '|Accept: a\r\n b|Accept: a\r\n\tb|Accept: a\rb|Accept: a\nX: b|Accept: a\u0000b|Accept: \u007f' +
    '|Mcp-Session-Id: s|Mcp_Session_Id: s|Content-Type: application/json|Expect: 100-continue' +
    '|Connection: keep-alive|Connection: Mcp-X|Connection: close|Trailer: Accept|Host: other' +
    '|X(y): z|X"y: z|X\u00e9: z',
);
/** What frames a body of `{n}` bytes, and what only almost does. */
const SOUND_FRAMINGS = ['Content-Length: {n}', 'Transfer-Encoding: chunked'];
const ODD_FRAMINGS = list(
  'Content-Length: +{n}|Content-Length: 0{n}|Content-Length: {n} |Content-Length: {n},{n}' +
    '|Content-Length: {n}\r\nContent-Length: {n}|Content-Length: {n}\r\nContent-Length: 0' +
    '|Content-Length: 0x{n}|Content-Length: -{n}|Content-Length: {n}_0|Content-Length: ' +
    '|Content-Length: 99999999999999999999|Content-Length: 3\r\nTransfer-Encoding: chunked' +
    '|Transfer-Encoding: chunked\r\nContent-Length: 3|Transfer-Encoding: Chunked' +
    '|Transfer-Encoding: chunked, chunked|Transfer-Encoding: gzip, chunked' +
    '|Transfer-Encoding: chunked, identity|Transfer-Encoding: identity|Transfer-Encoding:\tchunked' +
    '|Transfer-Encoding: \u000bchunked|Transfer-Encoding: xchunked|Transfer-Encoding: chunked;q=1' +
    '|Transfer-Encoding : chunked|Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked' +
    '|Transfer-Encoding: identity\r\nTransfer-Encoding: chunked|Transfer_Encoding: chunked' +
    '|X: y\rTransfer-Encoding: chunked|',
);
const ODD_SIZES = list(
  '0{n}|{n};a=b|{n};a="\r\n"|{n} | {n}|+{n}|0x{n}|{n}\t;a|{n};\n|-1||ffffffffffffffff1|{n}g',
);

function chunked(random: Random, body: string): string {
  const end = () => (random.chance(0.97) ? '\r\n' : random.of(LINE_ENDS));
  const size = (n: number) =>
    (random.chance(0.9) ? '{n}' : random.of(ODD_SIZES)).replace('{n}', n.toString(16));
  const cut = random.below(body.length + 1);
  const chunks = [body.slice(0, cut), body.slice(cut)].filter((part) => part !== '');
  const trailer = random.chance(0.1) ? random.of(ODD_FIELDS) + end() : '';
  const sent = chunks.map((part) => size(part.length) + end() + part + end());
  return `${sent.join('')}0${end()}${trailer}${end()}`;
}

/** One request; `id` stands in its target, and with an `h` in that of the one that its body may hide. */
function request(random: Random, id: string): string {
  const rarely = (odd: readonly string[], usual: string) => (random.chance(0.03) ? random.of(odd) : usual);
  const end = () => rarely(LINE_ENDS, '\r\n');
  const hidden = `POST /mcp?id=${id}h HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
  const body = random.of(['', 'abc', '0\r\n\r\n', hidden, `0\r\n\r\n${hidden}`]);
  const framing = random.of(random.chance(0.75) ? SOUND_FRAMINGS : ODD_FRAMINGS);
  const more = Array.from({ length: random.below(3) }, () =>
    random.of(random.chance(0.8) ? SOUND_FIELDS : ODD_FIELDS),
  );
  const fields = ['Host: a', ...more, framing.replaceAll('{n}', String(body.length))].filter(Boolean);
  if (random.chance(0.3)) fields.reverse();
  const target = `/mcp?id=${id}${rarely(AFTER_TARGET, '')}`;
  const line = [rarely(METHODS, 'POST'), rarely(GAPS, ' '), target, rarely(GAPS, ' ')].join('');
  const head = [line + rarely(VERSIONS, 'HTTP/1.1'), ...fields, ''].map((text) => text + end()).join('');
  const sent = /chunked/i.test(framing) && random.chance(0.95) ? chunked(random, body) : body;
  return rarely(BEFORE, '') + head + sent;
}

/** What is sent on each of `count` connections: one to three requests, with `id=CONNECTION.NUMBER` in their targets. */
export function generateRequests(seed: number, count: number): string[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, (_, n) =>
    Array.from({ length: 1 + random.below(3) }, (__, i) => request(random, `${n}.${i}`)).join(''),
  );
}
