/**
 * A client of HTTP/2 sends a field that is malformed (RFC 9113 8.2.1) beside what makes its request a good one: a
 * second `dpop` that ends in CR, an `authorization` with a NUL in it, an `origin` that is not allowed and has one. On
 * HTTP/1.1 each is 400. The parser of HTTP/2 drops such a field and says so to nobody, so the request passed as if the
 * field had not been sent: whoever stands in front of us and reads it otherwise sees another request than we do.
 *
 * It drops whole requests as silently, which then were in no record, and answered nobody.
 */
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { block, FLAG, frame, FRAME, rawClient, request } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';

type Fields = readonly (readonly [string, string])[];

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({ http2: true });
});
beforeEach(() => {
  fixture.seen.length = 0;
});
afterAll(() => fixture.stop());

const signed = (more: Fields = []): Fields => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return request('POST', '/mcp', [
    ['authorization', `DPoP ${token}`],
    ['dpop', proof(client, 'POST', `${ORIGIN}/mcp`, token)],
    ...more,
  ]);
};
const headers = (stream: number, fields: Fields, flags = FLAG.END_HEADERS | FLAG.END_STREAM) =>
  frame(FRAME.HEADERS, flags, stream, block(fields));
/** Reasons of the records since then, once there are so many. */
const reasonsSince = async (before: number, count: number) => {
  await until(async () => (await fixture.audit()).length >= before + count);
  return (await fixture.audit()).slice(before).map(({ reason }) => reason);
};
const open = async () => {
  const one = await rawClient(fixture.gateway.port);
  const has = (type: number, stream: number) =>
    one.frames().some((f) => f.type === type && f.stream === stream);
  return { ...one, answered: (stream: number) => has(FRAME.HEADERS, stream), has };
};

it.each([
  ['a second dpop that ends in CR', 'dpop', 'junk\r'],
  ['an authorization with a NUL', 'authorization', 'Bearer x\0'],
  ['an origin that is not allowed, with a NUL', 'origin', 'https://evil.test\0'],
  ['a value with LF', 'x-a', '1\n2'],
  ['a value with CR and LF', 'x-a', '1\r\nx-b: 2'],
  ['a value that begins with a tab', 'x-a', '\t1'],
  ['a value that ends with a space', 'x-a', '1 '],
  ['a value with DEL', 'x-a', '1\x7f'],
  ['a name with a space', 'x a', '1'],
  ['a name with a colon', 'x:a', '1'],
  ['a name with CR and LF', 'x\r\na', '1'],
  ['a name with a NUL', 'x\0a', '1'],
  ['a name with a letter that is none of ASCII', 'x\xe9', '1'],
  ['no name', '', '1'],
  ['no name and no value', '', ''],
])('%s: 400 with a record, and the session lives on', async (_, name, value) => {
  const before = (await fixture.audit()).length;
  const one = await open();
  one.write(headers(1, signed([[name, value]])));
  await until(() => one.answered(1));
  expect(fixture.seen).toEqual([]);
  one.write(headers(3, signed([['x-a', '1']])));
  await until(() => one.answered(3));
  expect([fixture.seen.length, await reasonsSince(before, 2)]).toEqual([1, ['malformed_request', 'ok']]);
  one.socket.destroy();
});

it('one of a hundred fields that is malformed is enough, wherever it stands', async () => {
  const before = (await fixture.audit()).length;
  const one = await open();
  for (const [i, at] of [0, 45, 90].entries()) {
    const more = Array.from({ length: 91 }, (_, n) => [`x-${n}`, n === at ? 'a\0' : 'a'] as const);
    one.write(headers(1 + 2 * i, signed(more)));
    await until(() => one.answered(1 + 2 * i));
  }
  expect([fixture.seen, await reasonsSince(before, 3)]).toEqual([[], Array(3).fill('malformed_request')]);
  one.socket.destroy();
});

it('a malformed trailer takes its request with it: no backend gets it as a whole', async () => {
  const one = await open();
  one.write(headers(1, signed(), FLAG.END_HEADERS), frame(FRAME.DATA, 0, 1, Buffer.from('{}')));
  one.write(headers(1, [['x-a', '1\0']]));
  await until(() => one.has(FRAME.RST_STREAM, 1));
  one.write(headers(3, signed(), FLAG.END_HEADERS), frame(FRAME.DATA, 0, 3, Buffer.from('{}')));
  one.write(headers(3, [['x-a', '1']]));
  await until(() => one.answered(3));
  expect(fixture.seen.length).toBe(1);
  one.socket.destroy();
});

it.each<[string, () => Buffer[], string]>([
  ['two :path', () => [headers(1, [[':path', '/mcp'], ...signed()])], 'malformed_request'],
  ['a name in upper case', () => [headers(1, signed([['X-A', '1']]))], 'malformed_request'],
  ['Connection', () => [headers(1, signed([['connection', 'close']]))], 'malformed_request'],
  [
    'more fields than are looked at',
    () => [headers(1, signed(Array.from({ length: 2_100 }, () => ['a', ''] as const)))],
    'too_many_headers',
  ],
  [
    'a string larger than its block may be',
    () => [frame(FRAME.HEADERS, 0, 1, Buffer.from([0, 1, 0x61, 0x7f, 0xff, 0xff, 0x07]))],
    'too_many_headers',
  ],
  [
    'an index that there is not',
    () => [frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, Buffer.from([0xff, 0xff, 0x07]))],
    'malformed_request',
  ],
  [
    'one that comes with what breaks its session',
    () => [headers(1, signed(), FLAG.END_HEADERS), frame(FRAME.SETTINGS, 0, 0, Buffer.from([1]))],
    'malformed_request',
  ],
])('a request that the parser drops has a record and is counted: %s', async (_, what, reason) => {
  const before = (await fixture.audit()).length;
  const counted = async () => {
    const lines = (await fixture.admin('/metrics')).text.matchAll(
      new RegExp(`^agentgateway_refusals_total{[^}]*reason="${reason}"[^}]*} (\\d+)$`, 'gm'),
    );
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const countBefore = await counted();
  const one = await open();
  one.write(...what());
  await until(() => one.has(FRAME.RST_STREAM, 1) || one.closedAfterMs() !== undefined);
  expect([await reasonsSince(before, 1), fixture.seen]).toEqual([[reason], []]);
  expect(await counted()).toBe(countBefore + 1);
  one.socket.destroy();
});

it('more streams than may be open are refused, each with a record', async () => {
  fixture.answer = () => {};
  const before = (await fixture.audit()).length;
  const one = await open();
  for (let i = 0; i < 103; i++) one.write(headers(1 + 2 * i, signed()));
  await until(() => one.has(FRAME.RST_STREAM, 205));
  expect(await reasonsSince(before, 3)).toEqual(Array(3).fill('too_many_ahead'));
  one.socket.destroy();
  fixture.answer = (_, response) => response.end();
});
